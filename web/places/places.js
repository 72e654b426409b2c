/** Places: sites, care units, rooms and beds as one tree, with who lies where now; IT adds and renames, a bed opens its history. */
import { html, useEffect, useState } from "../html.js";
import { get } from "../api/http.js";
import { Empty, Failed, Loading } from "../components/state-panel.js";
import { t } from "../i18n/words.js";
import { params, set } from "../router.js";
import { Title } from "../shell/shell.js";
import { isRole } from "../shell/role.js";
import { BedDrawer } from "./bed-drawer.js";
import { NewPlace } from "./place-name.js";
import { Site } from "./tree.js";

const REFRESH_MS = 5000;

export function Places() {
  const [house, setHouse] = useState(null),
    [problem, setProblem] = useState(null);
  const load = () => get("/places").then((found) => { setHouse(found); setProblem(null); }, setProblem);
  useEffect(() => {
    document.title = t("title", { screen: t("screen.places") });
    load();
    const timer = setInterval(() => document.hidden || load(), REFRESH_MS);
    return () => clearInterval(timer);
  }, []);
  if (problem && !house) return html`<${Title} title=${t("screen.places")} /><${Failed} problem=${problem} again=${load} what=${t("places.the_house")} />`;
  if (!house) return html`<${Title} title=${t("screen.places")} /><${Loading} />`;
  return html`<${House} house=${house} load=${load} />`;
}

/** The house with only those branches whose name, or whose patient's name, has the letters that were typed. */
export function found(house, letters) {
  const wanted = letters.trim().toLowerCase();
  if (!wanted) return house.sites;
  const has = (text) => Boolean(text) && text.toLowerCase().includes(wanted);
  const bedsOf = (room) => (has(room.name) ? room.beds : room.beds.filter((bed) => has(bed.name) || has(bed.patient?.name)));
  const roomsOf = (unit) => (has(unit.name) ? unit.rooms : unit.rooms.map((room) => ({ ...room, beds: bedsOf(room) })).filter((room) => room.beds.length || has(room.name)));
  const unitsOf = (site) => (has(site.name) ? site.care_units : site.care_units.map((unit) => ({ ...unit, rooms: roomsOf(unit) })).filter((unit) => unit.rooms.length || has(unit.name)));
  return house.sites.map((site) => ({ ...site, care_units: unitsOf(site) })).filter((site) => site.care_units.length || has(site.name));
}

function House({ house, load }) {
  const may = isRole("it"),
    letters = params.value.get("find") ?? "",
    bed = params.value.get("bed");
  const shown = found(house, letters);
  const open = (id) => set({ bed: id, at: null, known: null }, { replace: false });
  return html`<${Title} title=${t("screen.places")} note=${house.org.name}>
      <input class="find" type="search" aria-label=${t("places.find")} placeholder=${t("places.find")} value=${letters} onInput=${(event) => set({ find: event.target.value })} />
      ${may && html`<${NewPlace} kind="sites" label=${t("places.add_site")} inside=${house.org.name} body=${{}} added=${load} />`}
    </${Title}>
    <div class=${`split ${bed ? "open" : ""}`}>
      <div class="stack places">
        ${house.sites.length === 0 && html`<${Empty} title=${t("places.none")} text=${t(may ? "places.none_text" : "places.none_text_other")} />`}
        ${house.sites.length > 0 && shown.length === 0 && html`<${Empty} title=${t("places.find_none")} text=${t("places.find_none_text")} />`}
        ${shown.map((site) => html`<${Site} key=${site.id} site=${site} may=${may} shows=${house.shows_patients} chosen=${bed} open=${open} load=${load} />`)}
      </div>
      ${bed && html`<${BedDrawer} key=${bed} id=${bed} sees=${house.shows_patients} close=${() => set({ bed: null, at: null, known: null })} />`}
    </div>`;
}
