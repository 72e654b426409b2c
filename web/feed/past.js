/** What the traces show before the feed's first block: the last seconds out of the record, so that nobody looks at a blank. */
import { get, query } from "../api/http.js";
import { now } from "./clock.js";
import * as waves from "./waves.js";

/** The record is readable a moment after the feed has shown it; by then the seam between the two can be closed. */
const AGAIN_MS = 3000;
const SEAM_MS = 6000;
/** So many questions at once; a board of forty beds must not crowd out an answer to an alarm. */
const AT_ONCE = 4;

async function ask({ patient, device, channel }, span_ms) {
  const to = now(),
    from = to - span_ms;
  const answer = await get(`/patients/${patient}/waves${query({ channel, device, from: new Date(from).toISOString(), to: new Date(to).toISOString() })}`).catch(() => null);
  if (answer) waves.prefill(waves.key(device, channel), answer.spans, answer.gaps);
}

async function each(wanted, span_ms, gone) {
  const left = [...wanted];
  const worker = async () => {
    for (let one = left.shift(); one && !gone(); one = left.shift()) await ask(one, span_ms);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

/** Fills the channels `[{ patient, device, channel }]` with the last `span_ms`, then closes the seam to the feed. Answers how to stop. */
export function fill(wanted, span_ms) {
  let gone = false,
    timer = 0;
  each(wanted, span_ms, () => gone).then(() => {
    if (!gone) timer = setTimeout(() => each(wanted, Math.min(span_ms, SEAM_MS), () => gone), AGAIN_MS);
  });
  return () => {
    gone = true;
    clearTimeout(timer);
  };
}
