/** The history browser: any range of a patient, a device or a place, gaps with their reasons, coverage stated. The address is its state. */
import { html, useEffect, useRef, useState } from "../html.js";
import { get, query } from "../api/http.js";
import { Segments } from "../components/segments.js";
import { Failed, Loading } from "../components/state-panel.js";
import { TimeField } from "../components/time-field.js";
import { Closed, isClosed } from "../emergency/closed.js";
import { now } from "../feed/clock.js";
import { dateAndTime, when } from "../format/time.js";
import { t } from "../i18n/words.js";
import { kept, params, route, set } from "../router.js";
import { ByPlace } from "./by-place.js";
import { ChannelPick } from "./channel-pick.js";
import { Lines } from "./lines.js";
import { PlaceName, PlacePick } from "./place-pick.js";

const HOUR = 3_600_000;
const RANGES = { "1h": HOUR, "6h": 6 * HOUR, "24h": 24 * HOUR, "7d": 168 * HOUR, "30d": 720 * HOUR, "90d": 2160 * HOUR };
const USUAL = "24h";
const COLUMNS = 600;
const PLACES = new Set(["beds", "rooms", "care-units", "sites"]);

/** What the address asks for: a range that ends now, or two fixed instants; as known now or then. */
function asked() {
  const [from, to, known] = ["from", "to", "known_at"].map((name) => Number(params.value.get(name)) || null);
  if (from && to && to > from) return { from, to, known, fixed: true };
  const range = RANGES[params.value.get("range")] ? params.value.get("range") : USUAL,
    until = now();
  return { from: until - RANGES[range], to: until, known, range };
}

/** What the address narrows it to. */
const only = () => Object.fromEntries(["channel", "device", "patient"].map((name) => [name, params.value.get(name)]));

/** Two pages of an answer as one, on the axis of the first; `of` is where its items stand. */
export const joined = (first, second, of) => ({ ...first, next: second.next, [of]: [...first[of], ...second[of]], withheld: [...first.withheld, ...second.withheld] });

function useHistory(kind, id) {
  const [shown, setShown] = useState(null),
    [problem, setProblem] = useState(null),
    [isAsking, setAsking] = useState(false);
  const latest = useRef(0),
    asks = useRef(null);
  /** A list of corrections with all that follows its first page. */
  const pages = async (page, span) => {
    let [items, next] = [page.items, page.next];
    while (next) {
      const more = await get(`/${kind}/${id}/corrections${query({ ...span, cursor: next })}`);
      [items, next] = [[...items, ...more.items], more.next];
    }
    return { ...page, items };
  };
  const load = async () => {
    setAsking(false);
    const mine = ++latest.current,
      { from, to, known } = asked(),
      span = { from: new Date(from).toISOString(), to: new Date(to).toISOString(), known_at: known && new Date(known).toISOString() };
    const asking = { ...span, ...only() },
      tell = (more) => mine === latest.current && setShown((was) => ({ ...was, ...more }));
    try {
      const measured = await get(`/${kind}/${id}/measured${query({ ...asking, columns: COLUMNS })}`);
      if (mine !== latest.current) return;
      setProblem(null);
      setShown((was) => ({ from, to, asking, measured, coverage: null, counted: null, list: was?.list || null }));
    } catch (caught) {
      if (mine !== latest.current) return;
      // What another range was like is not told below the name of this one.
      setShown(null);
      setProblem(caught);
      return;
    }
    if (!PLACES.has(kind)) get(`/${kind}/${id}/corrections${query(span)}`).then((page) => pages(page, span)).then((corrections) => tell({ corrections }), () => tell({ corrections: false }));
    if (PLACES.has(kind)) get(`/${kind}/${id}/measured-by${query(span)}`).then((list) => tell({ list }), () => tell({ list: false }));
    await get(`/${kind}/${id}/coverage${query(asking)}`).then((coverage) => tell({ coverage, counted: true }), () => tell({ counted: false }));
  };
  /** One page more at a time, and none of a range that was left meanwhile. */
  const told = (act) => async () => {
    const mine = latest.current;
    if (asks.current === mine) return;
    asks.current = mine;
    setAsking(true);
    try {
      const change = await act();
      if (mine !== latest.current) return;
      setShown((was) => ({ ...was, ...change(was) }));
      setProblem(null);
    } catch (caught) {
      if (mine === latest.current) setProblem(caught);
    } finally {
      if (mine === latest.current) {
        asks.current = null;
        setAsking(false);
      }
    }
  };
  /** What follows, behind what is there. */
  const more = async () => {
    const { measured, coverage, asking } = shown,
      page = (of, next, columns) => (next ? get(`/${kind}/${id}/${of}${query({ ...asking, columns, cursor: next })}`) : null);
    const [lines, channels] = await Promise.all([page("measured", measured.next, COLUMNS), page("coverage", coverage?.next)]);
    return (was) => ({ measured: lines ? joined(was.measured, lines, "lines") : was.measured, coverage: channels ? joined(was.coverage, channels, "channels") : was.coverage });
  };
  const moreOf = async () => {
    const { list, asking } = shown,
      next = await get(`/${kind}/${id}/measured-by${query({ ...asking, channel: null, device: null, patient: null, cursor: list.next })}`);
    return (was) => ({ list: joined(was.list, next, "items") });
  };
  return { shown, problem, isAsking, load, more: told(more), moreOf: told(moreOf) };
}

