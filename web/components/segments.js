/** One of few, all of them seen. */
import { html } from "../html.js";

/** `options` are [value, text] or [value, text, reason why not]. */
export function Segments({ label, options, chosen, act }) {
  return html`<div class="segments" role="group" aria-label=${label}>
    ${options.map(([value, text, refused]) => html`<button key=${value} type="button" aria-pressed=${String(value === chosen)} disabled=${Boolean(refused)}
      title=${refused || undefined} onClick=${() => act(value)}>${text}</button>`)}
  </div>`;
}
