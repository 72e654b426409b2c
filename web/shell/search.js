/** Finds a bed or a patient of the unit by what one remembers of them. */
import { html, useRef, useState } from "../html.js";
import { bed, bedIds } from "../feed/state.js";
import { t } from "../i18n/words.js";
import { go, kept } from "../router.js";

const FOUND_MAX = 8;

function find(text) {
  const wanted = text.trim().toLowerCase();
  if (!wanted) return [];
  const rows = bedIds.value.map((id) => bed(id).value).filter((b) => b.patient);
  return rows.filter((b) => `${b.name} ${b.patient.name}`.toLowerCase().includes(wanted)).slice(0, FOUND_MAX);
}

export function Search() {
  const [text, setText] = useState(""),
    [chosen, choose] = useState(0),
    field = useRef(null);
  const found = find(text);
  const leave = (row) => {
    setText("");
    field.current.blur();
    if (row) go(`/patients/${row.patient.id}${kept()}`);
  };
  const key = (event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      choose((chosen + (event.key === "ArrowDown" ? 1 : -1) + found.length) % Math.max(1, found.length));
    } else if (event.key === "Enter" && found[chosen]) leave(found[chosen]);
    else if (event.key === "Escape") leave();
  };
  return html`<div class="search">
    <input type="search" ref=${field} role="combobox" aria-label=${t("search.label")} aria-expanded=${String(found.length > 0)} aria-controls="found" aria-autocomplete="list"
      aria-activedescendant=${found.length ? `found-${chosen}` : undefined}
      placeholder=${t("search.placeholder")} value=${text} onInput=${(e) => { setText(e.target.value); choose(0); }} onKeyDown=${key} autocomplete="off" />
    <kbd aria-hidden="true">/</kbd>
    ${text.trim() && html`<ul class="found panel" id="found" role="listbox" aria-label=${t("search.found")}>
      ${found.map((row, i) => html`<li key=${row.bed} id=${`found-${i}`} role="option" aria-selected=${String(i === chosen)} onPointerDown=${(e) => { e.preventDefault(); leave(row); }}>
        <b>${row.name}</b> ${row.patient.name}</li>`)}
      ${found.length === 0 && html`<li class="faint" role="option" aria-selected="false">${t("search.nothing")}</li>`}
    </ul>`}
  </div>`;
}
