/** Says over a page that was opened in an emergency for how long it stays open, and closes it then. */
import { html, useEffect } from "../html.js";
import { Left } from "../components/age.js";
import { now } from "../feed/clock.js";
import { hhmm, ms } from "../format/time.js";
import { rich, t } from "../i18n/words.js";

/** A timer that a browser cannot hold longer. */
const TIMER_MAX_MS = 2 ** 31 - 1;

export function OpenFor({ until, close }) {
  useEffect(() => {
    const timer = setTimeout(close, Math.min(TIMER_MAX_MS, Math.max(0, ms(until) - now()) + 500));
    return () => clearTimeout(timer);
  }, [until]);
  return html`<p class="banner open-for" data-open-until=${until}><b role="status">${t("emergency.open_until", { at: hhmm(until) })}</b> <span class="grow">${rich("emergency.open_left", { left: html`<b><${Left} until=${until} /></b>` })}</span></p>`;
}
