/** One row of a strip: the grid, a lane for each signal, its gaps, the mark of the alarm and the legs of the calipers. All in millimetres. */
import { html } from "../html.js";
import { ms } from "../format/time.js";
import { t, word } from "../i18n/words.js";
import { grid, line } from "./paper.js";

/** Room that a reason needs, in millimetres. */
const REASON_MM = 22;

/** `size` is `{ width, height }` in mm; `scale_px` pixels in one, or `null` on paper, where a millimetre is one. */
export function StripRow({ row, lanes, speed, size, marks, calipers, scale_px, name, label, pointer }) {
  const x = (time) => ((time - row.from) / 1000) * speed,
    inside = (time) => time >= row.from && time < row.to;
  const lead = (time) => marks.find((m) => inside(m.at) && m.at === time);
  const drawn = scale_px ? { width: `${size.width * scale_px}px`, height: `${size.height * scale_px}px` } : { width: `${size.width}mm`, height: `${size.height}mm` };
  return html`<svg class="strip-row" viewBox=${`0 0 ${size.width} ${size.height}`} style=${drawn} role="img" aria-label=${label} ...${pointer ?? {}}>
    <defs><pattern id=${`${name}-hatch`} width="2" height="2" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><path class="hatch-line" d="M0 0V2" /></pattern></defs>
    <path class="fine" d=${grid(size.width, size.height, 1)} /><path class="bold" d=${grid(size.width, size.height, 5)} />
    ${lanes.map((lane) => html`<svg key=${lane.channel} y=${lane.top} width=${size.width} height=${lane.height} data-param=${lane.param}>
      ${lane.gaps.map((gap, i) => html`<${Hole} key=${i} from=${Math.max(0, x(ms(gap.from)))} to=${Math.min(size.width, x(ms(gap.to)))} height=${lane.height} name=${name} reason=${word("missing", gap.reason)} />`)}
      <path class="line" d=${line(lane.spans, row, speed, lane.y)} />
    </svg>`)}
    ${marks.filter((m) => lead(m.at)).map((m) => html`<g key=${m.at} class="mark-line"><path d=${`M${x(m.at)} 0V${size.height}`} /><text x=${Math.min(x(m.at) + 1, size.width - 2)} y="3.2" text-anchor=${x(m.at) > size.width - 40 ? "end" : "start"}>${m.text}</text></g>`)}
    ${calipers && html`<${Legs} calipers=${calipers} x=${x} inside=${inside} row=${row} size=${size} lanes=${lanes} />`}
  </svg>`;
}

function Hole({ from, to, height, name, reason }) {
  if (to - from <= 0) return null;
  return html`<g class="hole"><rect x=${from} y="0" width=${to - from} height=${height} fill=${`url(#${name}-hatch)`}><title>${reason}</title></rect>
    ${to - from > REASON_MM && html`<text x=${(from + to) / 2} y=${height / 2} text-anchor="middle">${reason}</text>`}</g>`;
}

/** The two legs, the level of the trace at each, and the same interval marched along the row. */
function Legs({ calipers, x, inside, row, size, lanes }) {
  const { a, b, march } = calipers,
    lane = lanes.find((l) => l.channel === calipers.channel) ?? lanes[0],
    step = Math.abs(b - a);
  const steps = [];
  if (march && step > 100) for (let at = a + Math.ceil((row.from - a) / step) * step; at < row.to; at += step) if (at !== a && at !== b) steps.push(at);
  const level = (at) => calipers.value(at);
  return html`<g class="legs">
    ${steps.map((at) => html`<path key=${at} class="marched" d=${`M${x(at)} ${lane.top}v${lane.height}`} />`)}
    ${[["A", a], ["B", b]].map(([leg, at]) => inside(at) && html`<g key=${leg}>
      <path class="leg" d=${`M${x(at)} 0V${size.height}`} /><text x=${x(at) + 0.8} y=${size.height - 1}>${leg}</text>
      ${level(at) !== null && html`<circle cx=${x(at)} cy=${lane.top + lane.y(level(at))} r="0.9" />`}</g>`)}
    ${inside(a) && inside(b) && html`<path class="span" d=${`M${x(a)} 4H${x(b)}`} />`}
  </g>`;
}

/** The height of one millivolt at the left of a sheet, as paper has always shown it. */
export const Calibration = ({ gain, scale_px }) => {
  const height = Math.max(10, gain) + 4,
    drawn = scale_px ? { width: `${12 * scale_px}px`, height: `${height * scale_px}px` } : { width: "12mm", height: `${height}mm` };
  return html`<svg class="calibration" viewBox=${`0 0 12 ${height}`} style=${drawn} role="img" aria-label=${t("strip.calibration")}><path class="line" d=${`M1 ${height - 2}h3v${-gain}h5v${gain}h2`} /></svg>`;
};
