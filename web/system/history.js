/** The last day, minute by minute; a restart and a time without recording are gaps, hatched and named. */
import { html } from "../html.js";
import { Loading } from "../components/state-panel.js";
import { hhmm, ms } from "../format/time.js";
import { t } from "../i18n/words.js";
import { count } from "./quantity.js";

const SIZE = { width: 600, height: 120, top: 16, bottom: 16 };
const LINES = [["readings_per_s", "system.ingest", "system.readings_per_s"], ["decided_ms_p99", "system.decided", "system.unit_ms"]];

/** `history` is `null` while it is on its way, and `false` when it did not come. */
export function History({ history }) {
  if (history === null) return html`<section class="panel" aria-label=${t("system.history")} data-coming><h2>${t("system.history")}</h2><${Loading} /></section>`;
  if (!history) return html`<section class="panel" aria-label=${t("system.history")} data-away><h2>${t("system.history")}</h2><p class="small dim" role="status">${t("system.history_away")}</p></section>`;
  if (history.points.length < 2) return html`<section class="panel" aria-label=${t("system.history")}><h2>${t("system.history")}</h2><p class="small dim">${t("system.history_none")}</p></section>`;
  return html`<section class="panel" aria-label=${t("system.history")} data-gaps=${history.gaps.length}><h2>${t("system.history")}</h2>
    <div class="history">${LINES.map(([key, name, unit]) => html`<${Chart} key=${key} history=${history} pick=${(p) => p[key]} id=${key} name=${t(name)} unit=${t(unit)} />`)}</div></section>`;
}

function Chart({ history, pick, id, name, unit }) {
  const { points, gaps } = history,
    { width, height, top, bottom } = SIZE;
  const first = points[0].at_ms,
    last = Math.max(points.at(-1).at_ms, ms(history.to)),
    most = Math.max(...points.map(pick), 1e-9);
  const x = (at) => ((at - first) / (last - first || 1)) * width,
    y = (value) => height - bottom - (value / most) * (height - top - bottom);
  const broken = (from, to) => gaps.some((gap) => gap.from_ms >= from && gap.to_ms <= to);
  const path = points.map((p, i) => `${i === 0 || broken(points[i - 1].at_ms, p.at_ms) ? "M" : "L"}${x(p.at_ms).toFixed(1)} ${y(pick(p)).toFixed(1)}`).join("");
  const now = points.at(-1);
  return html`<figure class="history-chart" role="img" aria-label=${t("system.history_spoken", { name, value: count(pick(now)), unit, n: gaps.length })}>
    <figcaption class="row"><b>${name}</b> <span class="small faint grow">${unit}</span><b>${count(pick(now))}</b><span class="small faint">${hhmm(now.at_ms)}</span></figcaption>
    <svg viewBox=${`0 0 ${width} ${height}`} preserveAspectRatio="none" aria-hidden="true">
      <defs><pattern id=${`hatch-${id}`} width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><path class="hatch-line" d="M0 0V6" /></pattern></defs>
      <path class="axis" d=${`M0 ${y(0)}H${width}M0 ${y(most)}H${width}`} />
      ${gaps.map((gap) => html`<rect key=${gap.from_ms} class="gap" x=${x(gap.from_ms)} y=${top} width=${Math.max(2, x(gap.to_ms) - x(gap.from_ms))} height=${height - top - bottom} fill=${`url(#hatch-${id})`} data-why=${gap.why}><title>${`${t(`system.gap_${gap.why}`)} ${hhmm(gap.from_ms)}`}</title></rect>`)}
      <path class="line" d=${path} />
    </svg>
    <p class="row small faint"><span class="grow">${hhmm(first)}</span>${gaps.slice(-3).map((gap) => html`<span key=${gap.from_ms} class="gap-name">${t(`system.gap_${gap.why}`)} ${hhmm(gap.from_ms)}</span>`)}<span class="grow last">${hhmm(last)}</span></p>
  </figure>`;
}
