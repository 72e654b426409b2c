/** Handing over: who comes, and a short note for each of one's own beds. Nothing changes until the other accepts. */
import { html, useState } from "../html.js";
import { offerHandOver } from "../api/act.js";
import { Choice, Field } from "../components/field.js";
import { session } from "../feed/state.js";
import { t } from "../i18n/words.js";
import { isRole } from "../shell/role.js";
import { OpenAlarms } from "./shift.js";

export function OfferForm({ shift, staff, unit, attempt }) {
  const me = session.value.user.staff_id;
  const [to, setTo] = useState(""),
    [notes, setNotes] = useState({}),
    [busy, setBusy] = useState(false);
  if (!isRole("nurse", "charge_nurse")) return null;
  const mine = shift.beds.filter((bed) => bed.nurse?.id === me),
    charge = shift.charge?.id === me;
  if (mine.length === 0 && !charge) return html`<section class="panel"><h2>${t("staff.hand_over")}</h2><p class="small dim">${t("staff.mine_none")}</p></section>`;
  const others = staff.filter((s) => s.id !== me),
    name = others.find((s) => s.id === to)?.name;
  const note = (key, label, alarms) => html`<div class="stack" key=${key}><${Field} label=${label}><textarea name=${`note-${key}`} rows="2" maxlength="1000" value=${notes[key] ?? ""} onInput=${(event) => setNotes({ ...notes, [key]: event.target.value })} /></${Field}>${alarms && html`<${OpenAlarms} alarms=${alarms} />`}</div>`;
  const submit = async (event) => {
    event.preventDefault();
    setBusy(true);
    const posts = mine.map((bed) => ({ bed: bed.bed.id, note: notes[bed.bed.id] ?? "" }));
    if (charge) posts.push({ bed: null, note: notes.charge ?? "" });
    if (await attempt(() => offerHandOver(unit, to, posts))) setNotes({});
    setBusy(false);
  };
  return html`<form class="panel stack" onSubmit=${submit} aria-label=${t("staff.hand_over")}>
    <h2>${t("staff.hand_over")}</h2>
    <${Choice} label=${t("staff.to")} value=${to} options=${[["", t("staff.to_choose")], ...others.map((s) => [s.id, s.name])]} act=${setTo} name="to" required />
    ${mine.map((bed) => note(bed.bed.id, t("staff.hand_over_note", { bed: bed.bed.name, name: bed.patient?.name ?? t("places.empty") }), bed.alarms))}
    ${charge && note("charge", t("staff.hand_over_note_charge"))}
    <p class="small faint">${t("staff.hand_over_text")}</p>
    <div><button class="primary" type="submit" data-offer disabled=${busy || !to}>${name ? t("staff.hand_over_act", { name }) : t("staff.hand_over")}</button></div>
  </form>`;
}
