/** «How do you feel?»: four answers as large as a thumb, a few words if one likes; the team sees it at once. */
import { html, useState } from "../html.js";
import { feel } from "../api/act.js";
import { Field } from "../components/field.js";
import { sayProblem } from "../components/state-panel.js";
import { now } from "../feed/clock.js";
import { when } from "../format/time.js";
import { t } from "../i18n/words.js";

const FEELINGS = ["better", "same", "bit_worse", "much_worse"];

export function Feeling({ own, show }) {
  const [chosen, choose] = useState(null),
    [words, setWords] = useState(""),
    [said, say] = useState(""),
    [busy, setBusy] = useState(false);
  const submit = async (event) => {
    event.preventDefault();
    setBusy(true);
    try {
      show(await feel(chosen, words));
      choose(null);
      setWords("");
      say(t("own.thanks"));
    } catch (problem) {
      say(sayProblem(problem));
    }
    setBusy(false);
  };
  const [last] = own.felt;
  return html`<form class="own-card stack" onSubmit=${submit} aria-label=${t("own.feel")}>
    <h2>${t("own.feel")}</h2>
    <div class="own-feelings" role="group" aria-label=${t("own.feel")}>${FEELINGS.map((f) => html`<button key=${f} type="button" data-feeling=${f} aria-pressed=${String(chosen === f)} onClick=${() => { choose(f); say(""); }}>${t(`own.${f}`)}</button>`)}</div>
    ${chosen && html`<${Field} label=${t("own.feel_note")}><textarea name="words" rows="2" maxlength="500" value=${words} onInput=${(event) => setWords(event.target.value)} /></${Field}>
      <div><button class="primary" type="submit" disabled=${busy}>${t("own.feel_act")}</button></div>`}
    <p role="status" data-said>${said}</p>
    ${last && html`<p class="small dim" data-felt=${last.feeling}>${t("own.felt_said", { how: t(`feeling.${last.feeling}`), at: when(last.observed_at, now()) })}</p>`}
  </form>`;
}
