/** A trend as it should be read: limits as lines, a gap as a hatched gap with its reason, dragging to look closer. */
import { html, useEffect, useMemo, useRef, useState } from "../html.js";
import uPlot from "../vendor/uplot.js";
import { fixed } from "../format/number.js";
import { day, hhmm, when } from "../format/time.js";
import { roundTimes } from "../format/wall-clock.js";
import { now } from "../feed/clock.js";
import { t, word } from "../i18n/words.js";
import { hatch } from "../wave/hatch.js";
import { joinedPoints, gapAt, rangeOf } from "./trend-data.js";

const HEIGHT_PX = 92;
const AXIS = { left: 34, bottom: 18 };
const FEW_POINTS = 24;
/** A gap that is narrower than this part of the range cannot be seen, and does not break the line. */
const SEEN_PARTS = 1200;
const LABEL_PX = 72;
/** Room behind the newest value; a label that needs more is left out rather than cut. */
const RIGHT_PX = 6;
/** Half of a letter. */
const HALF_PX = 3;
const DAY_MS = 86_400_000,
  HOUR_MS = 3_600_000;

export function TrendChart({ name, label, unit, param, series, bounds, from, to, zoom, covered }) {
  const plot = useRef(null),
    chart = useRef(null),
    given = useRef(null);
  const [at, setAt] = useState(null);
  const seen = [series[0], series[1], from, to, bounds[0], bounds[1]];
  const data = useMemo(() => joinedPoints(series, (to - from) / SEEN_PARTS), seen);
  const gaps = series[0].gaps ?? [];
  given.current = { data, gaps, bounds, from, to, zoom, setAt };
  useEffect(() => {
    const box = plot.current;
    const make = () => {
      chart.current?.destroy();
      chart.current = box.clientWidth ? draw(box, given, param, series.length) : null;
    };
    const resized = new ResizeObserver(() => (chart.current ? resize(chart.current, box) : make()));
    resized.observe(box);
    const themed = new MutationObserver(make);
    themed.observe(document.documentElement, { attributeFilter: ["data-theme"] });
    return () => {
      resized.disconnect();
      themed.disconnect();
      chart.current?.destroy();
      chart.current = null;
    };
  }, [series.length]);
  useEffect(() => {
    // The crosshair moves without the chart being given its data again.
    chart.current?.setData(data);
  }, seen);
  return html`<figure class="trend" data-param=${param} data-gaps=${gaps.length}>
    <figcaption><b>${label}</b><span class="faint"> ${unit}</span>${covered}<${Reading} at=${at} data=${data} gaps=${gaps} digits=${digitsOf(param)} /></figcaption>
    <div class="trend-plot" ref=${plot} role="img" aria-label=${t("trend.spoken", { name, from: when(from, now()), to: hhmm(to), last: lastText(data, digitsOf(param)), unit })}></div>
  </figure>`;
}

const text = (values, digits) => values.filter((v) => v !== null && v !== undefined).map((v) => fixed(v, digits)).join("/");
/** A tenth matters in a temperature and in nothing else here. */
const digitsOf = (param) => (param === "temp" ? 1 : 0);
function lastIndex(data) {
  for (let i = data[0].length - 1; i >= 0; i--) if (data[1][i] !== null && data[1][i] !== undefined) return i;
  return -1;
}
const valuesAt = (data, i) => data.slice(1).map((row) => row[i]);
const lastText = (data, digits) => (lastIndex(data) < 0 ? t("trend.nothing") : text(valuesAt(data, lastIndex(data)), digits));

/** The value under the crosshair, or the reason why there is none; without a crosshair the last one. */
function Reading({ at, data, gaps, digits }) {
  const gap = at && gapAt(gaps, at.time);
  if (gap) return html`<span class="trend-now faint">${word("missing", gap.reason)} ${when(at.time, now())}</span>`;
  const i = at?.index ?? lastIndex(data);
  if (i === null || i < 0 || data[0][i] === undefined) return html`<span class="trend-now faint">${t("trend.nothing")}</span>`;
  const shown = text(valuesAt(data, i), digits);
  return html`<span class="trend-now">${shown ? html`<b>${shown}</b>` : html`<span class="faint">${t("trend.nothing")}</span>`}<span class="faint"> ${when(data[0][i], now())}</span></span>`;
}

const resize = (chart, box) => box.clientWidth && box.clientWidth !== chart.width && chart.setSize({ width: box.clientWidth, height: HEIGHT_PX });
const token = (box, name) => getComputedStyle(box).getPropertyValue(name).trim();

