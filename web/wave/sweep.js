/** Live traces. One animation loop draws every trace of the page; each frame paints only what is new and wipes a bar ahead of it.
 *
 * Time is true: a second is always the same number of pixels. What did not arrive is hatched, never joined by a line.
 */
import { now } from "../feed/clock.js";
import { blocksOf, isPaused, listen, sinceOf, worstLateness } from "../feed/waves.js";
import { hatch } from "./hatch.js";
import { effect } from "../html.js";
import { Range } from "./range.js";
import { perMm, ruler, zoomOf } from "./scale.js";

/** Reserve behind the worst arrival, so that jitter does not show. */
const RESERVE_MS = 300;
const BEHIND_MAX_MS = 4000;
const JUMP_MS = 200;
const PERIOD_STEP_MS = 100;
/** Blocks in sequence whose times come from their arrival do not meet exactly; so little between them is the clock's, and nothing is missing. */
const SEAM_MS = 250;

const traces = new Map();
let behind = 1000;
let running = false;
/** The instant at the left edge of the first sweep, one for all traces of a page, so that they begin there and wipe side by side. */
let origin = null;

/** Draws the channel named `key` on a canvas until the answered function is called. Speed in mm/s; `fixed` is [low, high] in its unit, `gain` mm for one of its unit. */
export function trace(canvas, { key, speed, fixed, gain = null }) {
  const one = { canvas, key, speed, gain, range: new Range(fixed), drawn: null, last: null, covered: null, redraw: false };
  for (const block of blocksOf(key)) one.range.take(block.values);
  const resized = new ResizeObserver(() => measure(one));
  resized.observe(canvas);
  traces.set(canvas, one);
  if (!running) {
    running = true;
    requestAnimationFrame(frame);
  }
  return () => {
    resized.disconnect();
    traces.delete(canvas);
    if (!traces.size) origin = null;
  };
}

listen((name, block) => {
  for (const one of traces.values()) {
    if (one.key !== name) continue;
    one.range.take(block.values);
    // It came after its place had been drawn: that place is drawn again.
    if (one.drawn !== null && block.start < one.drawn) {
      one.redraw = true;
      // Everything is drawn anew anyway: the range need not wait for its turn.
      one.range.settledAt = -Infinity;
    }
  }
});

function measure(one) {
  const { canvas } = one,
    box = canvas.getBoundingClientRect(),
    style = getComputedStyle(canvas);
  if (!box.width || !box.height) return;
  const zoom = zoomOf(canvas);
  canvas.width = Math.round(box.width * devicePixelRatio);
  canvas.height = Math.round(box.height * devicePixelRatio);
  one.context = canvas.getContext("2d");
  one.ink = style.color;
  const wall = document.documentElement.dataset.wall ? innerWidth / 1920 : 1;
  const scale = (parseFloat(style.getPropertyValue("--trace-scale")) || 1) * wall;
  one.perMs = (one.speed * perMm(zoom) * scale) / 1000;
  one.pen = Math.max(1, 1.5 * zoom * wall);
  one.range.fresh = true;
  one.range.span = one.gain ? (canvas.height - 2 * one.pen) / (perMm(zoom) * one.gain) : null;
  one.bar = Math.round(14 * zoom * wall);
  one.hatch = hatch(one.context, style.getPropertyValue("--hatch").trim(), zoom * wall);
  // Rounded, so that neighbours of nearly the same width wipe side by side.
  one.period = Math.max(PERIOD_STEP_MS, Math.floor(canvas.width / one.perMs / PERIOD_STEP_MS) * PERIOD_STEP_MS);
  one.width = one.period * one.perMs;
  one.drawn = null;
}

/** The instant at the head of every trace. It creeps closer to the present, so that no complex is cut in two, but falls back at once. */
function playhead() {
  const wanted = Math.min(BEHIND_MAX_MS, worstLateness() + RESERVE_MS);
  if (wanted - behind > JUMP_MS) behind = wanted;
  else behind += Math.max(-1, Math.min(1, (wanted - behind) / 50));
  return now() - behind;
}

function frame() {
  requestAnimationFrame(frame);
  if (isPaused() || document.hidden) return;
  const until = playhead();
  origin ??= beginning(until);
  if (origin === null) return;
  for (const one of traces.values()) if (one.context) draw(one, until);
}

