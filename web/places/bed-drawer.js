/** Who lay in a bed: one question with two times, when it was so and as known when, and every line that answers it. */
import { html, useEffect, useState } from "../html.js";
import { get, query } from "../api/http.js";
import { renamePlace } from "../api/act.js";
import { Drawer } from "../components/drawer.js";
import { Failed, Loading } from "../components/state-panel.js";
import { TimeField } from "../components/time-field.js";
import { isClosed } from "../emergency/closed.js";
import { now } from "../feed/clock.js";
import { ms, when } from "../format/time.js";
import { t } from "../i18n/words.js";
import { kept, params, set } from "../router.js";
import { isRole } from "../shell/role.js";
import { PlaceName } from "./place-name.js";

export function BedDrawer({ id, sees, close }) {
  const at = params.value.get("at"),
    known = params.value.get("known");
  const [answer, setAnswer] = useState(null),
    [problem, setProblem] = useState(null);
  const load = () => get(`/beds/${id}/history${query({ at, known })}`).then((found) => { setAnswer(found); setProblem(null); }, setProblem);
  useEffect(() => {
    if (sees) load();
  }, [id, at, known, sees]);
  const title = answer ? t("places.bed", { bed: answer.bed.name }) : t("places.history");
  if (!sees) return html`<${Drawer} id=${id} title=${t("places.history")} close=${close}><${Failed} problem=${{ status: 403 }} /></${Drawer}>`;
  return html`<${Drawer} id=${id} title=${title} sub=${answer && `${answer.room}, ${answer.care_unit.name}`} close=${close}>
    ${isRole("it") && answer && html`<${PlaceName} kind="beds" place=${answer.bed} may=${true} renamed=${load} />`}
    <form class="stack" aria-label=${t("places.history")} onSubmit=${(event) => event.preventDefault()}>
      <${TimeField} label=${t("places.at")} name="at" value=${at ? Number(at) : now()} max=${now()} act=${(time) => set({ at: time })} />
      <${TimeField} label=${t("places.as_known")} name="known" value=${known ? Number(known) : now()} max=${now()} act=${(time) => set({ known: time })} />
      <div class="row wrap"><button type="button" disabled=${!at && !known} onClick=${() => set({ at: null, known: null })}>${t("places.now")}</button></div>
      <p class="small faint">${t("places.two_times")}</p>
    </form>
    <p><a class="small" href=${`/history/beds/${id}`}>${t("history.open")}</a></p>
    ${problem && html`<${Failed} problem=${isClosed(problem) ? { status: 403, detail: t("emergency.why") } : problem} again=${load} what=${t("places.history")} />`}
    ${!problem && !answer && html`<${Loading} />`}
    ${!problem && answer?.patient && !at && !known && isRole("nurse", "charge_nurse", "physician") && html`<p><a class="button" data-move-patient href=${`/patients/${answer.patient.id}?move=1${kept().replace("?", "&")}`}>${t("leaving.open")}</a></p>`}
    ${!problem && answer && html`<${Answer} answer=${answer} />`}
  </${Drawer}>`;
}

function Answer({ answer }) {
  const { patient, lines } = answer;
  return html`<p class="bed-answer" role="status" data-answer>${patient ? html`<a href=${`/patients/${patient.id}${kept()}`}>${patient.name}</a>` : t("places.nobody")}</p>
    <section><h3>${t("places.history")}</h3>
      ${lines.length === 0 && html`<p class="small dim">${t("places.nobody_yet")}</p>`}
      <ol class="lines stays">${lines.map((line, i) => html`<li key=${`${line.from} ${line.known_at}`} data-holds=${i === lines.findIndex((l) => ms(l.from) <= ms(answer.at)) ? "" : undefined}>
        <div class="row"><b class="grow">${line.patient?.name ?? t("places.empty")}</b><span class="small nowrap">${t("places.from")} ${when(line.from, now())}</span></div>
        <p class="small faint">${t("places.known")} ${when(line.known_at, now())}${line.is_late ? `, ${t("places.late")}` : ""}</p></li>`)}</ol>
    </section>`;
}
