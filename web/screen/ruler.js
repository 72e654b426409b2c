/** A ruler on the screen that is dragged until a real one, or a bank card, fits it: from then on traces are true to scale here. */
import { html, useEffect, useRef, useState } from "../html.js";
import { Segments } from "../components/segments.js";
import { now } from "../feed/clock.js";
import { dateAndTime } from "../format/time.js";
import { t } from "../i18n/words.js";
import { BOUNDS, calibrate, ruler, USUAL, zoomOf } from "../wave/scale.js";

/** What one holds against the screen, in millimetres; a bank card is as wide everywhere (ISO/IEC 7810, ID-1). */
const HELD = { ruler: 100, short: 50, card: 85.6 };
const FINE_PX = 0.25,
  COARSE = 10;

export function Ruler() {
  const box = useRef(null),
    [what, choose] = useState(null),
    [per_mm, setPerMm] = useState(null),
    [room, setRoom] = useState(null),
    [said, say] = useState("");
  useEffect(() => {
    const measure = () => setRoom({ px: box.current.clientWidth, zoom: zoomOf(box.current) });
    const resized = new ResizeObserver(measure);
    resized.observe(box.current);
    return () => resized.disconnect();
  }, []);
  const held = what ?? (room && room.px < 480 ? "short" : "ruler"),
    zoom = room?.zoom ?? devicePixelRatio,
    shown = per_mm ?? ruler.value?.per_mm ?? USUAL * zoom,
    width = (shown * HELD[held]) / zoom;
  const bounded = (value) => Math.max(BOUNDS.min, Math.min(BOUNDS.max, Math.min(value, ((room?.px ?? Infinity) * zoom) / HELD[held])));
  const to = (px) => {
    setPerMm(bounded((px * zoom) / HELD[held]));
    say("");
  };
  const drag = (event) => {
    if (!event.currentTarget.hasPointerCapture(event.pointerId)) return;
    const left = box.current.getBoundingClientRect().left;
    to((event.clientX - left) * (box.current.offsetWidth / box.current.getBoundingClientRect().width));
  };
  const key = (event) => {
    const by = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 }[event.key];
    if (!by) return;
    event.preventDefault();
    event.stopPropagation();
    to(width + by * FINE_PX * (event.shiftKey ? COARSE : 1));
  };
  const save = () => {
    calibrate(shown, now());
    setPerMm(null);
    say(t("ruler.saved"));
  };
  return html`<section class="panel stack" aria-label=${t("ruler.title")}>
    <h2>${t("ruler.title")}</h2>
    <p class="dim">${t("ruler.text")}</p>
    <${Segments} label=${t("ruler.held")} options=${Object.keys(HELD).map((name) => [name, t(`ruler.with_${name}`)])} chosen=${held} act=${choose} />
    <div class="ruler" ref=${box}>
      <svg width=${width} height="56" viewBox=${`0 0 ${HELD[held]} 56`} preserveAspectRatio="none" aria-hidden="true"><path d=${ticks(HELD[held])} /></svg>
      <div class="ruler-end" style=${{ left: `${width}px` }} tabindex="0" role="slider" aria-label=${t("ruler.end")} aria-valuemin=${BOUNDS.min} aria-valuemax=${BOUNDS.max} aria-valuenow=${shown.toFixed(2)} aria-valuetext=${t("ruler.value", { px: Math.round(width), mm: HELD[held] })}
        onPointerDown=${(e) => e.currentTarget.setPointerCapture(e.pointerId)} onPointerMove=${drag} onKeyDown=${key}></div>
    </div>
    <div class="row wrap"><button type="button" class="primary" data-fits onClick=${save}>${t("ruler.fits")}</button>
      ${ruler.value && html`<button type="button" onClick=${() => { calibrate(null); setPerMm(null); say(""); }}>${t("ruler.forget")}</button>`}
      <span class="small dim" role="status">${said || (ruler.value ? t("ruler.since", { at: dateAndTime(ruler.value.at) }) : t("ruler.not_yet"))}</span></div>
  </section>`;
}

/** A tick for each millimetre, longer ones for five and ten. */
function ticks(mm) {
  let path = "M0 1H" + mm;
  for (let at = 0; at <= mm; at++) path += `M${at} 1v${at % 10 === 0 ? 30 : at % 5 === 0 ? 22 : 14}`;
  return `${path}M${mm} 1v54`;
}
