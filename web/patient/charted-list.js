/** What was charted lately, by whom, newest first. */
import { html } from "../html.js";
import { nameOf } from "../components/strip.js";
import { now } from "../feed/clock.js";
import { when } from "../format/time.js";
import { t } from "../i18n/words.js";

/** What was observed, in one phrase. */
export function observedText(entry) {
  const parts = [];
  if (entry.consciousness) parts.push(t(`consciousness.${entry.consciousness}`));
  if (entry.oxygen?.kind === "air") parts.push(t("oxygen.air"));
  if (entry.oxygen?.kind === "added") {
    const by = t(`oxygen.${entry.oxygen.by ?? "other"}`);
    parts.push(entry.oxygen.flow_l_per_min ? t("oxygen.flow_by", { flow: entry.oxygen.flow_l_per_min, by }) : t("oxygen.added_by", { by }));
  }
  if (entry.breaths_per_min !== null && entry.breaths_per_min !== undefined) parts.push(t("chart.breaths_are", { n: entry.breaths_per_min }));
  if (entry.feeling) parts.push(t("chart.feels", { how: t(`feeling.${entry.feeling}`) }));
  return parts.join(", ");
}

export const ChartedList = ({ charting }) => html`<section aria-label=${t("chart.charted")}>
  ${charting.length === 0 && html`<p class="small dim">${t("chart.none")}</p>`}
  <ol class="lines">${charting.map((entry, i) => html`<li key=${entry.id ?? i} class="row wrap">
    <time class="faint small nowrap">${when(entry.observed_at, now())}</time>
    <span class="grow"><span class="strong">${observedText(entry)}</span>${entry.note ? html` <span class="dim">${entry.note}</span>` : null}</span>
    <span class="small faint">${entry.by ? nameOf(entry.by) : ""}</span></li>`)}</ol>
</section>`;
