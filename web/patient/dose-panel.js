/** The next dose: planned here in words and a time, read by the patient on their own page. */
import { html, useState } from "../html.js";
import { Field } from "../components/field.js";
import { TimeField } from "../components/time-field.js";
import { sayProblem } from "../components/state-panel.js";
import { now } from "../feed/clock.js";
import { ms, when } from "../format/time.js";
import { t } from "../i18n/words.js";

const MIN = 60_000;
/** Somebody who plans a dose thinks of one in the hours to come. */
const USUAL_AHEAD_MS = 2 * 3_600_000;
const AHEAD_MAX_MS = 7 * 86_400_000;

export function DosePanel({ page, plan, clear }) {
  const dose = page.next_dose;
  const [words, setWords] = useState(""),
    [due, setDue] = useState(() => now() + USUAL_AHEAD_MS),
    [said, say] = useState(""),
    [refused, refuse] = useState("");
  // What was refused interrupts whoever listens; what was done waits for them.
  const tell = (done, why) => { say(done); refuse(why); };
  const attempt = (deed, done) => deed.then(() => tell(done, ""), (problem) => tell("", sayProblem(problem)));
  const submit = (event) => {
    event.preventDefault();
    if (!words.trim()) return tell("", t("dose.words_missing"));
    if (due === null) return tell("", t("dose.time_missing"));
    return attempt(plan(words.trim(), new Date(Math.floor(due / MIN) * MIN).toISOString()).then(() => setWords("")), t("dose.saved"));
  };
  return html`<section class="stack" aria-label=${t("dose.title")}>
    ${dose ? html`<div class="row wrap" data-dose><div class="grow"><p><b>${dose.words}</b>, ${when(dose.due_at, now())} ${ms(dose.due_at) < now() && html`<span class="chip loud">${t("dose.over")}</span>`}</p>
      <p class="small faint">${t("dose.by", { name: dose.by ?? t("who.somebody"), at: when(dose.at, now()) })}</p></div>
      <button type="button" data-dose-done onClick=${() => attempt(clear(), t("dose.cleared"))}>${t("dose.done")}</button></div>` : html`<p class="dim">${t("dose.none")}</p>`}
    <form class="pair dose-form" aria-label=${t("dose.plan")} onSubmit=${submit}>
      <${Field} label=${t("dose.what")}><input name="dose" value=${words} maxlength="200" onInput=${(event) => setWords(event.target.value)} /></${Field}>
      <${TimeField} label=${t("dose.when")} name="due" value=${due} max=${now() + AHEAD_MAX_MS} whole=${false} act=${setDue} />
      <div class="row wrap"><button type="submit">${t("dose.plan")}</button><span class="small strong" role="alert">${refused}</span><span class="small dim grow" role="status">${refused ? "" : said || t("dose.patient_reads")}</span></div>
    </form>
  </section>`;
}
