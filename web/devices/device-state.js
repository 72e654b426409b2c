/** Moving a device along its life, with the reason where one is needed; and the code by which somebody takes it into use. */
import { html, useEffect, useState } from "../html.js";
import { post } from "../api/http.js";
import { Field } from "../components/field.js";
import { sayProblem } from "../components/state-panel.js";
import { now } from "../feed/clock.js";
import { when } from "../format/time.js";
import { t, word } from "../i18n/words.js";
import { isRole } from "../shell/role.js";

const NEEDS_REASON = new Set(["quarantined", "retired"]);

/** What a move is called; going back from service is another thing than getting ready for it. */
const moveWords = (from, to) => t(from === "in_service" && to === "provisioned" ? "devices.out_of_service" : `devices.move.${to}`);

export function DeviceState({ device, move }) {
  const [to, setTo] = useState(null),
    [why, setWhy] = useState("");
  useEffect(() => setTo(null), [device.id, device.lifecycle]);
  if (!isRole("it")) return html`<section><h3>${t("devices.lifecycle")}</h3><p class="small dim">${t("devices.lifecycle_refused")}</p></section>`;
  const next = device.next_states ?? [];
  const go = (event) => {
    event.preventDefault();
    move(to, why.trim()).then(() => setWhy(""));
  };
  return html`<section data-state-moves><h3>${t("devices.lifecycle")}</h3>
    <div class="row wrap"><b>${word("lifecycle", device.lifecycle)}</b>${next.map((state) => html`<button key=${state} type="button" data-move=${state} aria-pressed=${String(state === to)} onClick=${() => (NEEDS_REASON.has(state) ? setTo(state) : move(state))}>${moveWords(device.lifecycle, state)}</button>`)}</div>
    ${next.length === 0 && html`<p class="small dim">${t("devices.no_way_back")}</p>`}
    ${to && html`<form class="stack" onSubmit=${go}>
      <${Field} label=${t("devices.reason")} why=${t(device.patient && to === "quarantined" ? "devices.on_patient_note" : `devices.move_note.${to}`)}><input name="why" value=${why} onInput=${(e) => setWhy(e.target.value)} required maxlength="200" /></${Field}>
      <div class="row wrap"><button class="primary" type="submit" disabled=${!why.trim()}>${t(`devices.move.${to}`)}</button><button type="button" onClick=${() => setTo(null)}>${t("act.cancel")}</button></div></form>`}
    ${["ordered", "provisioned"].includes(device.lifecycle) && html`<${ClaimCode} device=${device} />`}
  </section>`;
}

/** A one-time code as letters and as a picture for a phone. */
function ClaimCode({ device }) {
  const [code, setCode] = useState(null),
    [said, say] = useState("");
  useEffect(() => setCode(null), [device.id]);
  const make = () => post(`/devices/${device.id}/claim`).then((made) => { setCode(made); say(""); }, (problem) => say(sayProblem(problem)));
  return html`<div class="stack claim-code"><p class="small dim">${t("claim.offer_text")}</p>
    ${code && html`<div class="row wrap"><svg class="qr" viewBox=${`-2 -2 ${code.qr_size + 4} ${code.qr_size + 4}`} role="img" aria-label=${t("claim.picture", { code: code.code })} shape-rendering="crispEdges"><rect x="-2" y="-2" width="100%" height="100%" fill="#fff"/><path d=${code.qr_path} fill="#000"/></svg>
      <div class="stack"><b class="big mono-code" data-code>${code.code}</b><span class="small dim">${t("claim.until", { at: when(code.expires_at, now()) })}</span>
        ${code.https && html`<span class="small dim">${t("claim.speaks_to", { mqtt: `${code.mqtt.host}:${code.mqtt.port}`, https: code.https.url })}</span>`}</div></div>`}
    <div class="row wrap"><button type="button" data-offer onClick=${make}>${t(code ? "claim.offer_again" : "claim.offer")}</button><span class="small" role="alert">${said}</span></div></div>`;
}
