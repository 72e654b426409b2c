/** A history as the server tells it, made ready to draw: columns become points that keep their extremes. */

/** `[time, value]` of a line: first, least, greatest and last of each column, where they differ; nothing of a column that goes on lies behind `until`. */
export function points(line, { origin_ms: origin, step_ms: whole }, until = Infinity) {
  const found = [];
  line.n.forEach((n, i) => {
    const begin = origin + n * whole,
      step = Math.max(4, Math.min(whole, until - begin)),
      values = [line.first[i], line.least[i], line.greatest[i], line.last[i]];
    if (values.every((value) => value === values[0])) {
      found.push([begin + step / 2, values[0]]);
      return;
    }
    // Where in a column its extremes lie does not show; that they are there does.
    values.forEach((value, place) => found.push([begin + (step * (place + 0.5)) / 4, value]));
  });
  return found;
}

/** Gaps of a channel as charts take them, those between the stretches of the line included. */
export function gaps(line, channel, from, to) {
  const known = (channel?.gaps ?? []).map((gap) => ({ from: gap.from_ms, to: gap.to_ms, reason: gap.reason }));
  let until = from;
  for (const [begin, end] of line.on_ms) {
    if (begin > until) known.push({ from: until, to: begin, reason: "no_device" });
    until = Math.max(until, end);
  }
  if (until < to) known.push({ from: until, to, reason: "no_device" });
  // Roll-ups may have known what cannot be read any more, and the ledger by them.
  const isTold = (begin, end) => known.some((gap) => gap.reason === "damaged" && gap.from <= begin && gap.to >= end);
  for (const [begin, end] of line.damaged_ms ?? []) if (!isTold(begin, end)) known.push({ from: begin, to: end, reason: "damaged" });
  return known.sort((a, b) => a.from - b.from);
}

/** The channel of a coverage that a line is of. */
export const channelOf = (line, coverage) => coverage?.channels.find((c) => c.device.id === line.device.id && c.channel === line.channel && (c.patient?.id ?? null) === (line.patient?.id ?? null)) ?? null;

/** A line that was promised, and of which nothing came. */
const silent = ({ device, channel, vital, label, patient, on_ms }) => ({ device, channel, vital, label, patient, on_ms, unit: vital ? undefined : "", n: [], first: [], least: [], greatest: [], last: [], mean: [], count: 0, covered_ms: 0, usual: null, in_range_ms: null, damaged_ms: [] });

/** The lines that have something to say: values, damage, or a promise that was not kept. One of which something came is on a page that follows. */
export function told(measured, coverage) {
  const lines = measured.lines.filter((line) => line.n.length > 0 || line.damaged_ms?.length > 0),
    has = (channel) => lines.some((line) => channelOf(line, { channels: [channel] })),
    promised = (coverage?.channels ?? []).filter((c) => !c.is_waveform && c.promised_s > 0 && (c.covered_s === 0 || !measured.next) && !has(c));
  return [...lines, ...promised.map(silent)];
}

const ORDER = ["heart_rate", "pulse_rate", "saturation", "respiratory_rate", "systolic_pressure", "diastolic_pressure", "mean_pressure", "temperature", "glucose"];
const place = (line) => (ORDER.includes(line.vital) ? ORDER.indexOf(line.vital) : ORDER.length);

/** Lines in the order of the ward: by vital, then by device. */
export const ordered = (lines) => [...lines].sort((a, b) => place(a) - place(b) || a.label.localeCompare(b.label) || a.device.name.localeCompare(b.device.name));
