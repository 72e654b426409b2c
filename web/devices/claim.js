/** A new device in hand: its code, typed or scanned, then where it goes. A scanner types like a keyboard, so one field takes all. */
import { html, useEffect, useRef, useState } from "../html.js";
import { all } from "../api/act.js";
import { get, post } from "../api/http.js";
import { Pairs } from "../components/drawer.js";
import { Choice, Field } from "../components/field.js";
import { sayProblem } from "../components/state-panel.js";
import { unit } from "../feed/state.js";
import { t } from "../i18n/words.js";
import { params, set } from "../router.js";
import { isRole } from "../shell/role.js";
import { Title } from "../shell/shell.js";

/** The code in what was scanned: the picture holds an address, the label only the code. */
const codeIn = (text) => /[?&]code=([^&\s]+)/.exec(text)?.[1] ?? text.trim();

/** Where a new device speaks, for whoever types it in. */
const speaksTo = (d) => [[t("devices.broker"), d.mqtt && html`<span class="mono">${d.mqtt.host}:${d.mqtt.port}</span>`], [t("devices.https"), d.https && html`<span class="mono" data-https>${d.https.url}</span>`]];

/** A device in use, by its number, serial number or name; else the one that a claim code is for. */
async function find(text) {
  const said = text.trim().toLowerCase();
  const devices = await all("/devices");
  const known = devices.find((d) => [d.id, d.serial, d.label].some((name) => name.toLowerCase() === said));
  if (known && known.lifecycle === "in_service") return { device: known.id, label: known.label, serial: known.serial, profile: known.profile_title, known };
  return post("/claims/look", { code: text });
}

export function ClaimDevice() {
  const code = params.value.get("code") ?? "";
  const [typed, setTyped] = useState(code),
    [device, setDevice] = useState(null),
    [done, setDone] = useState(null),
    [said, say] = useState("");
  const field = useRef(null);
  useEffect(() => {
    document.title = t("title", { screen: t("claim.title") });
    field.current?.focus();
  }, []);
  useEffect(() => {
    setDevice(null);
    if (code) find(code).then((found) => { setDevice(found); say(""); }, (problem) => say(sayProblem(problem)));
  }, [code]);
  const look = (event) => {
    event.preventDefault();
    set({ code: codeIn(typed) });
  };
  const take = (where) => (device.known ? post(`/devices/${device.device}/association`, where) : post("/claims", { code, ...where })).then((it) => { setDone(it); say(""); }, (problem) => say(sayProblem(problem)));
  const next = () => { setDone(null); setDevice(null); setTyped(""); set({ code: null }); };
  return html`<${Title} title=${t("claim.title")} />
    <div class="claim stack"><section class="panel stack">
      ${done ? html`<div class="stack" role="status" data-claimed><h2>${t("claim.done", { label: done.label })}</h2><p>${done.patient ? t("claim.on", { name: done.patient.name }) : done.place ? t("claim.in", { name: done.place.name }) : t("claim.in_service")}</p>
          <div class="row wrap"><button type="button" class="primary" onClick=${next}>${t("claim.next")}</button><a class="button" href=${`/devices?open=${done.id}`}>${t("devices.to_device")}</a></div></div>`
        : html`<form class="stack" onSubmit=${look}><${Field} label=${t("claim.code")} why=${t("claim.code_note")}><input ref=${field} name="code" value=${typed} onInput=${(e) => setTyped(e.target.value)} autocomplete="off" autocapitalize="characters" maxlength="300" required /></${Field}>
          <div class="row wrap"><button type="submit" class=${device ? "" : "primary"}>${t("claim.look")}</button><span class="small" role="alert">${said}</span></div></form>`}
    </section>
    ${device && !done && html`<section class="panel stack" data-claimable><h2>${device.label}</h2><${Pairs} list=${[[t("devices.profile"), device.profile], [t("devices.serial"), device.serial], ...speaksTo(device)]} /><${Where} take=${take} known=${device.known} /></section>`}</div>`;
}

/** Where it goes: on a patient for those who care for patients, into a room, or only into service. */
function Where({ take, known }) {
  const [beds, setBeds] = useState([]),
    [rooms, setRooms] = useState([]),
    [to, setTo] = useState(""),
    [scanned, setScanned] = useState("");
  useEffect(() => {
    all("/rooms").then(setRooms, () => {});
    if (!isRole("it") && unit.value) get(`/care-units/${unit.value.id}/board`).then((board) => setBeds(board.beds.filter((b) => b.patient)), () => {});
  }, [unit.value?.id]);
  const options = [["", t(known ? "who.nobody_on" : "claim.nowhere")], ...beds.map((b) => [`patient:${b.patient.id}`, t("devices.patient_in_bed", { bed: b.name, name: b.patient.name })]), ...rooms.map((r) => [`room:${r.id}`, t("claim.room", { name: r.name })])];
  const scan = (text) => {
    setScanned(text);
    const said = text.trim().toLowerCase();
    const bed = said && beds.find((b) => [b.id, b.name, b.patient.id, b.patient.record_number ?? ""].some((known) => known.toLowerCase() === said));
    const room = said && rooms.find((r) => [r.id, r.name].some((known) => known.toLowerCase() === said));
    if (bed) setTo(`patient:${bed.patient.id}`);
    else if (room) setTo(`room:${room.id}`);
  };
  const go = (event) => {
    event.preventDefault();
    const [kind, id] = to.split(":");
    take(id ? { [kind]: id } : {});
  };
  return html`<form class="stack" onSubmit=${go}>
    <${Field} label=${t("claim.scan_place")} why=${t("claim.scan_note")}><input name="scan" value=${scanned} onInput=${(e) => scan(e.target.value)} onKeyDown=${(e) => e.key === "Enter" && e.preventDefault()} autocomplete="off" /></${Field}>
    <${Choice} label=${t("claim.where")} value=${to} options=${options} act=${setTo} />
    <div class="row wrap"><button class="primary" type="submit" data-take>${t(known ? (to ? "claim.put_there" : "claim.take_off") : to ? "claim.take_there" : "claim.take")}</button></div></form>`;
}
