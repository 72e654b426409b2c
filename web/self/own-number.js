/** One number of a patient's own: large, with its unit, a plain sentence about where it lies, its last day as a line, and where it comes from. */
import { html } from "../html.js";
import { now } from "../feed/clock.js";
import { hhmm, ms, span } from "../format/time.js";
import { has, t } from "../i18n/words.js";
import { number as plain } from "../format/number.js";
import { param } from "../format/vital.js";

const SIZE = { width: 300, height: 56 };
/** A line is broken where nothing was measured for so long: a gap is drawn as a gap. */
const GAP_MS = 90 * 60_000;
const OLD_MS = 5 * 60_000;

/** The limits as words: «90 or more», «50 to 120». */
export function rangeText({ low, high }) {
  const there = (n) => n !== null && n !== undefined;
  if (there(low) && there(high)) return t("own.range_both", { low: plain(low), high: plain(high) });
  if (there(low)) return t("own.range_low", { low: plain(low) });
  return there(high) ? t("own.range_high", { high: plain(high) }) : "";
}

const text = (number) => (number.with?.text ? `${number.text}/${number.with.text}` : number.text);

/** Where a value lies, in one sentence; a pressure has two numbers, each with limits of its own. */
function places(number, say) {
  const one = (place, numeric) => say(place ?? "in_no_range", { range: rangeText(numeric) });
  if (!number.with?.text) return [one(number.place, number)];
  const upper = t("own.upper", { place: one(number.place, number) });
  return number.with_place ? [upper, t("own.lower", { place: one(number.with_place, number.with) })] : [number.place ? upper : one(null, number)];
}

export function OwnNumber({ number, say }) {
  const absent = number.value === null || number.state === "missing";
  const name = has(`own.vital.${number.vital}`) ? t(`own.vital.${number.vital}`) : number.label,
    unit = has(`own.unit.${number.vital}`) ? t(`own.unit.${number.vital}`) : number.unit;
  const age = now() - ms(number.taken_at),
    by = number.measured_by;
  const measured = age > OLD_MS ? t("own.measured_ago", { span: span(age), by, device: by }) : t("own.measured", { at: hhmm(number.taken_at), device: by });
  return html`<section class="own-card own-number" data-vital=${number.vital} data-param=${param(number.vital)} aria-label=${name}>
    <h2>${name}</h2>
    ${absent ? html`<p class="own-absent hatched">${t("own.missing", { why: number.missing ?? t("missing.no_data") })}</p>` : html`<p class="own-value" data-old=${age > OLD_MS ? "" : undefined}><b>${text(number)}</b> <span>${unit}</span></p>
      ${places(number, say).map((line) => html`<p key=${line} class="strong" data-place>${line}</p>`)}`}
    ${number.usual && !absent && html`<p class="small dim">${usually(number)}</p>`}
    <${Line} points=${number.points} />
    ${!absent && html`<p class="small dim">${measured}</p>`}
    ${number.grade === "wellness" && html`<p class="small dim">${say("home_device")}</p>`}
  </section>`;
}

/** Whether it is as it mostly was during the last day, or where it mostly was. */
function usually({ value, usual: [low, high] }) {
  return value >= low && value <= high ? t("own.usual") : t("own.usual_not", { range: t("own.range_both", { low: plain(low), high: plain(high) }) });
}

function Line({ points }) {
  if (points.length < 2) return null;
  const { width, height } = SIZE;
  const times = points.map(([at]) => at),
    values = points.map(([, value]) => value);
  const [first, last] = [times[0], times.at(-1)],
    low = Math.min(...values),
    range = Math.max(...values) - low || 1;
  const x = (at) => (4 + ((at - first) / (last - first || 1)) * (width - 8)).toFixed(1),
    y = (value) => (height - 6 - ((value - low) / range) * (height - 12)).toFixed(1);
  const path = points.map(([at, value], i) => `${i === 0 || at - times[i - 1] > GAP_MS ? "M" : "L"}${x(at)} ${y(value)}`).join("");
  return html`<svg class="own-line" viewBox=${`0 0 ${width} ${height}`} preserveAspectRatio="none" aria-hidden="true"><path d=${path} /><path class="tip" d=${`M${x(last)} ${y(values.at(-1))}h.01`} /></svg>`;
}
