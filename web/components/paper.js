/** A piece of a recorded wave on a grid of seconds, still, with a mark where something happened. What is not there is hatched. */
import { html, useEffect, useRef } from "../html.js";
import { ms } from "../format/time.js";
import { blank } from "../wave/blank.js";
import { hatch } from "../wave/hatch.js";

const HEIGHT_PX = 96;

export function Paper({ spans, gaps, from, to, mark, param, label }) {
  const canvas = useRef(null);
  useEffect(() => {
    const paint = () => canvas.current && draw(canvas.current, { spans, gaps, from, to, mark });
    const resized = new ResizeObserver(paint);
    resized.observe(canvas.current);
    return () => resized.disconnect();
  }, [spans, from, to]);
  return html`<div class="paper" data-param=${param}><canvas ref=${canvas} height=${HEIGHT_PX} role="img" aria-label=${label}></canvas></div>`;
}

/** The runs of a span's samples, in its unit, with their times; what the record calls invalid is in none of them. */
function runs(span, gaps) {
  const step = 1000 / span.rate_hz,
    start = ms(span.start),
    [mantissa, exponent] = Array.isArray(span.gain) ? span.gain : [span.gain ?? 1, 0];
  const values = blank(Float64Array.from(span.samples, (raw) => (raw === null ? NaN : (raw - (span.offset ?? 0)) * mantissa * 10 ** exponent)), start, step, gaps);
  const found = [[]];
  values.forEach((value, i) => {
    if (!Number.isNaN(value)) found.at(-1).push([start + i * step, value]);
    else if (found.at(-1).length) found.push([]);
  });
  return found.filter((run) => run.length);
}

function draw(canvas, { spans, gaps, from, to, mark }) {
  const box = canvas.getBoundingClientRect();
  if (!box.width) return;
  const dpr = devicePixelRatio,
    style = getComputedStyle(canvas),
    pen = canvas.getContext("2d");
  canvas.width = Math.round(box.width * dpr);
  canvas.height = Math.round(box.height * dpr);
  const { width, height } = canvas,
    lines = spans.flatMap((span) => runs(span, gaps)),
    values = lines.flat().map(([, v]) => v);
  const low = Math.min(...values),
    high = Math.max(...values, low + 1e-6),
    x = (time) => ((time - from) / (to - from)) * width,
    y = (value) => height * (0.92 - 0.84 * ((value - low) / (high - low)));
  pen.fillStyle = hatch(pen, style.getPropertyValue("--hatch").trim(), dpr);
  pen.fillRect(0, 0, width, height);
  for (const line of lines) pen.clearRect(x(line[0][0]), 0, x(line.at(-1)[0]) - x(line[0][0]), height);
  pen.strokeStyle = style.getPropertyValue("--line");
  for (let second = Math.ceil(from / 1000) * 1000; second < to; second += 1000) stroke(pen, [[x(second), 0], [x(second), height]], dpr);
  pen.strokeStyle = style.color;
  for (const line of lines) stroke(pen, line.map(([time, value]) => [x(time), y(value)]), 1.5 * dpr);
  pen.strokeStyle = style.getPropertyValue("--fg2");
  pen.setLineDash([3 * dpr, 3 * dpr]);
  stroke(pen, [[x(mark), 0], [x(mark), height]], dpr);
}

function stroke(pen, line, width) {
  pen.lineWidth = width;
  pen.lineJoin = "round";
  pen.beginPath();
  line.forEach(([px, py], i) => (i ? pen.lineTo(px, py) : pen.moveTo(px, py)));
  pen.stroke();
}
