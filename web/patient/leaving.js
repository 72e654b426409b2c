/** A patient goes to another bed or leaves: one form that asks at once which of the devices on them come off. */
import { html, useEffect, useState } from "../html.js";
import { get } from "../api/http.js";
import { associate, putInBed, emptyBed } from "../api/act.js";
import { Choice } from "../components/field.js";
import { sayProblem } from "../components/state-panel.js";
import { t } from "../i18n/words.js";
import { params, set } from "../router.js";
import { isRole } from "../shell/role.js";

/** Every empty bed of the house with its care unit, those of this one first. */
function freeBeds(house, unit) {
  const units = house.sites.flatMap((site) => site.care_units),
    first = (u) => (u.id === unit ? 0 : 1);
  return [...units].sort((a, b) => first(a) - first(b)).flatMap((u) => u.rooms.flatMap((room) => room.beds.filter((bed) => bed.is_empty).map((bed) => [bed.id, t("patient.where", { bed: bed.name, unit: u.name })])));
}

const may = () => isRole("nurse", "charge_nurse", "physician");
const isOpen = () => params.value.get("move") === "1";
const close = () => set({ move: null });

/** Where somebody lies, and the way to another bed or out. */
export function Where({ page, where }) {
  if (!may()) return html`<p class="dim">${where}</p>`;
  return html`<div class="row wrap"><span class="dim">${where}</span><button type="button" class="plain move-patient" data-move-patient aria-expanded=${String(isOpen())} onClick=${() => set({ move: isOpen() ? null : "1" })}>${t(page.bed ? "leaving.open" : "leaving.open_in")}</button></div>`;
}

export const Leaving = ({ page, name, done }) => may() && isOpen() && html`<${MoveForm} page=${page} name=${name} done=${done} />`;

function MoveForm({ page, name, done }) {
  const [beds, setBeds] = useState(null),
    [to, setTo] = useState(""),
    [flipped, setFlipped] = useState(new Set()),
    [stuck, setStuck] = useState(null),
    [said, say] = useState(""),
    [busy, setBusy] = useState(false);
  useEffect(() => {
    get("/places").then((house) => setBeds(freeBeds(house, page.care_unit?.id)), (problem) => say(sayProblem(problem)));
  }, []);
  // Out of the house nothing goes along unless somebody says so; to a bed everything does, since a worn device that came off by default would end its alarms.
  const comesOff = (id) => !to !== flipped.has(id),
    off = page.devices.map((d) => d.id).filter(comesOff);
  const flip = (id) => setFlipped(new Set(flipped.has(id) ? [...flipped].filter((one) => one !== id) : [...flipped, id]));
  const go = (bed) => {
    // What was ticked for leaving is no answer for a move.
    if (!bed !== !to) setFlipped(new Set());
    setTo(bed);
  };
  const submit = async (event) => {
    event.preventDefault();
    setBusy(true);
    try {
      const { still_on: on } = await (to ? putInBed(to, page.patient.id, off) : emptyBed(page.bed.id, page.patient.id, off));
      const left = on.filter((it) => off.includes(it.device.id)).map((it) => it.device);
      if (left.length) setStuck(left);
      else close();
      await done();
    } catch (problem) {
      say(sayProblem(problem));
      setBusy(false);
    }
  };
  if (stuck) return html`<${Stuck} devices=${stuck} name=${name} set=${setStuck} done=${done} />`;
  const out = page.bed ? [["", t("leaving.out")]] : [["", t("leaving.choose")]];
  return html`<form class="stack leaving" aria-label=${t("leaving.of", { name })} onSubmit=${submit}>
    <${Choice} label=${t("leaving.where")} value=${to} options=${[...out, ...(beds ?? [])]} act=${go} name="to" />
    ${page.devices.length > 0 && html`<fieldset class="stack tight" data-take-off><legend class="strong">${t("leaving.come_off", { name })}</legend>
      ${page.devices.map((d) => html`<label key=${d.id} class="row"><input type="checkbox" name="off" value=${d.id} checked=${comesOff(d.id)} onChange=${() => flip(d.id)} /><span>${d.label}</span> <span class="small faint">${d.profile}</span></label>`)}
      <p class="small dim">${t(off.length === page.devices.length ? "leaving.off_note" : to ? "leaving.go_note" : "leaving.stay_note", { name })}</p></fieldset>`}
    <div class="row wrap"><button class="primary" type="submit" disabled=${busy || (!to && !page.bed)}>${t(to ? "leaving.move" : page.bed ? "leaving.discharge" : "leaving.move", { name })}</button>
      <button type="button" onClick=${close}>${t("act.cancel")}</button></div>
    <p class="small" role="alert">${said}</p>
  </form>`;
}

/** What was to come off and did not, though the bed is changed: it stands here until each is off or somebody has read it. */
function Stuck({ devices, name, set, done }) {
  const [said, say] = useState("");
  const off = async (device) => {
    try {
      await associate(device, null);
      const left = devices.filter((it) => it.id !== device);
      set(left);
      if (left.length === 0) close();
      await done();
    } catch (problem) {
      say(sayProblem(problem));
    }
  };
  return html`<section class="stack leaving" role="alert" data-stuck=${devices.length}><h2>${t("leaving.stuck", { n: devices.length, name })}</h2>
    <p class="small dim">${t("leaving.stuck_text", { name })}</p>
    <ul class="lines">${devices.map((d) => html`<li key=${d.id} class="row wrap"><a class="grow strong" href=${`/devices?open=${d.id}`}>${d.name}</a><button type="button" onClick=${() => off(d.id)}>${t("claim.take_off")}</button></li>`)}</ul>
    <div class="row wrap"><button type="button" onClick=${close}>${t("act.close")}</button></div>
    <p class="small" role="alert">${said}</p></section>`;
}

/** What is on somebody who lies in no bed any more: its values go on being theirs until it is taken off. */
export function StillOn({ page, name, takeOff }) {
  const [said, say] = useState("");
  if (!page.has_left || page.devices.length === 0) return null;
  const off = (device) => takeOff(device).then(() => say(""), (problem) => say(sayProblem(problem)));
  return html`<section class="panel stack" role="status" data-still-on=${page.devices.length}><h2>${t("leaving.still_on", { n: page.devices.length, name })}</h2>
    <p class="small dim">${t("leaving.still_on_text", { n: page.devices.length, name })}</p>
    <ul class="lines">${page.devices.map((d) => html`<li key=${d.id} class="row wrap"><a class="grow strong" href=${`/devices?open=${d.id}`}>${d.label}</a><button type="button" data-off=${d.id} onClick=${() => off(d.id)}>${t("claim.take_off")}</button></li>`)}</ul>
    <p class="small" role="alert">${said}</p></section>`;
}
