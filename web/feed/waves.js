/** Wave blocks as they came, the last half minute of each channel, in physical units. Sweeps read them; nothing is guessed between them. */
import { blank } from "../wave/blank.js";
import { decode } from "./cbor.js";
import { now } from "./clock.js";

const KEEP_MS = 40_000;
const LATENESS_KEPT = 40;
const channels = new Map();
const listeners = new Set();
const lateness = [];
let paused = false;

const hex = (bytes) => Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");
/** A uuid's sixteen bytes as people write it. */
export const uuid = (bytes) => hex(bytes).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
export const key = (device, channel) => `${device}/${channel}`;

/** The reasons why samples do not count, by their number on the wire. */
const REASONS = { 1: "lead_off", 2: "saturated", 3: "artefact", 4: "pacing", 5: "gap" };
/** A pacing spike is a real deflection, and a saturated one stands where it was cut; both are drawn. */
const DRAWN = new Set([2, 4]);

function block(fields) {
  const [num, den] = fields.get(3),
    [mantissa, exponent] = fields.get(4),
    bytes = fields.get(7);
  const factor = mantissa * 10 ** exponent,
    offset = fields.get(5);
  const count = bytes.length >> 1,
    view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength),
    values = new Float32Array(count);
  for (let i = 0; i < count; i++) values[i] = (view.getInt16(i * 2, true) - offset) * factor;
  let why = null;
  for (const [start, length, reason] of fields.get(8) ?? []) {
    if (DRAWN.has(reason)) continue;
    values.fill(NaN, start, start + length);
    why = REASONS[reason] ?? "artefact";
  }
  const start = Number(fields.get(2)),
    step = (1000 * den) / num;
  return { start, step, end: start + count * step, values, why, gapBefore: fields.get(10) === true };
}

/** Takes a binary frame. Answers the key of its channel, or nothing when it could not be read. */
export function takeFrame(buffer) {
  const fields = decode(buffer);
  const name = key(uuid(fields.get(0)), fields.get(1));
  const fresh = block(fields);
  const channel = channels.get(name) ?? { blocks: [], unit: fields.get(6), since: fresh.start };
  channels.set(name, channel);
  channel.unit = fields.get(6);
  insert(channel.blocks, fresh);
  const late = now() - fresh.start;
  if (late > 0 && late < 5000) {
    lateness.push(late);
    if (lateness.length > LATENESS_KEPT) lateness.shift();
  }
  for (const listener of listeners) listener(name, fresh);
  return name;
}

/** Blocks come in order nearly always; a late one finds its place from the end, and one that is there twice replaces itself. */
function insert(blocks, fresh) {
  let at = blocks.length;
  while (at > 0 && blocks[at - 1].start > fresh.start) at--;
  const twice = at > 0 && Math.abs(blocks[at - 1].start - fresh.start) < fresh.step / 2;
  blocks.splice(twice ? at - 1 : at, twice ? 1 : 0, fresh);
  while (blocks.length && blocks[blocks.length - 1].end - blocks[0].end > KEEP_MS) blocks.shift();
}

/** Takes spans of the record, so that a page opens with a trace and not with a blank. */
export function prefill(name, spans, gaps = []) {
  if (!spans.length) return;
  const channel = channels.get(name) ?? { blocks: [], unit: spans[0].unit, since: Infinity };
  channels.set(name, channel);
  for (const span of spans) {
    const start = Date.parse(span.start),
      step = 1000 / span.rate_hz,
      factor = Array.isArray(span.gain) ? span.gain[0] * 10 ** span.gain[1] : (span.gain ?? 1);
    const values = blank(Float32Array.from(span.samples, (raw) => (raw === null ? NaN : (raw - (span.offset ?? 0)) * factor)), start, step, gaps);
    for (const [first, stop] of uncovered(channel.blocks, { start, step, count: values.length })) {
      const fresh = { start: start + first * step, step, end: start + stop * step, values: values.subarray(first, stop), why: null, gapBefore: first === 0 };
      insert(channel.blocks, fresh);
      for (const listener of listeners) listener(name, fresh);
    }
    channel.since = Math.min(channel.since, start);
  }
}

/** The runs of a span's samples that no block holds yet, as [first, stop); what the feed brought is the same and stays. */
function uncovered(blocks, { start, step, count }) {
  const runs = [];
  let first = 0;
  for (const block of blocks) {
    const from = Math.max(0, Math.min(count, Math.round((block.start - start) / step)));
    if (from > first) runs.push([first, from]);
    first = Math.max(first, Math.min(count, Math.round((block.end - start) / step)));
  }
  if (first < count) runs.push([first, count]);
  return runs;
}

export const blocksOf = (name) => channels.get(name)?.blocks ?? [];
/** The start of the first block that this page was sent. */
export const sinceOf = (name) => channels.get(name)?.since ?? null;
export const unitOf = (name) => channels.get(name)?.unit;
/** The end of the newest block of a channel, in server time. */
export const newestOf = (name) => channels.get(name)?.blocks.at(-1)?.end ?? null;

/** Tells of every block. Answers how to stop. */
export function listen(act) {
  listeners.add(act);
  return () => listeners.delete(act);
}

/** How long after its first sample a block is here, at worst: what a sweep must stay behind, before its own reserve. */
export const worstLateness = () => (lateness.length ? Math.max(...lateness) : 500);

/** While the screen is blind no sweep may move: a repeating picture would look alive. */
export const pause = (on) => {
  paused = on;
};
export const isPaused = () => paused;
export const clear = () => channels.clear();
