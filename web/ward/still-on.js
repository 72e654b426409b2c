/** Devices of this care unit that are still on patients who left: a line over the beds until each is off. */
import { html } from "../html.js";
import { stillOn } from "../feed/state.js";
import { t } from "../i18n/words.js";
import { kept } from "../router.js";

/** `names` is `full`, or `initials` where anybody may look; a device alone tells nobody's name. */
export function StillOn({ names }) {
  const list = stillOn.value;
  if (list.length === 0) return null;
  const said = ({ device, patient }) => (names === "full" ? t("leaving.device_on", { device: device.name, name: patient.name }) : device.name);
  return html`<p class="still-on" role="status" data-still-on=${list.length}><b>${t("leaving.board", { n: list.length })}</b> ${list.map((it, i) => html`${i > 0 && ", "}<a key=${it.device.id} href=${`/devices?open=${it.device.id}${kept().replace("?", "&")}`}>${said(it)}</a>`)}</p>`;
}
