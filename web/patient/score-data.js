/** The course of a score as steps: it holds until the next one, and where an input was missing there is none, with the names of what was missing. */
import { ms } from "../format/time.js";

/** `scores` are `{ at, total, missing }`, oldest first; the first may have begun before `from`. `why(score)` says why there is no total. Answers `{ points, gaps }` as of a trend. */
export function steps(scores, from, to, why) {
  const points = [],
    gaps = [];
  scores.forEach((score, i) => {
    const start = Math.max(from, ms(score.at)),
      end = i + 1 < scores.length ? Math.min(to, ms(scores[i + 1].at)) : to;
    if (end <= start) return;
    if (score.total === null || score.total === undefined) {
      const reason = why(score),
        last = gaps.at(-1);
      if (last && last.to === start && last.reason === reason) last.to = end;
      else gaps.push({ from: start, to: end, reason });
      return;
    }
    points.push([start, score.total], [end - 1, score.total]);
  });
  return { points, gaps };
}
