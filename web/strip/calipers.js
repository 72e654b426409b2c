/** Calipers on a strip: two legs set by dragging, by touch or by the arrow keys, and what lies between them in words. */
import { html, useEffect, useState } from "../html.js";
import { t } from "../i18n/words.js";
import { number } from "../format/number.js";
import { params, set } from "../router.js";
import { reading, valueAt } from "./paper.js";

/** As near as this to a leg, in millimetres, a drag moves it instead of beginning anew. */
const GRAB_MM = 2.5;

/** Answers `{ shown, pointer(row, width, height, speed), move(leg, at), clear, channel }`. Instants stand in the address once a drag has ended. */
export function useCalipers(record, lanes) {
  const given = { a: Number(params.value.get("a")) || null, b: Number(params.value.get("b")) || null };
  const [legs, setLegs] = useState(given),
    [channel, choose] = useState(null),
    [march, setMarch] = useState(false),
    [held, hold] = useState(null);
  useEffect(() => setLegs(given), [given.a, given.b]);
  const lane = lanes.find((l) => l.channel === channel) ?? lanes[0];
  const keep = (next) => set({ a: next.a && Math.round(next.a), b: next.b && Math.round(next.b) });
  const within = (at) => Math.max(record.from, Math.min(record.to, at));
  const move = (leg, at, done = true) => {
    const next = { ...legs, [leg]: within(at) };
    setLegs(next);
    if (done) keep(next);
  };
  const clear = () => {
    setLegs({ a: null, b: null });
    keep({});
  };
  const set_ = legs.a !== null && legs.b !== null && lane;
  const pointer = (row, width, height, speed) => {
    const timeOf = (event) => {
      const box = event.currentTarget.getBoundingClientRect();
      return row.from + (((event.clientX - box.left) / box.width) * width * 1000) / speed;
    };
    const near = (at, leg) => legs[leg] !== null && Math.abs(((legs[leg] - at) / 1000) * speed) < GRAB_MM;
    return {
      onPointerDown: (event) => {
        if (event.button !== 0) return;
        const at = timeOf(event),
          box = event.currentTarget.getBoundingClientRect(),
          y = ((event.clientY - box.top) / box.height) * height;
        event.currentTarget.setPointerCapture(event.pointerId);
        event.preventDefault();
        choose(lanes.find((l) => y < l.top + l.height)?.channel ?? null);
        const leg = near(at, "a") ? "a" : near(at, "b") ? "b" : null;
        hold(leg ?? "b");
        if (!leg) setLegs({ a: within(at), b: within(at) });
      },
      onPointerMove: (event) => held && move(held, timeOf(event), false),
      onPointerUp: () => {
        if (!held) return;
        hold(null);
        if (legs.a === legs.b) clear();
        else keep(legs);
      },
      onPointerCancel: () => hold(null),
    };
  };
  const shown = set_ ? { ...legs, march, channel: lane.channel, value: (at) => valueAt(lane.spans, at) } : null;
  return { shown, pointer, move, clear, legs, lane, march, setMarch, record };
}

/** What the calipers read, and the legs as sliders for those who use the keyboard. */
export function Calipers({ calipers, lanes }) {
  const { legs, lane, move, clear, march, setMarch, record } = calipers;
  if (!lane) return null;
  const step = lane.spans[0]?.step ?? 4,
    start = () => {
      const middle = (record.from + record.to) / 2;
      move("a", middle - 400);
      move("b", middle + 400);
      set({ a: Math.round(middle - 400), b: Math.round(middle + 400) });
    };
  const is = legs.a !== null && legs.b !== null,
    read = is ? reading(lane.spans, legs.a, legs.b) : null,
    unit = lane.unit && lane.unit !== "1" ? lane.unit : "";
  return html`<section class="panel calipers screen-only" aria-label=${t("strip.calipers")}>
    <div class="row wrap"><h2 class="grow">${t("strip.calipers")}${is && lanes.length > 1 ? html` <span class="faint">${lane.lead ?? lane.label}</span>` : null}</h2>
      ${is ? html`<label class="row small"><input type="checkbox" checked=${march} onChange=${(e) => setMarch(e.target.checked)} /> ${t("strip.march")}</label><button type="button" onClick=${clear}>${t("strip.clear")}</button>`
        : html`<button type="button" onClick=${start}>${t("strip.set")}</button>`}</div>
    ${!is && html`<p class="small dim">${t("strip.how")}</p>`}
    ${is && html`<output class="readout" aria-live="polite">
      <span><b>${number(read.interval_ms)}</b> ms</span>
      ${read.rate_per_min !== null && html`<span><b>${number(Math.round(read.rate_per_min))}</b> /min</span>`}
      <span>${read.amplitude === null ? html`<span class="faint">${t("strip.no_amplitude")}</span>` : html`<b>${number(read.amplitude, 2)}</b> ${unit}`}</span>
    </output>
    <div class="pair">${["a", "b"].map((leg) => html`<label key=${leg} class="field"><span>${t(`strip.leg_${leg}`)}</span>
      <input type="range" min=${record.from} max=${record.to} step=${step} value=${legs[leg]} onInput=${(e) => move(leg, Number(e.target.value))} /></label>`)}</div>`}
  </section>`;
}
