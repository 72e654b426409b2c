/** One device: where, on whom, how it does, its certificates, and what may be done with it now; what may not says why. */
import { html, useEffect, useState } from "../html.js";
import * as act from "../api/act.js";
import { get } from "../api/http.js";
import { Age } from "../components/age.js";
import { Drawer, Pairs } from "../components/drawer.js";
import { Choice } from "../components/field.js";
import { sayProblem } from "../components/state-panel.js";
import { now } from "../feed/clock.js";
import { bed, bedIds } from "../feed/state.js";
import { ms, when } from "../format/time.js";
import { t, word } from "../i18n/words.js";
import { kept } from "../router.js";
import { isRole } from "../shell/role.js";
import { CertificateFiles } from "./certificate-files.js";
import { DeviceCommands } from "./device-commands.js";
import { DeviceConfiguration } from "./device-configuration.js";
import { DeviceLife } from "./device-life.js";
import { DeviceMessages } from "./device-messages.js";
import { HealthWord, whereOf } from "./device-row.js";
import { DeviceState } from "./device-state.js";
import { heardAt } from "./health.js";
import { RefusedLately } from "./refusals.js";

export function DeviceDrawer({ device, devices, changed, close }) {
  const [full, setFull] = useState(device),
    [files, setFiles] = useState(null),
    [changes, setChanges] = useState(0),
    [said, say] = useState("");
  const load = () => get(`/devices/${device.id}`).then((d) => setFull({ ...device, ...d }), () => setFull(device));
  useEffect(() => {
    load();
  }, [device.id, device.lifecycle, device.patient?.id, device.certificates?.length]);
  const d = { ...full, health: device.health };
  const attempt = async (deed) => {
    say("");
    try {
      const answer = await deed();
      await load();
      setChanges((n) => n + 1);
      changed();
      return answer;
    } catch (problem) {
      say(sayProblem(problem));
      return null;
    }
  };
  const heard = heardAt(device),
    whom = d.patient?.name;
  return html`<${Drawer} id=${d.id} title=${d.label} sub=${d.health.why || t("devices.as_it_should")} close=${close}>
    <div class="row wrap"><${HealthWord} kind=${d.health.kind} /><span class="chip">${word("lifecycle", d.lifecycle)}</span>
      ${d.grade && html`<span class="chip">${t(`grade.${d.grade}`)}</span>`}${whom && html`<span class="chip loud">${t("devices.on_a_patient")}</span>`}</div>
    ${d.patient_left && html`<p role="status" data-on-who-left>${t("devices.on_who_left_text")}</p>`}
    <${Pairs} list=${[[t("devices.profile"), d.profile_title ?? d.profile], [t("devices.serial"), d.serial], [t("devices.head.where"), whereOf(d)], [t("devices.head.whom"), whom ?? t("who.nobody_on")],
      [t("devices.head.heard"), heard ? html`<${Age} since=${heard} ago=${true} />` : t(device.connected ? "devices.connected" : "devices.not_connected")], [t("devices.door"), d.door && html`<span data-door=${d.door}>${t(`devices.by_${d.door}`)}</span> <span class="mono faint">${d.last_address ?? ""}</span>`], [t("devices.topic"), d.topic_prefix && html`<span class="mono">${d.topic_prefix}</span>`], [t("devices.id"), html`<span class="mono">${d.id}</span>`]]} />
    <p class="small"><a href=${`/history/devices/${d.id}${kept()}`}>${t("history.open")}</a></p>
    <p class="small" role="alert">${said}</p>
    <${RefusedLately} device=${d.id} />
    <${DeviceCommands} device=${d} changed=${() => setChanges((n) => n + 1)} />
    <${DeviceConfiguration} device=${d} changed=${() => setChanges((n) => n + 1)} />
    <${OnWhom} device=${d} choose=${(patient) => attempt(() => act.associate(d.id, patient))} />
    <${Certificates} device=${d} issue=${() => attempt(() => act.issueCertificate(d.id)).then((made) => made && setFiles(made))} revoke=${(c) => attempt(() => act.revoke(d.id, c))} />
    ${files && html`<${CertificateFiles} device=${d} files=${files} />`}
    <${DeviceState} device=${d} move=${(state, why) => attempt(() => act.setLifecycle(d.id, state, why))} />
    <${Gateway} device=${d} devices=${devices} bind=${(gateway) => attempt(() => act.bind(d.id, gateway))} />
    <${DeviceMessages} device=${d.id} />
    <${DeviceLife} device=${d.id} changed=${changes} />
  </${Drawer}>`;
}

/** Which gateway speaks for it, and how many it speaks for itself. */
function Gateway({ device, devices, bind }) {
  if (!isRole("it")) return null;
  if (device.speaks_for > 0) return html`<section><h3>${t("devices.gateway")}</h3><p>${t("devices.speaks_for", { n: device.speaks_for })}</p></section>`;
  const others = (devices ?? []).filter((d) => d.id !== device.id && !d.gateway && d.lifecycle !== "retired");
  return html`<section><h3>${t("devices.gateway")}</h3><${Choice} label=${t("devices.speaks_by")} value=${device.gateway?.id ?? ""} options=${[["", t("devices.by_itself")], ...others.map((d) => [d.id, d.label])]} act=${(gateway) => bind(gateway || null)} /></section>`;
}

/** Putting a device on a patient, or taking it off; the patient's name and bed are said. */
function OnWhom({ device, choose }) {
  const rows = bedIds.value.map((id) => bed(id).value).filter((b) => b.patient);
  const id = device.patient?.id;
  if (isRole("it")) return html`<section><h3>${t("devices.on_whom")}</h3><p class="small dim">${t("devices.associate_refused")}</p></section>`;
  const options = [["", t("who.nobody_on")], ...rows.map((b) => [b.patient.id, t("devices.patient_in_bed", { bed: b.name, name: b.patient.name })])];
  if (id && !rows.some((b) => b.patient.id === id)) options.push([id, device.patient.name]);
  return html`<section><h3>${t("devices.on_whom")}</h3><${Choice} label=${t("devices.associate")} value=${id ?? ""} options=${options} act=${(patient) => choose(patient || null)} why=${t("devices.associate_note")} /></section>`;
}

function Certificates({ device, issue, revoke }) {
  const list = device.certificates ?? [];
  const may = isRole("it");
  return html`<section><h3>${t("devices.certificates")}</h3>
    ${list.length === 0 && html`<p class="small dim">${t("devices.no_certificate")}</p>`}
    <ul class="lines">${list.map((c) => html`<li key=${c.id} class="row wrap"><span class="grow small">
      ${c.revoked_at ? t("devices.revoked_at", { at: when(c.revoked_at, now()) }) : ms(c.not_after) < now() ? t("devices.expired_at", { at: when(c.not_after, now()) }) : t("devices.valid_to", { at: when(c.not_after, now()) })}
      ${c.fingerprint && html`<span class="faint mono limit-text" data-fingerprint title=${t("refusals.fingerprint")}>SHA-256 ${c.fingerprint}</span>`}</span>
      ${!c.revoked_at && html`<button type="button" class="small" disabled=${!may} onClick=${() => revoke(c.id)}>${t("devices.revoke")}</button>`}</li>`)}</ul>
    <div class="row wrap"><button type="button" disabled=${!may} onClick=${issue}>${t("devices.issue")}</button>${!may && html`<span class="small faint">${t("devices.issue_refused")}</span>`}</div>
  </section>`;
}