function draw(box, given, param, lines) {
  const ink = token(box, "--p"),
    faint = token(box, "--fg3"),
    grid = token(box, "--line"),
    edge = token(box, "--edge");
  const few = given.current.data[0].length <= FEW_POINTS || param === "bp";
  const line = { stroke: ink, width: 1.5, spanGaps: false, points: { show: few, size: 5, fill: ink, stroke: ink } };
  const font = `11px ${token(box, "--font") || "sans-serif"}`;
  const axis = { stroke: faint, font, ticks: { show: false } };
  return new uPlot(
    {
      width: box.clientWidth, height: HEIGHT_PX, ms: 1, padding: [6, RIGHT_PX, 0, 0],
      legend: { show: false },
      cursor: { y: false, points: { size: 7 }, sync: { key: "trends", setSeries: false, filters: { pub: (type) => type === "mousemove" || type === "mouseleave" } }, drag: { x: true, y: false, setScale: false } },
      scales: {
        x: { time: true, range: () => [given.current.from, given.current.to] },
        y: { range: () => rangeOf(given.current.data, given.current.bounds) },
      },
      series: [{}, ...Array.from({ length: lines }, () => ({ ...line }))],
      axes: [
        { ...axis, size: AXIS.bottom, gap: 2, space: 64, grid: { stroke: grid, width: 1 }, splits: (u, i, min, max) => timeSplits(min, max, u.width), values: (u, times) => timeLabels(times, given.current, u.width - AXIS.left - RIGHT_PX) },
        { ...axis, size: AXIS.left, gap: 4, grid: { show: false }, splits: (_, i, min, max) => splits(given.current.bounds, min, max) }],
      hooks: {
        drawClear: [(u) => shadeGaps(u, given.current.gaps, box)],
        draw: [(u) => drawBounds(u, given.current.bounds, edge)],
        setCursor: [(u) => {
          const left = u.cursor.left;
          given.current.setAt(left === undefined || left < 0 ? null : { time: u.posToVal(left, "x"), index: u.cursor.idx });
        }],
        setSelect: [(u) => {
          if (u.select.width < 8) return;
          given.current.zoom(u.posToVal(u.select.left, "x"), u.posToVal(u.select.left + u.select.width, "x"));
          u.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
        }],
      },
    },
    given.current.data, box);
}

/** Times that a clock likes, at most one for each label's width. */
const STEPS_MIN = [1, 2, 5, 10, 15, 30, 60, 120, 180, 240, 360, 720, 1440, 2880, 4320, 10_080, 20_160];
function timeSplits(min, max, width) {
  const wanted = (max - min) / Math.max(2, width / LABEL_PX) / 60_000;
  return roundTimes(min, max, (STEPS_MIN.find((s) => s >= wanted) ?? 20_160) * 60_000);
}

/** Hours within a day; in longer ranges each midnight is its day. */
function timeLabels(times, { from, to }, width) {
  const areDays = times.length > 1 && times[1] - times[0] >= DAY_MS - HOUR_MS;
  const isDay = (time) => areDays || (to - from > DAY_MS + HOUR_MS && new Date(time).getHours() === 0 && new Date(time).getMinutes() === 0);
  return times.map((time) => {
    const label = isDay(time) ? day(time, now()) : hhmm(time);
    return ((to - time) / (to - from)) * width + RIGHT_PX < label.length * HALF_PX ? "" : label;
  });
}

const inside = (bounds, min, max) => bounds.filter((b) => b !== null && b !== undefined && b >= min && b <= max);
/** The limits are the scale; without any, the ends are. */
function splits(bounds, min, max) {
  const known = inside(bounds, min, max);
  return known.length ? known : [Math.ceil(min), Math.floor(max)];
}

function drawBounds(u, bounds, colour) {
  const { ctx, bbox } = u;
  ctx.save();
  ctx.strokeStyle = colour;
  ctx.lineWidth = devicePixelRatio;
  ctx.setLineDash([2 * devicePixelRatio, 4 * devicePixelRatio]);
  for (const bound of inside(bounds, u.scales.y.min, u.scales.y.max)) {
    const y = Math.round(u.valToPos(bound, "y", true)) + 0.5;
    ctx.beginPath();
    ctx.moveTo(bbox.left, y);
    ctx.lineTo(bbox.left + bbox.width, y);
    ctx.stroke();
  }
  ctx.restore();
}

/** A gap is hatched, and says why where there is room to say it. */
function shadeGaps(u, gaps, box) {
  const { ctx, bbox } = u,
    pattern = hatch(ctx, token(box, "--hatch"), devicePixelRatio);
  ctx.save();
  ctx.font = `${12 * devicePixelRatio}px ${token(box, "--font")}`;
  ctx.textAlign = "center";
  for (const gap of gaps) {
    const from = Math.max(bbox.left, u.valToPos(gap.start, "x", true)),
      to = Math.min(bbox.left + bbox.width, u.valToPos(gap.end, "x", true)),
      why = word("missing", gap.reason);
    if (to - from <= 1) continue;
    ctx.fillStyle = pattern;
    ctx.fillRect(from, bbox.top, to - from, bbox.height);
    if (ctx.measureText(why).width + 8 * devicePixelRatio > to - from) continue;
    ctx.lineWidth = 5 * devicePixelRatio;
    ctx.lineJoin = "round";
    ctx.strokeStyle = token(box, "--surface");
    ctx.strokeText(why, (from + to) / 2, bbox.top + 14 * devicePixelRatio);
    ctx.fillStyle = token(box, "--fg2");
    ctx.fillText(why, (from + to) / 2, bbox.top + 14 * devicePixelRatio);
  }
  ctx.restore();
}
