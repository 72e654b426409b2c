/** Who was in a place and what measured them there, each the way to their own history, or to only that here. */
import { html } from "../html.js";
import { t } from "../i18n/words.js";
import { params, set } from "../router.js";

/** The same range about somebody or something else. */
const other = (kind, id) => {
  const query = new URLSearchParams(params.value);
  for (const name of ["channel", "device", "patient"]) query.delete(name);
  return `/history/${kind}/${id}${query.size ? `?${query}` : ""}`;
};

export function ByPlace({ list, isAsking, more }) {
  if (list === false) return html`<p class="small" role="alert" data-unlisted>${t("history.no_list")}</p>`;
  if (!list) return null;
  const narrowed = params.value.get("device") || params.value.get("patient");
  return html`<section class="panel by-place" aria-label=${t("history.measured_by")} data-measuring=${list.items.length}>
    <div class="row wrap"><h2 class="grow">${t("history.measured_by")}</h2>${narrowed && html`<button type="button" data-everybody onClick=${() => set({ device: null, patient: null }, { replace: false })}>${t("history.all_of_it")}</button>`}</div>
    ${list.withheld.length > 0 && html`<p class="small" role="note">${t("history.withheld")}</p>`}
    ${list.items.length === 0 && html`<p class="small dim">${t("history.nobody_here")}</p>`}
    ${list.items.length > 0 && html`<ul class="lines">${list.items.map((it) => html`<li key=${`${it.device.id} ${it.patient?.id}`} class="row wrap">
      <span class="grow">${it.patient && html`<a href=${other("patients", it.patient.id)}>${it.patient.name}</a>, `}<a href=${other("devices", it.device.id)}>${it.device.name}</a>
        <span class="small faint"> ${it.beds.map((bed) => t("places.bed", { bed: bed.name })).join(", ")}</span></span>
      <button type="button" onClick=${() => set({ device: it.device.id, patient: it.patient?.id ?? null }, { replace: false })}>${t("history.only_this")}</button></li>`)}</ul>`}
    ${list.next && html`<button type="button" disabled=${isAsking} onClick=${more}>${t("history.more")}</button>`}
  </section>`;
}
