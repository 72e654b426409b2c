/** The devices that measure this patient, and where each leads. */
import { html } from "../html.js";
import { t } from "../i18n/words.js";

export const DeviceList = ({ devices }) => html`<section aria-label=${t("patient.devices")}>
  ${devices.length === 0 && html`<p class="small dim">${t("patient.no_devices")}</p>`}
  <ul class="lines">${devices.map((d) => html`<li key=${d.id} class="row"><a class="grow strong" href=${`/devices?open=${d.id}`}>${d.label}</a><span class="small faint">${d.profile}</span></li>`)}</ul>
</section>`;
