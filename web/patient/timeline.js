/** What happened to a patient, the latest first: alarms, charting, devices, beds and nurses in one list. What is shown and how far back stand in the address. */
import { html, useEffect, useRef, useState } from "../html.js";
import { get, query } from "../api/http.js";
import { AlarmMark } from "../components/alarm-mark.js";
import { Segments } from "../components/segments.js";
import { Failed, Loading } from "../components/state-panel.js";
import { stripOf } from "../components/strip.js";
import { now } from "../feed/clock.js";
import { day, hhmm, ms } from "../format/time.js";
import { t } from "../i18n/words.js";
import { Icon } from "../shell/icon.js";
import { params, set } from "../router.js";
import { ending } from "./alarm-list.js";
import { observedText } from "./charted-list.js";

const KINDS = ["alarm", "charted", "device", "place"];
const DAY_MS = 86_400_000;
const BACK_DAYS = { "1d": 1, "7d": 7, "30d": 30, "90d": 90 };
const MARKS = { charted: "pen", device: "devices", place: "ward" };

const asked = () => ({ kinds: params.value.get("show")?.split(",").filter((k) => KINDS.includes(k)) ?? KINDS, back: BACK_DAYS[params.value.get("back")] ? params.value.get("back") : "1d" });

export function Timeline({ id, changed }) {
  const { kinds, back } = asked(),
    [shown, setShown] = useState(null),
    [problem, setProblem] = useState(null),
    latest = useRef(0);
  const load = async (before = null, had = []) => {
    const mine = ++latest.current,
      to = before ?? now(),
      from = now() - BACK_DAYS[back] * DAY_MS;
    try {
      const answer = await get(`/patients/${id}/timeline${query({ from: new Date(from).toISOString(), to: new Date(to).toISOString(), kinds: kinds.length === KINDS.length ? null : kinds.join(",") })}`);
      if (mine !== latest.current) return;
      const known = new Set(had.map(keyOf));
      setShown({ items: [...had, ...answer.items.filter((e) => !known.has(keyOf(e)))], more: answer.more });
      setProblem(null);
    } catch (caught) {
      if (mine === latest.current) setProblem(caught);
    }
  };
  useEffect(() => {
    load();
  }, [id, kinds.join(","), back, changed]);
  const toggle = (kind) => {
    const next = kinds.includes(kind) ? kinds.filter((k) => k !== kind) : KINDS.filter((k) => k === kind || kinds.includes(k));
    if (next.length) set({ show: next.length === KINDS.length ? null : next.join(",") });
  };
  return html`<div class="row wrap timeline-tools">
      <span class="row wrap" role="group" aria-label=${t("timeline.kinds")}>${KINDS.map((kind) => html`<button key=${kind} type="button" aria-pressed=${String(kinds.includes(kind))} onClick=${() => toggle(kind)}>${t(`timeline.kind.${kind}`)}</button>`)}</span>
      <${Segments} label=${t("timeline.back")} options=${Object.keys(BACK_DAYS).map((b) => [b, t(`timeline.back_${b}`)])} chosen=${back} act=${(b) => set({ back: b === "1d" ? null : b })} />
    </div>
    ${problem && html`<${Failed} problem=${problem} again=${() => load()} what=${t("timeline.the_list")} />`}
    ${!shown && !problem && html`<${Loading} />`}
    ${shown && shown.items.length === 0 && html`<p class="dim">${t("timeline.none")}</p>`}
    ${shown && html`<ol class="timeline">${shown.items.map((e, i) => html`<${Event} key=${keyOf(e)} event=${e} first=${i === 0 || day(e.at, 0) !== day(shown.items[i - 1].at, 0)} />`)}</ol>
      ${shown.more && html`<p class="foot"><button type="button" onClick=${() => load(ms(shown.items.at(-1).at), shown.items)}>${t("act.more")}</button></p>`}`}`;
}

const keyOf = (e) => `${e.at}/${e.what}/${e.alarm?.id ?? e.device?.id ?? e.bed?.id ?? ""}`;

function Event({ event, first }) {
  const { alarm, kind } = event;
  return html`${first && html`<li class="timeline-day"><h3>${day(event.at, now())}</h3></li>`}
    <li data-kind=${kind} data-what=${event.what}>
      <time class="faint nowrap" datetime=${event.at}>${hhmm(event.at)}</time>
      <span class="timeline-mark" aria-hidden=${alarm ? undefined : "true"}>${alarm ? html`<${AlarmMark} priority=${alarm.priority} size=${16} hollow=${event.what === "ended" || alarm.state !== "active"} />` : html`<${Icon} name=${MARKS[kind]} size=${16} />`}</span>
      <span><${What} event=${event} /></span>
      ${alarm && event.what === "raised" ? html`<span class="row small"><a href=${`/alarms?open=${alarm.id}`}>${t("alarm.what_happened")}</a><a href=${stripOf(alarm)}>${t("alarm.to_strip")}</a></span>` : html`<span></span>`}
    </li>`;
}

/** One event as the ward would say it. */
function What({ event: { what, alarm, charted, device, bed, nurse } }) {
  if (what === "raised") return html`<b>${alarm.title}</b> <span class="dim">${alarm.detail}</span>`;
  if (what === "ended") return html`<span class="dim">${t("timeline.ended", { title: alarm.title, how: ending(alarm) })}</span>`;
  if (what === "charted") return html`<b>${observedText(charted)}</b>${charted.note ? html` <span class="dim">${charted.note}</span>` : null} <span class="small faint">${charted.by?.name ?? ""}</span>`;
  if (what === "nurse") return nurse ? t("timeline.nurse", { name: nurse.name, bed: bed.name }) : t("timeline.no_nurse", { bed: bed.name });
  return t(`timeline.what.${what}`, { device: device?.name ?? "", bed: bed?.name ?? "" });
}
