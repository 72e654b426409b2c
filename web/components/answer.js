/** Answering an alarm: a time that runs out. Silence without an end is not on offer. */
import { html, useState } from "../html.js";
import { t } from "../i18n/words.js";
import { Segments } from "./segments.js";
import { sayProblem } from "./state-panel.js";

export const MINUTES = [2, 5, 10];

/** `act(seconds)` answers; it may throw a problem, which is then said beside the button. */
export function Answer({ alarm, act, first = false }) {
  const [minutes, choose] = useState(MINUTES[0]);
  const [said, say] = useState("");
  const [busy, setBusy] = useState(false);
  const submit = async (event) => {
    event.preventDefault();
    setBusy(true);
    say("");
    try {
      await act(minutes * 60);
    } catch (problem) {
      say(sayProblem(problem));
    }
    setBusy(false);
  };
  const who = t("alarm.answer_for", { name: alarm.patient_name ?? t("who.nobody"), bed: alarm.bed_name ?? "" });
  return html`<form class="answer-form stack" aria-label=${who} onSubmit=${submit}>
    <div class="row wrap"><span class="small dim">${t("alarm.quiet_for")}</span>
      <${Segments} label=${t("alarm.quiet_for")} options=${MINUTES.map((m) => [m, t("time.min", { min: m })])} chosen=${minutes} act=${choose} /></div>
    <div class="row wrap">
      <button type="submit" class="primary" data-answer=${first ? "" : undefined} disabled=${busy}>
        ${t(alarm.state === "acknowledged" ? "alarm.renew_for" : "alarm.i_have_it_for", { min: minutes })}</button>
      <span class="small" role="status">${said}</span>
    </div>
    <p class="small faint">${t("alarm.answer_note")}</p>
  </form>`;
}
