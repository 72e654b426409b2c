/** A live trace on its canvas, with the sentence that stands there when no signal comes. */
import { html, useEffect, useRef } from "../html.js";
import { now, second } from "../feed/clock.js";
import { key as keyOf, newestOf } from "../feed/waves.js";
import { hhmmss } from "../format/time.js";
import { t } from "../i18n/words.js";
import { trace } from "../wave/sweep.js";

/** No block for this long and the trace is replaced by words; until then its gap is hatched. */
const SILENT_MS = 8000;
const opened = performance.now();

export function SweepView({ device, channel, param, speed, label, fixed, gain }) {
  const canvas = useRef(null),
    name = keyOf(device, channel);
  useEffect(() => trace(canvas.current, { key: name, speed, fixed, gain }), [name, speed, gain]);
  return html`<div class="sweep" data-param=${param}>
    <canvas ref=${canvas} role="img" aria-label=${t("wave.live", { label })}></canvas>
    <${Silence} name=${name} />
  </div>`;
}

/** Nothing comes, or nothing has come yet; the two are told apart. */
function Silence({ name }) {
  second.value;
  const newest = newestOf(name);
  if (newest === null) {
    if (performance.now() - opened < SILENT_MS) return null;
    return html`<div class="no-signal hatched over"><span>${t("wave.waiting")}</span></div>`;
  }
  if (now() - newest < SILENT_MS) return null;
  return html`<div class="no-signal hatched over"><span>${t("wave.silent_since", { at: hhmmss(newest) })}</span></div>`;
}

/** The place of a trace that cannot be shown, with its reason. */
export const NoSignal = ({ children }) => html`<div class="no-signal hatched"><span>${children}</span></div>`;
