/** The whole fleet as one cell a device, trouble first, so that four hundred are one look. */
import { html } from "../html.js";
import { t } from "../i18n/words.js";
import { HealthWord } from "./device-row.js";

const KINDS = ["good", "watch", "silent", "held"];
/** More cells than this say no more than the numbers beneath. */
const CELLS_MAX = 1000;

export function Glance({ devices, open }) {
  const counts = Object.fromEntries(KINDS.map((k) => [k, devices.filter((d) => d.health.kind === k).length]));
  return html`<div class="glance">
    <div class="cells" role="img" aria-label=${t("devices.glance", { n: devices.length, ...counts })}>
      ${devices.slice(0, CELLS_MAX).map((d) => html`<i key=${d.id} data-health=${d.health.kind} title=${d.label} onClick=${() => open(d.id)}></i>`)}</div>
    <p class="row wrap small">${KINDS.map((k) => html`<span key=${k} class="row"><${HealthWord} kind=${k} /><b>${counts[k]}</b></span>`)}</p>
  </div>`;
}
