/** How much of what was promised is there: a quiet share, its reasons on hover, tap or focus. */
import { html } from "../html.js";
import { fixed } from "../format/number.js";
import { span } from "../format/time.js";
import { t, word } from "../i18n/words.js";

const DAY_S = 86_400;
/** Days are told to the nearest, so that four of them less a minute are not three. */
const rounded = (seconds) => (seconds >= DAY_S ? Math.round(seconds / DAY_S) * DAY_S : seconds);

/** Such as «network 12 min»; `lacking` is `{ reason, seconds }`. */
export const lack = ({ reason, seconds }) => `${word("missing", reason)} ${span(rounded(seconds) * 1000)}`;

/** A share in percent to a tenth; all and nothing have none. */
export const share = (percent) => fixed(percent, percent === 100 || percent === 0 ? 0 : 1);

/** `covered` is a share as the server tells it; `lines` are its reasons in words, where they are not the share's own. */
export function Covered({ covered, lines, text }) {
  if (!covered) return null;
  const none = covered.percent === null || covered.percent === undefined;
  if (none && !(covered.no_device_s > 0)) return null;
  const reasons = lines ?? [...covered.lacking.map(lack), ...(covered.no_device_s > 0 ? [lack({ reason: "no_device", seconds: covered.no_device_s })] : [])];
  const said = none ? t("history.nothing_promised") : (text ?? t("history.covered", { percent: share(covered.percent) }));
  if (reasons.length === 0) return html`<span class="covered faint" data-covered=${covered.percent}>${said}</span>`;
  return html`<details class="covered faint" data-covered=${covered.percent ?? "none"} title=${reasons.join("\n")}>
    <summary>${said}</summary>
    <ul class="reasons">${reasons.map((line) => html`<li key=${line}>${line}</li>`)}</ul>
  </details>`;
}
