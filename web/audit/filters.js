/** The filters of the trail: what is chosen here is written into the address, and the address is what is asked. */
import { html, useState } from "../html.js";
import { Choice, Field } from "../components/field.js";
import { TimeField } from "../components/time-field.js";
import { t } from "../i18n/words.js";
import { set } from "../router.js";

export const FILTERS = ["actor", "patient", "action", "outcome", "from", "to"];
/** What people do that is worth looking for; the server knows every word. */
const ACTIONS = ["session.open", "patient.read", "patient.chart", "patient.limits", "patient.move", "patient.audit", "patient.emergency", "emergency.review", "board.read", "alarm.read", "alarm.acknowledge", "alarm.end", "assignment.write", "hand_over.take", "limits.default", "device.associate", "device.certify", "device.revoke", "device.lifecycle", "dead_letter.read", "user.write", "place.write", "audit.read"];

export function Filters({ filters }) {
  const [actor, setActor] = useState(filters.actor ?? ""),
    [patient, setPatient] = useState(filters.patient ?? "");
  const submit = (event) => {
    event.preventDefault();
    set({ actor: actor.trim(), patient: patient.trim() }, { replace: false });
  };
  const choose = (name) => (value) => set({ [name]: value }, { replace: false });
  const time = (name) => html`<${TimeField} label=${t(`audit.${name}`)} name=${name} value=${filters[name] ? Number(filters[name]) : null} act=${choose(name)} />`;
  const any = FILTERS.some((name) => filters[name]);
  return html`<form class="panel filters" aria-label=${t("audit.show")} onSubmit=${submit}>
    <${Field} label=${t("audit.actor")}><input name="actor" value=${actor} placeholder=${t("audit.actor_hint")} autocapitalize="none" spellcheck="false" onInput=${(event) => setActor(event.target.value)} /></${Field}>
    <${Field} label=${t("audit.patient")}><input name="patient" value=${patient} placeholder=${t("audit.patient_hint")} spellcheck="false" onInput=${(event) => setPatient(event.target.value)} /></${Field}>
    <${Choice} label=${t("audit.action")} name="action" value=${filters.action ?? ""} options=${[["", t("audit.action_all")], ...ACTIONS.map((a) => [a, t(`action.${a}`)])]} act=${choose("action")} />
    <${Choice} label=${t("audit.outcome")} name="outcome" value=${filters.outcome ?? ""} options=${[["", t("audit.any")], ["allowed", t("audit.allowed")], ["refused", t("audit.refused")]]} act=${choose("outcome")} />
    ${time("from")}${time("to")}
    <div class="row wrap filter-acts"><button type="submit" class="primary">${t("audit.show")}</button><button type="button" disabled=${!any} onClick=${() => set(Object.fromEntries(FILTERS.map((name) => [name, null])), { replace: false })}>${t("audit.reset")}</button></div>
  </form>`;
}
