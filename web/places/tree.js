/** One site with its care units, their rooms and beds. */
import { html } from "../html.js";
import { t } from "../i18n/words.js";
import { kept } from "../router.js";
import { NewPlace, PlaceName } from "./place-name.js";

/** Everything that was measured there; for those who are told who lies where. */
const Past = ({ kind, id }) => html`<a class="small place-past" href=${`/history/${kind}/${id}${kept()}`}>${t("history.open")}</a>`;

const bedsOf = (unit) => unit.rooms.flatMap((room) => room.beds);

export const Site = ({ site, may, shows, chosen, open, load }) => html`<section class="stack" aria-label=${site.name}>
  <div class="row wrap"><h2 class="grow"><${PlaceName} kind="sites" place=${site} may=${may} renamed=${load} /></h2>${shows && html`<${Past} kind="sites" id=${site.id} />`}
    ${may && html`<${NewPlace} kind="care-units" label=${t("places.add_care_unit")} inside=${site.name} body=${{ site_id: site.id }} added=${load} />`}</div>
  ${site.care_units.map((unit) => html`<${Unit} key=${unit.id} unit=${unit} may=${may} shows=${shows} chosen=${chosen} open=${open} load=${load} />`)}
</section>`;

function Unit({ unit, may, shows, chosen, open, load }) {
  const beds = bedsOf(unit),
    free = beds.filter((bed) => bed.is_empty).length;
  return html`<section class="panel stack" aria-label=${unit.name}>
    <div class="row wrap"><h3 class="grow place-unit"><${PlaceName} kind="care-units" place=${unit} may=${may} renamed=${load} /></h3>${shows && html`<${Past} kind="care-units" id=${unit.id} />`}
      <span class="small dim">${t("places.beds_n", { n: beds.length })}, ${t("places.free_n", { n: free })}</span>
      ${unit.charge && html`<span class="small dim">${t("places.charge", { name: unit.charge.name })}</span>`}
      ${may && html`<${NewPlace} kind="rooms" label=${t("places.add_room")} inside=${unit.name} body=${{ care_unit_id: unit.id }} added=${load} />`}</div>
    ${unit.rooms.length === 0 && html`<p class="small dim">${t("places.unit_empty")}</p>`}
    <ul class="rooms">${unit.rooms.map((room) => html`<li key=${room.id}>
      <div class="row wrap room-name"><span class="grow small"><${PlaceName} kind="rooms" place=${room} may=${may} renamed=${load} /></span>
        ${may && html`<${NewPlace} kind="beds" label=${t("places.add_bed")} inside=${room.name} body=${{ room_id: room.id }} added=${load} />`}</div>
      <ul class="beds">${room.beds.map((bed) => html`<${Bed} key=${bed.id} bed=${bed} shows=${shows} chosen=${bed.id === chosen} open=${open} />`)}</ul>
    </li>`)}</ul>
  </section>`;
}

/** A bed is one button: full, empty, or taken by somebody whose name is not for this role. */
function Bed({ bed, shows, chosen, open }) {
  const who = bed.is_empty ? t("places.empty") : (bed.patient?.name ?? t("places.occupied_it"));
  return html`<li><button type="button" class="bed-card" data-bed=${bed.name} data-empty=${bed.is_empty ? "" : undefined} aria-pressed=${String(chosen)} onClick=${() => open(bed.id)}>
    <b>${bed.name}</b><span class="clip">${who}</span>
    ${shows && !bed.is_empty && html`<span class="small faint clip">${bed.nurse ? bed.nurse.name : t("places.no_nurse")}</span>`}
  </button></li>`;
}
