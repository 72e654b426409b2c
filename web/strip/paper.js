/** The arithmetic of a strip on paper: millimetres from times and values, lines that stop at gaps, and what calipers read. */
import { blank } from "../wave/blank.js";
import { ms } from "../format/time.js";

/** Height of a lane in millimetres: three millivolts at the usual gain, less for a signal without a unit. */
export const LANE_MM = { mV: 30, other: 18 };
/** Where in its lane the baseline of an electrocardiogram lies, from the top. */
const BASE_PART = 0.62;
const AIR_MM = 2;

/** Rows of equal length that hold a range; the last may reach beyond it. */
export function rows(from, to, rowMs) {
  const count = Math.max(1, Math.ceil((to - from) / rowMs - 1e-9));
  return Array.from({ length: count }, (_, i) => ({ from: from + i * rowMs, to: from + (i + 1) * rowMs }));
}

/** A span of the record as times and values in its unit; a sample that is none, or that lies in a gap, is `NaN`. */
export function read(span, gaps = []) {
  const start = ms(span.start),
    step = 1000 / span.rate_hz,
    factor = Array.isArray(span.gain) ? span.gain[0] * 10 ** span.gain[1] : (span.gain ?? 1),
    offset = span.offset ?? 0;
  return { start, step, values: blank(Float64Array.from(span.samples, (raw) => (raw === null ? NaN : (raw - offset) * factor)), start, step, gaps) };
}

/** The middle value, which is near the line between the beats; `NaN` of nothing. */
export function median(spans) {
  const all = spans.flatMap((span) => [...span.values]).filter((v) => !Number.isNaN(v)).sort((a, b) => a - b);
  return all.length ? all[all.length >> 1] : NaN;
}

/** Where the values of a lane lie: `y(value)` in millimetres from the top of the lane. `gain` in mm for one of the unit; without it the lane is filled. */
export function scale(spans, height, gain) {
  const base = median(spans);
  if (gain) return (value) => height * BASE_PART - (value - base) * gain;
  let low = Infinity,
    high = -Infinity;
  for (const span of spans) {
    for (const value of span.values) {
      if (value < low) low = value;
      if (value > high) high = value;
    }
  }
  const part = high > low ? (height - 2 * AIR_MM) / (high - low) : 0;
  return (value) => height - AIR_MM - (value - low) * part;
}

/** The line of a row as the text of an SVG path, in millimetres; it is lifted wherever there is nothing. */
export function line(spans, row, speed, y) {
  const parts = [];
  for (const { start, step, values } of spans) {
    const first = Math.max(0, Math.ceil((row.from - start) / step - 1)),
      stop = Math.min(values.length, Math.floor((row.to - start) / step) + 2);
    let pen = false;
    for (let i = first; i < stop; i++) {
      if (Number.isNaN(values[i])) {
        pen = false;
        continue;
      }
      const x = ((start + i * step - row.from) / 1000) * speed;
      parts.push(`${pen ? "L" : "M"}${x.toFixed(2)} ${y(values[i]).toFixed(2)}`);
      pen = true;
    }
  }
  return parts.join("");
}

/** The value of the trace at an instant, or `null` where there is none. */
export function valueAt(spans, time) {
  for (const { start, step, values } of spans) {
    const value = values[Math.round((time - start) / step)];
    if (value !== undefined && !Number.isNaN(value)) return value;
  }
  return null;
}

/** What two caliper legs read: milliseconds, how many of them fit in a minute, and the difference of the trace. */
export function reading(spans, a, b) {
  const interval = Math.abs(b - a),
    from = valueAt(spans, a),
    to = valueAt(spans, b);
  return { interval_ms: Math.round(interval), rate_per_min: interval >= 1 ? 60_000 / interval : null, amplitude: from === null || to === null ? null : to - from };
}

/** Every millimetre, or every fifth, of a sheet as the text of one path. */
export function grid(width, height, each) {
  let path = "";
  for (let x = 0; x <= width + 1e-6; x += each) path += `M${x} 0V${height}`;
  for (let y = 0; y <= height + 1e-6; y += each) path += `M0 ${y}H${width}`;
  return path;
}
