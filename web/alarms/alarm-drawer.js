/** One alarm to its end: the strip, the answer, its whole life with the proof of each step, and how a person may end it. */
import { html, useEffect, useState } from "../html.js";
import * as act from "../api/act.js";
import { get } from "../api/http.js";
import { Answer } from "../components/answer.js";
import { Drawer, Life, Pairs } from "../components/drawer.js";
import { Failed, Loading } from "../components/state-panel.js";
import { nameOf, Strip, stripOf } from "../components/strip.js";
import { takeAlarms } from "../feed/state.js";
import { now } from "../feed/clock.js";
import { hhmmss, ms, when } from "../format/time.js";
import { fullName } from "../format/vital.js";
import { t, word } from "../i18n/words.js";
import { EndForm } from "./end-form.js";
import { StripAt } from "./strip-at.js";

export function AlarmDrawer({ id, known, answer, close }) {
  const [full, setFull] = useState(null),
    [problem, setProblem] = useState(null);
  const load = () => get(`/alarms/${id}`).then((alarm) => { setFull(alarm); setProblem(null); }, setProblem);
  // Its life grows with each step of its own.
  useEffect(() => {
    load();
  }, [id, known.state, known.step, known.quiet_until, known.told?.length]);
  const alarm = known.title ? known : full;
  if (!alarm) return html`<${Drawer} id=${id} title=${t("screen.alarms")} close=${close}>${problem ? html`<${Failed} problem=${problem} again=${load} />` : html`<${Loading} />`}</${Drawer}>`;
  const end = async (reason, words) => {
    const ended = await act.endAlarm(id, reason, words);
    if (ended) takeAlarms([ended]);
    await load();
  };
  const where = alarm.bed_name ? t("alarm.where", { bed: alarm.bed_name, name: alarm.patient_name ?? "" }) : (alarm.patient_name ?? t("who.no_patient"));
  const standing = alarm.state !== "ended";
  return html`<${Drawer} id=${id} title=${alarm.title} sub=${where} close=${close}>
    <div class="alarm-card drawer-strip" data-priority=${alarm.priority} data-state=${alarm.state}><${Strip} alarm=${alarm} /></div>
    ${alarm.patient && html`<${StripAt} patient=${alarm.patient} at=${alarm.raised_at ?? alarm.since} href=${stripOf(alarm)} />`}
    ${standing && html`<section><${Answer} alarm=${alarm} act=${(seconds) => answer(alarm, seconds).then(load)} first=${true} /></section>`}
    <section><h3>${t("alarm.life")}</h3>
      ${full ? html`<${Life} events=${events(full, alarm)} />` : problem ? html`<${Failed} problem=${problem} again=${load} />` : html`<${Loading} />`}</section>
    <section><h3>${t("alarm.why")}</h3>
      <${Pairs} list=${[[t("alarm.limit"), alarm.detail], [t("alarm.kind"), word("class", alarm.class)], [t("alarm.code"), alarm.code && html`<span class="mono">${alarm.code}</span>`],
        [t("alarm.began"), when(alarm.since, now())], [t("alarm.latched"), alarm.latched ? t("alarm.latched_text") : null], [t("alarm.number"), html`<span class="mono">${alarm.id}</span>`]]} />
      ${alarm.patient && html`<p class="row wrap"><a href=${`/patients/${alarm.patient}`}>${t("alarm.to_patient")}</a>
        ${alarm.vital && html`<a href=${trendOf(alarm)} data-trend>${t("alarm.to_trend", { vital: fullName(alarm.vital) })}</a><a href=${`/alarms?state=ended&vital=${alarm.vital}`} data-same-vital>${t("alarm.same_vital")}</a>`}</p>`}</section>
    ${standing && html`<section><${EndForm} alarm=${alarm} end=${end} /></section>`}
  </${Drawer}>`;
}

const AROUND_MS = 30 * 60_000;

/** The chart of its patient from half an hour before it to half an hour after its end, if that is over yet. */
function trendOf(alarm) {
  const from = ms(alarm.since) - AROUND_MS,
    to = Math.min(now(), ms(alarm.ended_at ?? alarm.raised_at ?? alarm.since) + AROUND_MS);
  return `/patients/${alarm.patient}?from=${Math.round(from)}&to=${Math.round(to)}`;
}

/** One thing that happened. Who was told did nothing yet: the machine told them. */
function told(e) {
  const did = e.by && e.what !== "told";
  const text = e.what === "told" && e.by ? t("alarm.told_who", { name: nameOf(e.by) }) : did ? t("alarm.did", { name: nameOf(e.by), what: word("life", e.what) }) : word("life", e.what);
  return { at: hhmmss(e.at), kind: did ? "person" : "machine", strong: e.what === "raised" || Boolean(did), text, proof: e.detail };
}

/** What happened, and what will happen next if nobody comes. */
function events(full, alarm) {
  const past = (full.life ?? []).map(told);
  if (alarm.state === "active" && alarm.next_step_at) past.push({ at: hhmmss(alarm.next_step_at), kind: "next", text: t("alarm.next_if_nobody") });
  if (alarm.state === "acknowledged" && alarm.quiet_until) past.push({ at: hhmmss(alarm.quiet_until), kind: "next", text: t("alarm.sounds_again") });
  if (past.at(-1)?.kind === "next" && past.at(-2)?.kind === "machine") past.at(-2).kind = "wait";
  return past;
}
