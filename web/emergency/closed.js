/** A patient's page that is closed to whoever asks: why, whom to ask first, and how it opens in an emergency. */
import { html, useState } from "../html.js";
import { openInEmergency } from "../api/act.js";
import { Field } from "../components/field.js";
import { sayProblem } from "../components/state-panel.js";
import { t } from "../i18n/words.js";
import { kept } from "../router.js";
import { home } from "../shell/role.js";

export const REASONS = ["life_at_risk", "called_to_help", "transfer", "other"];

/** Whether a refusal is of this kind; any other one has no way around it. */
export const isClosed = (problem) => problem?.kind === "/problems/closed";

/** `then` is called once the page has been opened. */
export function Closed({ patient, then }) {
  const [reason, choose] = useState(null),
    [words, setWords] = useState(""),
    [said, say] = useState(""),
    [busy, setBusy] = useState(false);
  const submit = async (event) => {
    event.preventDefault();
    if (!reason) return say(t("emergency.reason_missing"));
    if (reason === "other" && !words.trim()) return say(t("emergency.words_missing"));
    setBusy(true);
    try {
      await openInEmergency(patient, reason, words.trim());
      await then();
    } catch (problem) {
      // While nothing is recorded no reason is needed; the page may be open by now.
      if (problem?.kind === "/problems/not-recording") await then();
      say(sayProblem(problem));
      setBusy(false);
    }
    return undefined;
  };
  return html`<form class="panel closed" aria-label=${t("emergency.title")} data-state="closed" onSubmit=${submit}>
    <h1>${t("emergency.title")}</h1>
    <p class="dim">${t("emergency.why")}</p>
    <fieldset class="reasons"><legend>${t("emergency.reason")}</legend>
      ${REASONS.map((name) => html`<label key=${name} class="row"><input type="radio" name="reason" value=${name} checked=${reason === name} onChange=${() => choose(name)} /><span>${t(`emergency.reasons.${name}`)}</span></label>`)}
    </fieldset>
    <${Field} label=${t(reason === "other" ? "emergency.words_needed" : "emergency.words")}><input name="words" value=${words} maxlength="500" onInput=${(event) => setWords(event.target.value)} /></${Field}>
    <p class="small">${t("emergency.consequence")}</p>
    <p class="small strong" role="alert">${said}</p>
    <div class="row wrap"><button type="submit" class="primary" disabled=${busy}>${t("emergency.open")}</button><a class="button" href=${`${home()}${kept()}`}>${t("emergency.leave")}</a></div>
  </form>`;
}
