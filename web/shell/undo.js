/** What was just done can be taken back for a while: a line at the foot of the screen with the deed, the time that is left, and one button. */
import { html, signal } from "../html.js";
import { sayProblem } from "../components/state-panel.js";
import { second } from "../feed/clock.js";
import { countdown } from "../format/time.js";
import { t } from "../i18n/words.js";

/** Long enough to see a slip, too short to lean on. */
const LASTS_MS = 20_000;
const SAID_MS = 5000;
const offer = signal(null);
let timer = 0;

function show(next, lasts) {
  clearTimeout(timer);
  offer.value = next && { ...next, until: performance.now() + lasts };
  timer = next ? setTimeout(() => show(null), lasts) : 0;
}

/** Offers to take a deed back: `text` says what was done, `act` undoes it, `done` says that it was undone. A newer deed takes the place of an older one. */
export const undoable = (text, act, done) => show({ text, act, done }, LASTS_MS);

/** Takes the last deed back, if it still can be. */
export async function undo() {
  const { act, done } = offer.value ?? {};
  if (!act) return;
  show(null);
  try {
    await act();
    show({ text: done }, SAID_MS);
  } catch (problem) {
    show({ text: t("undo.failed", { why: sayProblem(problem) }) }, SAID_MS * 2);
  }
}

export function Undo() {
  second.value;
  const shown = offer.value;
  return html`<div class="toasts" role="status">${shown && html`<div class="toast panel">
    <span class="grow">${shown.text}</span>
    ${shown.act && html`<button type="button" data-undo onClick=${undo}>${t("undo.act")} <span class="faint" aria-hidden="true">${countdown(shown.until - performance.now())}</span></button><kbd aria-hidden="true">u</kbd>`}
  </div>`}</div>`;
}
