/** Ending an alarm by hand: with a reason, in words, and with the patient's name and bed said, because it can hurt to be wrong. */
import { html, useState } from "../html.js";
import { Choice, Field } from "../components/field.js";
import { sayProblem } from "../components/state-panel.js";
import { t } from "../i18n/words.js";

const REASONS = ["artefact", "device_taken_off", "patient_left", "other"];

export function EndForm({ alarm, end }) {
  const [reason, choose] = useState(REASONS[0]),
    [words, write] = useState(""),
    [said, say] = useState(""),
    [busy, setBusy] = useState(false);
  const submit = async (event) => {
    event.preventDefault();
    if (reason === "other" && !words.trim()) return say(t("alarm.end_words_needed"));
    setBusy(true);
    await end(reason, words.trim()).then(() => say(""), (problem) => say(sayProblem(problem)));
    return setBusy(false);
  };
  const whose = alarm.patient_name ? t("alarm.end_of", { name: alarm.patient_name, bed: alarm.bed_name ?? "" }) : t("alarm.end_it");
  return html`<details class="end"><summary>${t("alarm.end_title")}</summary>
    <form class="stack" onSubmit=${submit} aria-label=${whose}>
      <p class="small dim">${t("alarm.end_text")}</p>
      <${Choice} label=${t("alarm.end_reason")} value=${reason} options=${REASONS.map((r) => [r, t(`end.${r}`)])} act=${choose} />
      <${Field} label=${t("alarm.end_words")}><input value=${words} onInput=${(e) => write(e.target.value)} maxlength="300" /></${Field}>
      <div class="row wrap"><button type="submit" disabled=${busy}>${whose}</button><span class="small" role="alert">${said}</span></div>
    </form></details>`;
}
