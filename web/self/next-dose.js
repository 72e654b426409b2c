/** The next dose as the ward wrote it down; without one nothing is guessed. */
import { html } from "../html.js";
import { now } from "../feed/clock.js";
import { ms, when } from "../format/time.js";
import { t } from "../i18n/words.js";

export function NextDose({ dose, say }) {
  if (!dose) return html`<section class="own-card" aria-label=${t("own.dose")}><h2>${t("own.dose")}</h2><p class="dim" data-dose="none">${say("dose_none")}</p></section>`;
  const over = ms(dose.due_at) < now();
  return html`<section class="own-card" aria-label=${t("own.dose")}><h2>${t("own.dose")}</h2>
    <p class="own-day" data-dose=${over ? "over" : "due"}><b>${dose.words}</b>, ${t(over ? "own.dose_was_at" : "own.dose_at", { at: when(dose.due_at, now()) })}</p>
    <p class="small faint">${over ? say("dose_over") : say("dose_by", { name: dose.by ?? t("who.somebody") })}</p></section>`;
}
