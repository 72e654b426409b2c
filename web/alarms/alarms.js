/** Alarms: mine, the care unit's, all. A row answers how bad, what, who, since when and whose; the drawer proves it. */
import { html, useEffect, useRef, useState } from "../html.js";
import { get, query } from "../api/http.js";
import { Segments } from "../components/segments.js";
import { Empty, Failed, Loading } from "../components/state-panel.js";
import { alarms as live, byUrgency, counts, session, unit } from "../feed/state.js";
import { ms } from "../format/time.js";
import { fullName } from "../format/vital.js";
import { t } from "../i18n/words.js";
import { params, set } from "../router.js";
import { Title } from "../shell/shell.js";
import { unitName } from "../shell/role.js";
import { useHeldOrder } from "../ward/use-held-order.js";
import { answer } from "./answering.js";
import { AlarmDrawer } from "./alarm-drawer.js";
import { AlarmRow } from "./alarm-row.js";

const PAGE = 100;
/** Scrolled further than this, new rows wait. */
const SCROLLED_PX = 24;

const FITS = {
  mine: (a) => a.mine,
  care_unit: (a) => a.care_unit === unit.value?.id,
  all: () => true,
};

/** Standing ones by urgency, then what is over, the newest first. */
function sorted(list) {
  const over = (a) => ms(a.ended_at ?? a.raised_at ?? a.since);
  const standing = list.filter((a) => a.state !== "ended").sort(byUrgency);
  return [...standing, ...list.filter((a) => a.state === "ended").sort((a, b) => over(b) - over(a))];
}

export function Alarms() {
  const scope = params.value.get("scope") ?? "care_unit",
    state = params.value.get("state") ?? "any",
    vital = params.value.get("vital"),
    open = params.value.get("open");
  const page = usePages(scope, state, vital);
  useEffect(() => {
    document.title = t("title", { screen: t("screen.alarms") });
  }, []);
  const fresh = [...live.value.values()].filter((a) => FITS[scope](a) && (!vital || a.vital === vital) && (state !== "ended" || a.state === "ended") && (state !== "standing" || a.state !== "ended"));
  const known = new Map((page.items ?? []).map((a) => [a.id, live.value.get(a.id) ?? a]));
  const [waiting, admit] = useWaiting(fresh, known, open);
  const rows = new Map([...known, ...fresh.filter((a) => !waiting.has(a.id)).map((a) => [a.id, a])]);
  const [order, , , ref] = useHeldOrder(sorted([...rows.values()]).map((a) => a.id));
  const shown = order.map((alarm) => rows.get(alarm)).filter(Boolean);
  const chosen = open ? (live.value.get(open) ?? known.get(open) ?? { id: open }) : null;
  const scopes = [["mine", t("alarms.mine")], ["care_unit", unitName() || t("alarms.unit")], ["all", t("alarms.all")]];
  return html`<${Title} title=${t("screen.alarms")}>
      ${waiting.size > 0 && html`<button type="button" class="waiting" onClick=${admit}>${t("alarms.waiting", { n: waiting.size })}</button>`}
      <${Segments} label=${t("alarms.whose")} options=${scopes} chosen=${scope} act=${(v) => set({ scope: v })} />
      <${Segments} label=${t("alarms.state")} options=${["any", "standing", "ended"].map((s) => [s, t(`alarms.state_${s}`)])} chosen=${state} act=${(v) => set({ state: v })} />
      ${vital && html`<button type="button" data-only-vital onClick=${() => set({ vital: null })}>${t("alarms.only_vital", { vital: fullName(vital) })} ✕</button>`}
    </${Title}>
    ${page.problem && html`<${Failed} problem=${page.problem} again=${page.load} what=${t("alarms.the_list")} />`}
    ${!page.items && !page.problem && html`<${Loading} />`}
    ${page.items && html`<div class=${`split ${chosen ? "open" : ""}`} ref=${ref}>
      ${shown.length === 0 ? html`<${Empty} title=${t("alarms.none")} text=${t("alarms.none_text")} />` : html`<section class="panel scroll"><${Table} rows=${shown} open=${open} answer=${answer} more=${page.more} /></section>`}
      ${chosen && html`<${AlarmDrawer} key=${chosen.id} id=${chosen.id} known=${chosen} answer=${answer} close=${() => set({ open: null })} />`}
    </div>`}`;
}

function Table({ rows, open, answer, more }) {
  const heads = ["priority", "what", "who", "since", "state"];
  return html`<table class="table">
    <thead><tr>${heads.map((name) => html`<th key=${name} class=${name === "since" ? "num" : name === "state" ? "narrow-hide state-cell" : ""}>${t(`alarms.head.${name}`)}</th>`)}<th><span class="hidden">${t("alarms.head.act")}</span></th></tr></thead>
    <tbody>${rows.map((alarm) => html`<${AlarmRow} key=${alarm.id} alarm=${alarm} chosen=${alarm.id === open} answer=${answer} open=${() => set({ open: alarm.id }, { replace: false })} />`)}</tbody>
  </table>
  ${more && html`<p class="foot"><button type="button" onClick=${more}>${t("act.more")}</button></p>`}`;
}

/** The pages of the list that have been fetched. A fresh picture of the unit or a new count fetches the first again. */
function usePages(scope, state, vital) {
  const [page, setPage] = useState({ items: null, next: null, problem: null });
  const latest = useRef(0);
  const fetch = async (cursor, before) => {
    const mine = ++latest.current;
    try {
      const answer = await get(`/alarms${query({ scope, care_unit: scope === "care_unit" ? unit.value?.id : null, state, vital, limit: PAGE, cursor })}`);
      if (mine === latest.current) setPage({ items: [...before, ...answer.items], next: answer.next, problem: null });
    } catch (problem) {
      if (mine === latest.current) setPage({ items: null, next: null, problem });
    }
  };
  const load = () => fetch(null, []);
  useEffect(() => {
    if (scope === "care_unit" && !unit.value && session.value.care_units?.length) return;
    load();
  }, [scope, state, vital, unit.value?.id]);
  return { ...page, load, more: page.next ? () => fetch(page.next, page.items) : null };
}

/** New alarms wait behind a counter while somebody has scrolled, points at a row or reads one; unanswered ones are counted in the bar all the same. */
function useWaiting(fresh, known, open) {
  const admitted = useRef(new Set());
  const [, again] = useState(0);
  counts.value;
  const held = scrollY > SCROLLED_PX || Boolean(open) || document.querySelector(".table tbody:hover") !== null;
  const waiting = new Set();
  for (const alarm of fresh) {
    if (known.has(alarm.id) || admitted.current.has(alarm.id)) continue;
    if (held) waiting.add(alarm.id);
    else admitted.current.add(alarm.id);
  }
  const admit = () => {
    for (const id of waiting) admitted.current.add(id);
    scrollTo(0, 0);
    again((n) => n + 1);
  };
  return [waiting, admit];
}
