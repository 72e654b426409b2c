/** An alarm's priority three ways at once: colour, silhouette (triangle, diamond, circle) and word. */
import { html } from "../html.js";
import { t } from "../i18n/words.js";

const SHAPES = { high: "M10 1.5 19 18H1Z", medium: "M10 .8 19.2 10 10 19.2.8 10Z", low: "M10 1.5a8.5 8.5 0 1 1 0 17 8.5 8.5 0 0 1 0-17Z" };
/** Exclamation marks side by side, as monitors draw them; a small mark has room for one. */
const PIPS = { high: [6.6, 10, 13.4], medium: [8, 12], low: [10] };
const MANY_FROM_PX = 32;

export function AlarmMark({ priority, size = 20, word = false, hollow = false }) {
  const top = priority === "high" ? 8 : 5.6,
    stem = priority === "high" ? 5 : 6,
    pips = size >= MANY_FROM_PX ? PIPS[priority] : [10];
  return html`<span class="mark" data-priority=${priority} data-hollow=${hollow ? "" : undefined}>
    <svg viewBox="0 0 20 20" width=${size} height=${size} aria-hidden="true">
      <path class="shape" d=${SHAPES[priority]} />
      ${pips.map((x) => html`<path key=${x} class="pip" d=${`M${x} ${top}v${stem}m0 1.6v1.4`} />`)}
    </svg>
    ${word ? html`<span class="mark-word">${t(`priority.${priority}`)}</span>` : html`<span class="hidden">${t(`priority.spoken.${priority}`)}</span>`}
  </span>`;
}

let waiting = false;
/** All flashing on a screen keeps one beat: a ward of unsynchronised lights is noise. */
export function oneBeat() {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => {
    waiting = false;
    for (const animation of document.getAnimations()) {
      if (animation.animationName?.startsWith("flash")) animation.startTime = 0;
    }
  });
}
