/** The line drawings of the rail, on a grid of twenty. */
import { html } from "../html.js";

const ICONS = {
  ward: "M3 3h6v6H3zM11 3h6v6h-6zM3 11h6v6H3zM11 11h6v6h-6z",
  alarms: "M5 8a5 5 0 0 1 10 0c0 4.5 2 5.5 2 5.5H3S5 12.5 5 8ZM8.5 16.5a1.7 1.7 0 0 0 3 0",
  devices: "M2.5 4h15v9.5h-15zM7 17h6M4.5 9h3l1.5-2.5 2 5L12.5 9h3",
  sound: "M3 8v4h3l4 3.5v-11L6 8zM13 7.5a3.5 3.5 0 0 1 0 5M15.5 5a7 7 0 0 1 0 10",
  system: "M3 4h14v4H3zM3 12h14v4H3zM6 6h.01M6 14h.01",
};

export const Icon = ({ name, size = 20 }) => html`<svg viewBox="0 0 20 20" width=${size} height=${size} class="icon" aria-hidden="true"><path d=${ICONS[name]} /></svg>`;
export const Logo = ({ size = 24 }) => html`<svg class="logo-mark" viewBox="0 0 20 20" width=${size} height=${size} aria-hidden="true"><path d="M1 11h4l2-7 3.5 13 3-9 1.5 3h4" /></svg>`;
