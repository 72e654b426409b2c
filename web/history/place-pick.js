/** Chooses the place whose history is shown: a site, a care unit, a room or a bed. */
import { html, useEffect, useState } from "../html.js";
import { get } from "../api/http.js";
import { Choice } from "../components/field.js";
import { t } from "../i18n/words.js";
import { go } from "../router.js";

/** Every place of the house as `[kind/id, name]`, each below the one that it lies in. */
export function places(house) {
  const found = [];
  for (const site of house.sites) {
    found.push([`sites/${site.id}`, site.name]);
    for (const unit of site.care_units) {
      found.push([`care-units/${unit.id}`, `${site.name}, ${unit.name}`]);
      for (const room of unit.rooms) {
        found.push([`rooms/${room.id}`, `${unit.name}, ${room.name}`]);
        for (const bed of room.beds) found.push([`beds/${bed.id}`, `${unit.name}, ${room.name}, ${t("places.bed", { bed: bed.name })}`]);
      }
    }
  }
  return found;
}

/** The range stays, what was narrowed to does not. */
const to = (place) => {
  const query = new URLSearchParams(location.search);
  for (const name of ["channel", "device", "patient"]) query.delete(name);
  return `/history/${place}${query.size ? `?${query}` : ""}`;
};

export function PlacePick({ kind, id }) {
  const [house, setHouse] = useState(null);
  useEffect(() => {
    get("/places").then(setHouse, () => setHouse(null));
  }, []);
  if (!house) return null;
  const all = places(house),
    here = `${kind}/${id}`,
    known = all.some(([place]) => place === here);
  return html`<${Choice} label=${t("history.place")} name="place" value=${known ? here : ""} options=${known ? all : [["", t("history.place_choose")], ...all]} act=${(place) => place && go(to(place))} />`;
}

/** The name of a place, and the way to it. */
export function PlaceName({ kind, id }) {
  const [house, setHouse] = useState(null);
  useEffect(() => {
    get("/places").then(setHouse, () => setHouse(null));
  }, []);
  const name = house && places(house).find(([place]) => place === `${kind}/${id}`)?.[1];
  return name && html`<a href=${kind === "beds" ? `/places?bed=${id}` : "/places"}>${name}</a>`;
}
