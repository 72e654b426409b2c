/** How much of what was promised came, in one line, with the reasons for the rest. */
import { html } from "../html.js";
import { fixed } from "../format/number.js";
import { lack, share as percent } from "../components/covered.js";
import { t } from "../i18n/words.js";

const REASONS = 3;

export function CoverageLine({ line, channel }) {
  if (!channel || channel.percent === null) return html`<p class="small faint">${line.device.name}</p>`;
  const reasons = channel.lacking.slice(0, REASONS).map(lack);
  const share = line.in_range_ms !== null && line.covered_ms > 0 ? fixed((line.in_range_ms / line.covered_ms) * 100, 0) : null;
  return html`<p class="small faint" data-coverage=${channel.percent}>
    ${line.device.name}, <b>${t("history.covered", { percent: percent(channel.percent) })}</b>${reasons.length > 0 && ` (${reasons.join(", ")})`}${share !== null && `, ${t("history.in_range", { percent: share })}`}
  </p>`;
}
