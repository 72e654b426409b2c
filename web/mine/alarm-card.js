/** An alarm that a thumb answers in two touches: first for how long, then «I have it». A touch in a pocket answers nothing. */
import { html, useState } from "../html.js";
import { Age, Left } from "../components/age.js";
import { AlarmMark } from "../components/alarm-mark.js";
import { MINUTES } from "../components/answer.js";
import { sayProblem } from "../components/state-panel.js";
import { held, stripOf } from "../components/strip.js";
import { t } from "../i18n/words.js";

export function AlarmCard({ alarm, answer }) {
  const [minutes, choose] = useState(null),
    [said, say] = useState(""),
    [busy, setBusy] = useState(false);
  const take = async () => {
    setBusy(true);
    await answer(alarm, minutes * 60).then(() => { say(""); choose(null); }, (problem) => say(sayProblem(problem)));
    setBusy(false);
  };
  const asleep = alarm.state === "acknowledged";
  return html`<article class="alarm-card own-alarm" data-priority=${alarm.priority} data-state=${alarm.state} data-alarm=${alarm.id} aria-label=${t("alarm.answer_for", { name: alarm.patient_name ?? t("who.nobody"), bed: alarm.bed_name ?? "" })}>
    <header class="strip" data-priority=${alarm.priority} data-state=${alarm.state}><${AlarmMark} priority=${alarm.priority} size=${24} word=${true} hollow=${asleep} />
      <time>${asleep && alarm.quiet_until ? html`${t("alarm.ack_short")} <${Left} until=${alarm.quiet_until} />` : html`<${Age} since=${alarm.raised_at ?? alarm.since} />`}</time></header>
    <div class="stack own-alarm-body">
      <p>${alarm.bed_name && html`<b>${t("mine.bed", { bed: alarm.bed_name })}</b> `}${alarm.patient_name ?? t("who.no_patient")}</p>
      <p class="own-alarm-what">${alarm.title}</p>
      <p class="dim">${alarm.detail}. ${held(alarm)}</p>
      <div class="thirds" role="group" aria-label=${t("alarm.quiet_for")}>${MINUTES.map((m) => html`<button key=${m} type="button" aria-pressed=${String(minutes === m)} onClick=${() => choose(m)}>${t("time.min", { min: m })}</button>`)}</div>
      <button type="button" class=${minutes ? "primary tall" : "tall"} data-answer disabled=${!minutes || busy} onClick=${take}>${minutes ? t(asleep ? "alarm.renew_for" : "alarm.i_have_it_for", { min: minutes }) : t("mine.two_steps")}</button>
      <span class="small" role="alert">${said}</span>
      <p class="row thirds">${alarm.patient && html`<a class="button plain" href=${stripOf(alarm)}>${t("alarm.to_strip")}</a>`}<a class="button plain" href=${`/alarms?open=${alarm.id}`}>${t("alarm.what_happened")}</a>${alarm.patient && html`<a class="button plain" href=${`/patients/${alarm.patient}`}>${t("mine.patient")}</a>`}</p>
    </div>
  </article>`;
}
