/** The alarms of a patient, standing ones first, each leading to its whole life. */
import { html } from "../html.js";
import { AlarmMark } from "../components/alarm-mark.js";
import { held, nameOf } from "../components/strip.js";
import { now } from "../feed/clock.js";
import { ms, span, when } from "../format/time.js";
import { t, word } from "../i18n/words.js";
import { byUrgency } from "../feed/state.js";

const LIST_MAX = 12;

const upper = (text) => text.charAt(0).toUpperCase() + text.slice(1);

/** How it stands or ended, in one phrase. */
export function ending(alarm) {
  if (alarm.state !== "ended") return held(alarm);
  const lasted = alarm.ended_at ? span(ms(alarm.ended_at) - ms(alarm.raised_at ?? alarm.since)) : "";
  const how = alarm.end ? upper(word("end", alarm.end)) : t("end.over");
  if (alarm.acknowledged_by) return t("alarm.over_by", { span: lasted, how, name: nameOf(alarm.acknowledged_by) });
  return t("alarm.over_after", { span: lasted, how });
}

const sorted = (alarms) => {
  const standing = alarms.filter((a) => a.state !== "ended").sort(byUrgency);
  const ended = alarms.filter((a) => a.state === "ended").sort((a, b) => ms(b.ended_at ?? b.since) - ms(a.ended_at ?? a.since));
  return [...standing, ...ended];
};

export const AlarmList = ({ alarms }) => html`<section class="panel" aria-label=${t("alarm.list")}>
  <h2>${t("alarm.list")}</h2>
  ${alarms.length === 0 && html`<p class="small dim">${t("alarm.list_none")}</p>`}
  <ol class="today">${sorted(alarms).slice(0, LIST_MAX).map((a) => html`<li key=${a.id}>
    <${AlarmMark} priority=${a.priority} size=${16} hollow=${a.state !== "active"} />
    <time class="faint">${when(a.raised_at ?? a.since, now())}</time>
    <span><a class="strong" href=${`/alarms?open=${a.id}`}>${a.title}</a> <span class="dim">${a.detail}</span></span>
    <span class="small dim">${ending(a)}</span></li>`)}</ol>
</section>`;
