/** The NEWS2 chip. It speaks in weight, not in hue, and gives no total of an incomplete set: alarm colours stay free for alarms. */
import { html } from "../html.js";
import { now } from "../feed/clock.js";
import { when } from "../format/time.js";
import { t } from "../i18n/words.js";

export const ARROWS = { up: "↗", down: "↘", same: "→" };
const WEIGHT = { low: "low", low_medium: "low-medium", medium: "medium", high: "high" };

/** `silentSince`: the moment the inputs stopped coming. From then on the score is history and says of when. */
export function ScoreChip({ news2, silentSince }) {
  if (!news2) return null;
  const name = html`<span class="score-name">${t("news2.name")}</span>`;
  const last = news2.last_total;
  if (news2.total === null || news2.total === undefined) {
    const title = last ? t("news2.incomplete_last", { total: last.total, at: when(last.at, now()) }) : t("news2.incomplete_title");
    return html`<span class="score" data-risk="incomplete" title=${title}>${name}<b>${t("news2.incomplete")}</b></span>`;
  }
  if (silentSince) {
    return html`<span class="score" data-risk="aged" title=${t("news2.aged")}>${name}<b>${news2.total}</b>${t("news2.at", { at: when(silentSince, now()) })}</span>`;
  }
  const risk = t(`news2.risk.${news2.risk}`),
    going = news2.trend ? t(`news2.trend.${news2.trend}`) : "";
  return html`<span class="score" data-risk=${WEIGHT[news2.risk]} title=${t("news2.title", { total: news2.total, risk, going })}>
    ${name}<b>${news2.total}</b>
    ${news2.trend && html`<span aria-hidden="true">${ARROWS[news2.trend]}</span>`}<span class="hidden">${risk} ${going}</span>
  </span>`;
}
