/** The name of a place, which whoever may can change where it stands; and the small form of a new one. */
import { html, useEffect, useRef, useState } from "../html.js";
import { addPlace, renamePlace } from "../api/act.js";
import { sayProblem } from "../components/state-panel.js";
import { t } from "../i18n/words.js";

/** One line of text with its button; Escape leaves it. */
function NameForm({ label, act, value, save, leave }) {
  const [name, setName] = useState(value),
    [said, say] = useState(""),
    [busy, setBusy] = useState(false);
  const box = useRef(null);
  useEffect(() => box.current.focus(), []);
  const submit = async (event) => {
    event.preventDefault();
    setBusy(true);
    try {
      await save(name.trim());
      return leave();
    } catch (problem) {
      say(sayProblem(problem));
    }
    return setBusy(false);
  };
  return html`<form class="row wrap name-form" aria-label=${label} onSubmit=${submit} onKeyDown=${(event) => event.key === "Escape" && leave()}>
    <input ref=${box} name="name" aria-label=${t("places.name")} value=${name} maxlength="120" required onInput=${(event) => setName(event.target.value)} />
    <button type="submit" class="primary" disabled=${busy || !name.trim()}>${act}</button><button type="button" class="plain" onClick=${leave}>${t("act.cancel")}</button>
    ${said && html`<span class="small" role="alert">${said}</span>`}
  </form>`;
}

export function PlaceName({ kind, place, may, renamed }) {
  const [open, setOpen] = useState(false);
  if (open) return html`<${NameForm} label=${t("places.rename_of", { place: place.name })} act=${t("places.save")} value=${place.name} leave=${() => setOpen(false)}
    save=${async (name) => { await renamePlace(kind, place.id, name); await renamed(); }} />`;
  return html`<span>${place.name}</span>${may && html` <button type="button" class="plain rename" aria-label=${t("places.rename_of", { place: place.name })} onClick=${() => setOpen(true)}>${t("places.rename")}</button>`}`;
}

/** A button that becomes the form of a new place inside another. */
export function NewPlace({ kind, label, inside, body, added }) {
  const [open, setOpen] = useState(false);
  if (!open) return html`<button type="button" data-add=${kind} aria-label=${`${label}, ${inside}`} onClick=${() => setOpen(true)}>${label}</button>`;
  return html`<${NameForm} label=${t("places.new_in", { place: inside })} act=${label} value="" leave=${() => setOpen(false)}
    save=${async (name) => { await addPlace(kind, { ...body, name }); await added(); }} />`;
}
