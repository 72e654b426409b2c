/** Points as the server tells them, made ready to draw: one time axis for all lines, a hole where nothing was measured. */
import { ms } from "../format/time.js";

const PAD_PART = 0.12;

/** `[times, values, values…]` in milliseconds; every gap that lasts becomes a `null`, so that no line crosses it. */
export function joinedPoints(series, least = 0) {
  const times = new Set();
  for (const one of series) {
    for (const [time] of one.points) times.add(ms(time));
    one.gaps = (one.gaps ?? []).map((g) => ({ ...g, start: ms(g.from), end: ms(g.to) }));
    for (const at of middles(one.gaps, least)) times.add(at);
  }
  const axis = [...times].sort((a, b) => a - b);
  const lines = series.map((one) => {
    const known = new Map(one.points.map(([time, value]) => [ms(time), value]));
    const holes = new Set(middles(one.gaps, least));
    // `undefined` leaves a line alone where another line has a point; `null` breaks it.
    return axis.map((time) => (known.has(time) ? known.get(time) : holes.has(time) ? null : undefined));
  });
  return [axis, ...lines];
}

/** Where the line is broken: in the middle of each gap that lasts at least so long. */
const middles = (gaps, least) => gaps.filter((g) => g.end - g.start >= least).map((g) => Math.round((g.start + g.end) / 2));

/** The gap that an instant lies in. */
export const gapAt = (gaps, time) => gaps.find((g) => time >= g.start && time <= g.end);

/** A vertical range `[low, high]` that holds all values and all limits, with a little air. */
export function rangeOf(data, bounds) {
  const values = data.slice(1).flat().concat(bounds).filter((v) => Number.isFinite(v));
  if (values.length === 0) return [0, 1];
  const min = Math.min(...values),
    max = Math.max(...values),
    pad = Math.max((max - min) * PAD_PART, 1);
  return [min - pad, max + pad];
}