export function History() {
  const { kind, id } = route.value;
  return html`<${Of} key=${`${kind}/${id}`} kind=${kind} id=${id} />`;
}

function Of({ kind, id }) {
  const { shown, problem, isAsking, load, more, moreOf } = useHistory(kind, id),
    { fixed, range, known } = asked();
  useEffect(() => {
    load();
  }, [range, known, ...["from", "to", "channel", "device", "patient"].map((name) => params.value.get(name))]);
  useEffect(() => {
    document.title = t("title", { screen: t("history.title") });
  }, []);
  if (kind === "patients" && isClosed(problem)) return html`<${Closed} key=${id} patient=${id} then=${load} />`;
  const title = fixed ? t("trend.span", { from: when(asked().from, now()), to: when(asked().to, now()) }) : t(`trend.last.${range}`);
  return html`<div class="history-page">
    <div class="row wrap"><h1 class="grow">${t("history.title")} <${About} kind=${kind} id=${id} lines=${shown?.measured.lines ?? []} /></h1>
      <${Segments} label=${t("trend.range")} options=${Object.keys(RANGES).map((r) => [r, t(`trend.range_${r}`)])} chosen=${fixed ? null : range} act=${(next) => set({ range: next, from: null, to: null }, { replace: false })} /></div>
    <div class="row wrap history-asks"><p class="grow dim">${title}${known !== null && `, ${t("history.as_known", { at: dateAndTime(known) })}`}</p>
      <${ChannelPick} coverage=${shown?.coverage} list=${shown?.list} />
      <${PlacePick} kind=${kind} id=${id} />
      <${TimeField} label=${t("history.known_at")} name="known_at" value=${known} act=${(time) => set({ known_at: time }, { replace: false })} /></div>
    ${problem && html`<${Failed} problem=${problem} again=${load} what=${t("history.the_history")} />`}
    ${!shown && !problem && html`<${Loading} />`}
    ${shown && html`<${ByPlace} list=${shown.list} isAsking=${isAsking} more=${moreOf} />`}
    ${shown && html`<${Lines} ...${shown} kind=${kind} isAsking=${isAsking} more=${more} again=${load} />`}
  </div>`;
}

/** Whose history it is, with the way to the page about them. */
function About({ kind, id, lines }) {
  const [line] = lines;
  if (PLACES.has(kind)) return html`<${PlaceName} kind=${kind} id=${id} />`;
  if (!line) return null;
  if (kind === "devices") return html`<a href=${`/devices?open=${id}`}>${line.device.name}</a>`;
  return html`<a href=${`/patients/${id}${kept()}`}>${line.patient?.name}</a>`;
}