/** The first block of any trace once it is due; `null` until then. With more behind it than a sweep holds, the first sweep is whole. */
function beginning(until) {
  const drawable = [...traces.values()].filter((one) => one.context && sinceOf(one.key) !== null);
  if (!drawable.length) return null;
  const first = Math.min(...drawable.map((one) => sinceOf(one.key)));
  return first > until ? null : Math.max(first, until - Math.min(...drawable.map(sweepMs)));
}

/** How much of the past a trace shows: a whole sweep but for its bar. */
const sweepMs = (one) => one.period - one.bar / one.perMs;

function draw(one, until) {
  const window_ms = sweepMs(one);
  if (one.redraw || one.range.settle() || one.drawn === null || until - one.drawn > window_ms || until < one.drawn) {
    one.redraw = false;
    one.drawn = until - window_ms;
    one.last = null;
    one.covered = one.drawn;
  }
  const blocks = blocksOf(one.key);
  const from = one.drawn;
  if ((until - from) * one.perMs < 0.5) return;
  wipe(one, from, until);
  paint(one, blocks, from, until);
  one.drawn = until;
}

const xOf = (one, time) => ((((time - origin) % one.period) + one.period) % one.period) * one.perMs;

function wipe(one, from, until) {
  const { context, canvas, bar } = one,
    start = xOf(one, from),
    ahead = (until - from) * one.perMs + bar;
  context.clearRect(start + one.pen / 2, 0, ahead, canvas.height);
  if (start + ahead > one.width) context.clearRect(0, 0, start + ahead - one.width, canvas.height);
}

/** One path for all that is new; what lies between blocks and is nobody's is hatched. */
function paint(one, blocks, from, until) {
  const { context, canvas, pen, range } = one,
    height = canvas.height - 2 * pen;
  const y = (value) => pen + height * (1 - range.part(value));
  let last = one.last;
  let { covered } = one;
  const holes = [];
  context.beginPath();
  if (last) context.moveTo(xOf(one, last.time), y(last.value));
  for (const block of blocks) {
    if (block.end <= from) continue;
    if (block.start >= until) break;
    const seam = block.start - covered;
    if (seam > block.step * 1.5 && (block.gapBefore || seam > SEAM_MS)) {
      holes.push([covered, block.start]);
      last = null;
    }
    const first = Math.max(0, Math.floor((from - block.start) / block.step)),
      stop = Math.min(block.values.length, Math.ceil((until - block.start) / block.step));
    for (let i = first; i < stop; i++) {
      const time = block.start + i * block.step,
        value = block.values[i];
      if (last && time <= last.time) continue;
      if (Number.isNaN(value)) {
        if (!holes.length || holes.at(-1)[1] < time - block.step * 1.5) holes.push([time, time + block.step]);
        else holes.at(-1)[1] = time + block.step;
        last = null;
        continue;
      }
      const x = xOf(one, time);
      if (!last || x < xOf(one, last.time)) context.moveTo(x, y(value));
      else context.lineTo(x, y(value));
      last = { time, value };
    }
    covered = Math.max(covered, Math.min(until, block.end));
  }
  if (until - covered > RESERVE_MS) holes.push([covered, until]);
  one.covered = covered;
  context.strokeStyle = one.ink;
  context.lineWidth = pen;
  context.lineJoin = "round";
  context.stroke();
  // Before its first block a channel is not missing: nobody had asked for it yet.
  const known = sinceOf(one.key) ?? until;
  for (const [start, end] of holes) shade(one, Math.max(start, from, known), Math.min(end, until));
  one.last = last;
}

function shade(one, from, until) {
  const { context, canvas } = one,
    start = xOf(one, from),
    width = (until - from) * one.perMs;
  if (width <= 0) return;
  context.fillStyle = one.hatch;
  context.fillRect(start, 0, Math.min(width, one.width - start), canvas.height);
  if (start + width > one.width) context.fillRect(0, 0, start + width - one.width, canvas.height);
}

/** How far behind the present the traces are now, in milliseconds. */
export const behindMs = () => behind;

// A ruler that was just held against the screen counts at once.
effect(() => {
  ruler.value;
  traces.forEach(measure);
});
new MutationObserver(() => traces.forEach(measure)).observe(document.documentElement, { attributeFilter: ["data-theme", "data-density", "data-wall"] });
