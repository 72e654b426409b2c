/** How large a millimetre is on this screen: what a ruler has shown, else the usual guess, which is never called true to scale. */
import { signal } from "../html.js";

const KEY = "wardline.ruler";
/** CSS pixels in a millimetre by the standard; on a real screen it is true only by luck. */
export const USUAL = 96 / 25.4;
/** A ruler outside of these bounds, in device pixels a millimetre, was slipped and not held against the screen. */
export const BOUNDS = { min: 1.2, max: 30 };

/** The screen that the ruler was held against; another one beside it needs a ruler of its own. */
const name = () => (globalThis.screen ? `${screen.width}x${screen.height}` : "");

function read() {
  try {
    const kept = JSON.parse(localStorage.getItem(KEY) ?? "null");
    return kept?.screen === name() && kept.per_mm >= BOUNDS.min && kept.per_mm <= BOUNDS.max ? kept : null;
  } catch {
    return null;
  }
}

/** `{ per_mm, screen, at }` with device pixels in a millimetre, or `null` as long as no ruler was held against this screen. */
export const ruler = signal(read());

/** How much larger than its CSS says an element is drawn, in device pixels. */
export const zoomOf = (element) => (element.offsetWidth ? (element.getBoundingClientRect().width / element.offsetWidth) * devicePixelRatio : devicePixelRatio);

/** Device pixels in a millimetre within an element; `zoom` as of `zoomOf`. */
export const perMm = (zoom = devicePixelRatio) => ruler.value?.per_mm ?? USUAL * zoom;

/** Keeps what the ruler has shown on this screen, in device pixels a millimetre; `null` forgets it. */
export function calibrate(per_mm, at) {
  ruler.value = per_mm === null ? null : { per_mm, screen: name(), at };
  try {
    if (per_mm === null) localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, JSON.stringify(ruler.value));
  } catch {
    // It holds as long as this page is open.
  }
}
