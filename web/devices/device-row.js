/** One device in the list. */
import { html } from "../html.js";
import { Age } from "../components/age.js";
import { t, word } from "../i18n/words.js";
import { heardAt, SIGNS } from "./health.js";

export const HealthWord = ({ kind }) => html`<span class="health" data-health=${kind}><span class="health-dot" aria-hidden="true">${SIGNS[kind]}</span>${t(`health.${kind}`)}</span>`;

export const whereOf = (d) => [d.care_unit?.name, d.bed ? t("devices.bed", { bed: d.bed.name }) : (d.place?.name ?? null)].filter(Boolean).join(", ") || t("devices.nowhere");

export function DeviceRow({ device: d, chosen, open }) {
  const heard = heardAt(d),
    whom = d.patient?.name;
  return html`<tr aria-selected=${String(chosen)} data-device=${d.id} onClick=${open}>
    <td><${HealthWord} kind=${d.health.kind} /></td>
    <td class="full"><button type="button" class="open" data-row onClick=${(e) => { e.stopPropagation(); open(); }}>${d.label}</button><span class="faint limit-text"> ${d.profile} ${d.serial}${d.door === "https" ? `, ${t("devices.by_https")}` : ""}</span>
      ${d.grade === "wellness" && html`<span class="grade inline" title=${t("numeric.wellness")}>${t("numeric.wellness_mark")}</span>`}</td>
    <td>${whereOf(d)}</td>
    <td class=${`alone ${whom ? "" : "faint"}`}>${whom ?? t("who.nobody_on")}</td>
    <td class="wide">${word("lifecycle", d.lifecycle)}</td>
    <td class="num nowrap">${heard ? html`<span class=${d.health.kind === "silent" ? "strong" : "dim"}><${Age} since=${heard} ago=${true} /></span>` : html`<span class=${d.connected ? "dim" : "strong"}>${t(d.connected ? "devices.connected" : "devices.not_connected")}</span>`}</td>
    <td class="dim">${d.health.why}</td>
  </tr>`;
}
