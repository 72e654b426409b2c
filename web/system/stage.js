/** One stage of the way: its name, what it does, how much flows, and its last two minutes. */
import { html } from "../html.js";

const SIZE = { width: 132, height: 24 };

export const Stage = ({ name, what, value, unit, past, note, loud = false, last = false }) => html`<li class="stage panel" data-loud=${loud ? "" : undefined}>
  <h2>${name}</h2><p class="small faint">${what}</p>
  <p class="stage-rate"><b class="rate">${value}</b><span class="small faint">${unit}</span></p>
  <${Spark} values=${past.filter((v) => Number.isFinite(v))} />
  <p class="small dim">${note}</p>
  ${!last && html`<span class="pipe" aria-hidden="true"></span>`}
</li>`;

/** A line without an axis: only whether it is steady. */
export function Spark({ values }) {
  const { width, height } = SIZE;
  if (values.length < 2) return html`<svg class="spark" data-param="resp" width=${width} height=${height} aria-hidden="true"></svg>`;
  const low = Math.min(...values),
    high = Math.max(...values, low * 1.1 + 1e-9);
  const points = values.map((v, i) => `${((i / (values.length - 1)) * (width - 4) + 2).toFixed(1)},${(height - 3 - ((v - low) / (high - low || 1)) * (height - 6)).toFixed(1)}`);
  return html`<svg class="spark" data-param="resp" width=${width} height=${height} viewBox=${`0 0 ${width} ${height}`} preserveAspectRatio="none" aria-hidden="true">
    <polyline class="line" points=${points.join(" ")} /><path class="tip" d=${`M${points.at(-1)}h.01`} /></svg>`;
}
