/** The shift of a care unit: beds that nobody has are shouted, then every bed with its nurse, and what is being handed over. */
import { html, useEffect, useState } from "../html.js";
import { all, setCharge, setNurse } from "../api/act.js";
import { get } from "../api/http.js";
import { AlarmMark } from "../components/alarm-mark.js";
import { Empty, Failed, Loading, sayProblem } from "../components/state-panel.js";
import { board, session } from "../feed/state.js";
import { t } from "../i18n/words.js";
import { kept } from "../router.js";
import { isRole } from "../shell/role.js";
import { undoable } from "../shell/undo.js";
import { ToReview } from "../emergency/to-review.js";
import { HandOvers } from "./hand-overs.js";
import { OfferForm } from "./offer-form.js";

const REFRESH_MS = 5000;

export function Shift({ unit }) {
  const [shift, setShift] = useState(null),
    [problem, setProblem] = useState(null),
    [staff, setStaff] = useState([]),
    [said, say] = useState("");
  const load = () => get(`/care-units/${unit}/shift`).then((found) => { setShift(found); setProblem(null); }, setProblem);
  const picture = board.value;
  useEffect(() => {
    load();
    const timer = setInterval(() => document.hidden || load(), REFRESH_MS);
    return () => clearInterval(timer);
  }, [unit, picture]);
  useEffect(() => {
    all("/staff").then((list) => setStaff(list.filter((s) => s.role === "nurse" || s.role === "charge_nurse")), () => {});
  }, []);
  if (problem && !shift) return html`<${Failed} problem=${problem} again=${load} what=${t("staff.the_shift")} />`;
  if (!shift) return html`<${Loading} />`;
  const attempt = async (deed) => {
    say("");
    try {
      const answer = await deed();
      if (answer?.beds) setShift(answer);
      else await load();
      return true;
    } catch (caught) {
      say(sayProblem(caught));
      await load();
      return false;
    }
  };
  if (shift.beds.length === 0) return html`<${Empty} title=${t("staff.no_beds")} text=${t("staff.no_beds_text")} />`;
  return html`<div class="stack shift">
    <p class="small" role="alert">${said}</p>
    <${Unassigned} shift=${shift} />
    ${isRole("charge_nurse") && html`<${ToReview} unit=${unit} />`}
    <${HandOvers} shift=${shift} attempt=${attempt} />
    <div class="shift-parts">
      <${Beds} shift=${shift} staff=${staff} attempt=${attempt} />
      <${OfferForm} shift=${shift} staff=${staff} unit=${unit} attempt=${attempt} />
    </div>
  </div>`;
}

/** Patients whom nobody looks after, said first and loudest; not with an alarm's colours, as no alarm stands for it. */
function Unassigned({ shift }) {
  const open = shift.beds.filter((bed) => bed.is_unassigned);
  if (open.length === 0) return html`<p class="row"><span class="chip">${t("staff.all_assigned")}</span></p>`;
  return html`<section class="panel shout" role="status" data-unassigned=${open.length}>
    <h2>${t("staff.unassigned", { n: open.length, beds: open.map((b) => b.bed.name).join(", ") })}</h2>
    <p>${t(shift.charge ? "staff.unassigned_text" : "staff.unassigned_charge_none")}</p>
  </section>`;
}

function Beds({ shift, staff, attempt }) {
  const charges = isRole("charge_nurse"),
    inCharge = charges && session.value.user.staff_id;
  const choose = async (bed, chosen) => {
    const before = bed.nurse?.id ?? null;
    const done = await attempt(() => setNurse(bed.bed.id, chosen));
    if (done) undoable(t("undo.nurse", { bed: bed.bed.name }), () => attempt(() => setNurse(bed.bed.id, before)), t("undo.as_was"));
  };
  return html`<section class="panel scroll" aria-label=${t("staff.shift")}>
    <div class="row wrap charge-line"><span class="grow">${t("staff.charge_post", { unit: shift.care_unit.name })}</span>
      <${Choose} label=${t("staff.charge_post", { unit: shift.care_unit.name })} holder=${shift.charge} staff=${staff.filter((s) => s.role === "charge_nurse")} may=${Boolean(inCharge)} refused=${t("staff.charge_refused")} choose=${(id) => attempt(() => setCharge(shift.care_unit.id, id))} /></div>
    <table class="table still"><thead><tr><th>${t("staff.bed")}</th><th>${t("staff.patient")}</th><th>${t("staff.nurse")}</th><th>${t("screen.alarms")}</th></tr></thead>
    <tbody>${shift.beds.map((bed) => html`<tr key=${bed.bed.id} data-bed=${bed.bed.name} data-unassigned=${bed.is_unassigned ? "" : undefined}>
      <td><b>${bed.bed.name}</b></td>
      <td class="full">${bed.patient ? html`<a href=${`/patients/${bed.patient.id}${kept()}`}>${bed.patient.name}</a>` : html`<span class="faint">${t("places.empty")}</span>`}</td>
      <td>${bed.is_unassigned && html`<span class="chip loud">${t("staff.is_free")}</span> `}${(charges || !bed.is_unassigned) && html`<${Choose} label=${t("staff.nurse_of", { bed: bed.bed.name })} holder=${bed.nurse} staff=${staff} may=${charges} refused=${t("staff.choose_refused")} choose=${(id) => choose(bed, id)} />`}</td>
      <td class="acts"><${OpenAlarms} alarms=${bed.alarms} /></td></tr>`)}</tbody></table>
    ${!charges && html`<p class="small faint foot">${t("staff.choose_refused")}</p>`}
  </section>`;
}

function Choose({ label, holder, staff, may, refused, choose }) {
  if (!may) return html`<span title=${refused}>${holder?.name ?? t("staff.is_free")}</span>`;
  const known = !holder || staff.some((s) => s.id === holder.id);
  return html`<select class="compact" aria-label=${label} value=${holder?.id ?? ""} onChange=${(event) => choose(event.target.value || null)}>
    <option value="">${t("staff.is_free")}</option>
    ${!known && html`<option value=${holder.id}>${holder.name}</option>`}
    ${staff.map((s) => html`<option key=${s.id} value=${s.id}>${s.name}</option>`)}
  </select>`;
}

/** The most urgent alarm of a bed, and how many there are. */
export function OpenAlarms({ alarms }) {
  if (alarms.length === 0) return null;
  const [first] = alarms;
  return html`<a class="row open-alarm" href=${`/alarms?open=${first.id}`} title=${t("staff.alarms_open", { n: alarms.length })}><${AlarmMark} priority=${first.priority} size=${16} /><span>${first.title}</span>${alarms.length > 1 && html`<span class="faint">+${alarms.length - 1}</span>`}</a>`;
}
