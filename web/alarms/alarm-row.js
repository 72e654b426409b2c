/** One alarm in the list, with its answer at the end of the row. */
import { html, useState } from "../html.js";
import { Age, Left } from "../components/age.js";
import { AlarmMark } from "../components/alarm-mark.js";
import { MINUTES } from "../components/answer.js";
import { sayProblem } from "../components/state-panel.js";
import { stripOf } from "../components/strip.js";
import { now } from "../feed/clock.js";
import { when } from "../format/time.js";
import { t } from "../i18n/words.js";
import { ending } from "../patient/alarm-list.js";

export function AlarmRow({ alarm, chosen, answer, open }) {
  const over = alarm.state === "ended";
  return html`<tr data-priority=${alarm.priority} data-state=${alarm.state} data-alarm=${alarm.id} aria-selected=${String(chosen)} onClick=${open}>
    <td><${AlarmMark} priority=${alarm.priority} size=${20} word=${true} hollow=${alarm.state !== "active"} /></td>
    <td class="full"><button type="button" class="open" data-row onClick=${(e) => { e.stopPropagation(); open(); }}>${alarm.title}</button><span class="faint limit-text"> ${alarm.detail}</span></td>
    <td class="who-cell">${alarm.bed_name && html`<b>${alarm.bed_name}</b> `}${alarm.patient_name ?? t("who.no_patient")}</td>
    <td class="num nowrap">${over ? html`<span class="faint">${when(alarm.raised_at ?? alarm.since, now())}</span>` : html`<${Age} since=${alarm.raised_at ?? alarm.since} />`}</td>
    <td class=${`narrow-hide state-cell ${alarm.state === "active" ? "strong" : "dim"}`}>${ending(alarm)}${alarm.state === "acknowledged" && alarm.quiet_until && html`, <${Left} until=${alarm.quiet_until} />`}</td>
    <td class="num acts">${alarm.patient && html`<a class="button plain to-strip" href=${stripOf(alarm)} onClick=${(e) => e.stopPropagation()} aria-label=${t("alarm.strip_of", { title: alarm.title, bed: alarm.bed_name ?? "" })}>${t("alarm.to_strip")}</a>`}${over ? html`<span class="faint">${t("alarms.over")}</span>` : html`<${Quick} alarm=${alarm} answer=${answer} />`}</td>
  </tr>`;
}

function Quick({ alarm, answer }) {
  const [said, say] = useState("");
  const take = (event) => {
    event.stopPropagation();
    answer(alarm, MINUTES[0] * 60).then(() => say(""), (problem) => say(sayProblem(problem)));
  };
  const name = t(alarm.state === "active" ? "alarm.i_have_it" : "alarm.renew");
  return html`<button type="button" data-answer aria-label=${t("alarm.quick", { act: name, title: alarm.title, bed: alarm.bed_name ?? "" })} title=${t("alarm.quick_title", { min: MINUTES[0] })} onClick=${take}>${name}</button>
    ${said && html`<span class="small" role="alert">${said}</span>`}`;
}

