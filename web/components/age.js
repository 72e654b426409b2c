/** Texts that change with time. Each is a component of its own: a second passes without a sector being drawn again. */
import { html } from "../html.js";
import { now, second } from "../feed/clock.js";
import { countdown, hhmm, ms, span } from "../format/time.js";
import { t } from "../i18n/words.js";

/** How long ago, as «50 s»; with `ago` as «50 s ago». */
export function Age({ since, ago = false }) {
  second.value;
  const text = span(now() - ms(since));
  return html`<span class="nowrap">${ago ? t("time.ago", { span: text }) : text}</span>`;
}

/** How long until, as «1:05»; `0:00` when it is over. */
export function Left({ until }) {
  second.value;
  return html`<span class="nowrap">${countdown(ms(until) - now())}</span>`;
}

/** The ward's time of day. */
export function Clock() {
  second.value;
  return html`<time class="clock strong">${hhmm(now())}</time>`;
}
