/** The line drawings of the rail, on a grid of twenty. */
import { html } from "../html.js";

const ICONS = {
  ward: "M3 3h6v6H3zM11 3h6v6h-6zM3 11h6v6H3zM11 11h6v6h-6z",
  alarms: "M5 8a5 5 0 0 1 10 0c0 4.5 2 5.5 2 5.5H3S5 12.5 5 8ZM8.5 16.5a1.7 1.7 0 0 0 3 0",
  devices: "M2.5 4h15v9.5h-15zM7 17h6M4.5 9h3l1.5-2.5 2 5L12.5 9h3",
  sound: "M3 8v4h3l4 3.5v-11L6 8zM13 7.5a3.5 3.5 0 0 1 0 5M15.5 5a7 7 0 0 1 0 10",
  mine: "M10 9.5a3.2 3.2 0 1 0 0-6.4 3.2 3.2 0 0 0 0 6.4M3.5 17c.6-3.4 3.3-5 6.5-5s5.9 1.6 6.5 5",
  pen: "M4 16l.8-3.2L13.5 4 16 6.5l-8.8 8.7zM12 5.5 14.5 8",
  audit: "M3 4h9v12H3zM5.5 7.5h4M5.5 10.5h4M13.5 9a3 3 0 1 1 0 6 3 3 0 0 1 0-6ZM15.7 14.2l2.3 2.3",
  places: "M3 17V8l7-5 7 5v9M3 17h14M8 17v-5h4v5",
  settings: "M3 6h7M14 6h3M3 14h3M10 14h7M12 4v4M8 12v4",
  staff: "M7 9a3 3 0 1 0 0-6 3 3 0 0 0 0 6ZM2 17c0-3 2-5 5-5s5 2 5 5M13 8.5a2.5 2.5 0 1 0 0-5M14 12c2.5.3 4 2.2 4 5",
  system: "M3 4h14v4H3zM3 12h14v4H3zM6 6h.01M6 14h.01",
};

export const Icon = ({ name, size = 20 }) => html`<svg viewBox="0 0 20 20" width=${size} height=${size} class="icon" aria-hidden="true"><path d=${ICONS[name]} /></svg>`;
export const Logo = ({ size = 24 }) => html`<svg class="logo-mark" viewBox="0 0 20 20" width=${size} height=${size} aria-hidden="true"><path d="M1 11h4l2-7 3.5 13 3-9 1.5 3h4" /></svg>`;
