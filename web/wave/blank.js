/** Samples that the record calls invalid are counts like any other in its spans; its gaps say which. None of them may be drawn as a trace. */

/** Closer than two samples of the slowest wave. */
const TOUCH_MS = 40;

/** Gaps that touch and have one reason as one gap, in order of time; each block of a wave tells its own. */
export function joined(gaps) {
  const found = [];
  for (const gap of [...(gaps ?? [])].sort((a, b) => Date.parse(a.from) - Date.parse(b.from))) {
    const last = found.at(-1);
    if (last && last.reason === gap.reason && Date.parse(gap.from) - Date.parse(last.to) <= TOUCH_MS) last.to = gap.to;
    else found.push({ ...gap });
  }
  return found;
}

/** Makes every value within a gap `NaN`. `start` and `step` in milliseconds, `gaps` as `{ from, to }` of the record. */
export function blank(values, start, step, gaps) {
  for (const gap of gaps ?? []) {
    const first = Math.max(0, Math.ceil((Date.parse(gap.from) - start) / step - 1e-6)),
      stop = Math.min(values.length, Math.ceil((Date.parse(gap.to) - start) / step - 1e-6));
    if (stop > first) values.fill(NaN, first, stop);
  }
  return values;
}
