/** The history browser: any range of a patient, a device or a bed, gaps with their reasons, coverage stated. The address is its state. */
import { html, useEffect, useRef, useState } from "../html.js";
import { get, query } from "../api/http.js";
import { Segments } from "../components/segments.js";
import { Empty, Failed, Loading } from "../components/state-panel.js";
import { Closed, isClosed } from "../emergency/closed.js";
import { now } from "../feed/clock.js";
import { dateAndTime, when } from "../format/time.js";
import { readIn, shown as shownAs } from "../format/units.js";
import { fullName, label, param, unit } from "../format/vital.js";
import { t } from "../i18n/words.js";
import { TrendChart } from "../patient/trend-chart.js";
import { kept, params, route, set } from "../router.js";
import { CoverageLine } from "./coverage-line.js";
import { channelOf, gaps, ordered, points } from "./line-data.js";

const HOUR = 3_600_000;
const RANGES = { "1h": HOUR, "6h": 6 * HOUR, "24h": 24 * HOUR, "7d": 168 * HOUR, "30d": 720 * HOUR, "90d": 2160 * HOUR };
const USUAL = "24h";
const COLUMNS = 600;

/** What the address asks for: a range that ends now, or two fixed instants; as known now or then. */
function asked() {
  const [from, to, known] = ["from", "to", "known_at"].map((name) => Number(params.value.get(name)) || null);
  if (from && to && to > from) return { from, to, known, fixed: true };
  const range = RANGES[params.value.get("range")] ? params.value.get("range") : USUAL,
    until = now();
  return { from: until - RANGES[range], to: until, known, range };
}

export function History() {
  const { kind, id } = route.value;
  const [shown, setShown] = useState(null),
    [problem, setProblem] = useState(null);
  const latest = useRef(0);
  const { fixed, range, known } = asked();
  const load = async () => {
    const mine = ++latest.current,
      { from, to } = asked();
    const span = { from: new Date(from).toISOString(), to: new Date(to).toISOString(), known_at: known && new Date(known).toISOString() };
    try {
      const measured = await get(`/${kind}/${id}/measured${query({ ...span, columns: COLUMNS })}`);
      if (mine !== latest.current) return;
      setProblem(null);
      setShown({ from, to, measured, coverage: null });
      const coverage = await get(`/${kind}/${id}/coverage${query(span)}`);
      if (mine === latest.current) setShown({ from, to, measured, coverage });
    } catch (caught) {
      if (mine === latest.current) setProblem(caught);
    }
  };
  useEffect(() => {
    load();
  }, [kind, id, range, known, params.value.get("from"), params.value.get("to")]);
  useEffect(() => {
    document.title = t("title", { screen: t("history.title") });
  }, []);
  if (kind === "patients" && isClosed(problem)) return html`<${Closed} key=${id} patient=${id} then=${load} />`;
  const title = fixed ? t("trend.span", { from: when(asked().from, now()), to: when(asked().to, now()) }) : t(`trend.last.${range}`);
  return html`<div class="history-page">
    <div class="row wrap"><h1 class="grow">${t("history.title")} <${About} kind=${kind} id=${id} lines=${shown?.measured.lines ?? []} /></h1>
      <${Segments} label=${t("trend.range")} options=${Object.keys(RANGES).map((r) => [r, t(`trend.range_${r}`)])} chosen=${fixed ? null : range} act=${(next) => set({ range: next, from: null, to: null }, { replace: false })} /></div>
    <div class="row wrap"><p class="grow dim">${title}${known !== null && `, ${t("history.as_known", { at: dateAndTime(known) })}`}</p><${KnownAt} known=${known} /></div>
    ${problem && html`<${Failed} problem=${problem} again=${load} what=${t("history.the_history")} />`}
    ${!shown && !problem && html`<${Loading} />`}
    ${shown && html`<${Lines} ...${shown} kind=${kind} />`}
  </div>`;
}

/** Whose history it is, with the way to the page about them. */
function About({ kind, id, lines }) {
  const [line] = lines;
  if (kind === "beds") return html`<${Bed} id=${id} />`;
  if (!line) return null;
  if (kind === "devices") return html`<a href=${`/devices?open=${id}`}>${line.device.name}</a>`;
  return html`<a href=${`/patients/${id}${kept()}`}>${line.patient?.name}</a>`;
}

function Bed({ id }) {
  const [bed, setBed] = useState(null);
  useEffect(() => {
    get(`/beds/${id}/history`).then((found) => setBed(found.bed), () => setBed(null));
  }, [id]);
  return bed && html`<a href=${`/places?bed=${id}`}>${t("places.bed", { bed: bed.name })}</a>`;
}

/** Whom devices were on is told as known at this instant; empty is now. */
function KnownAt({ known }) {
  const local = known === null ? "" : new Date(known - new Date(known).getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
  const change = (event) => set({ known_at: event.target.value ? new Date(event.target.value).getTime() : null }, { replace: false });
  return html`<label class="field"><span>${t("history.known_at")}</span><input type="datetime-local" name="known_at" value=${local} onChange=${change} /></label>`;
}

function Lines({ from, to, measured, coverage, kind }) {
  const lines = ordered(measured.lines.filter((line) => line.n.length > 0));
  const zoom = (start, end) => set({ from: Math.round(start), to: Math.round(end), range: null }, { replace: false });
  return html`<section class="panel trends" aria-label=${t("history.title")} data-made-of=${measured.made_of}>
    ${measured.withheld.length > 0 && html`<p class="small" role="note">${t("history.withheld")}</p>`}
    ${lines.length === 0 && html`<${Empty} title=${t("history.none")} text=${t("history.none_text")} />`}
    ${lines.map((line) => html`<${Line} key=${`${line.device.id} ${line.channel} ${line.patient?.id} ${line.unit}`} line=${line} channel=${channelOf(line, coverage)} measured=${measured} from=${from} to=${to} zoom=${zoom} named=${kind !== "patients"} />`)}
  </section>`;
}

function Line({ line, channel, measured, from, to, zoom, named }) {
  const known = line.vital !== null,
    asRead = (value) => (known && readIn(line.vital, line.unit) !== line.unit ? shownAs(line.vital, value) : value);
  const series = [{ points: points(line, measured).map(([at, value]) => [at, asRead(value)]), gaps: gaps(line, channel, from, Math.min(to, now())) }];
  const bounds = (line.usual ?? [null, null]).map((value) => (value === null ? null : asRead(value)));
  return html`<div data-line=${line.channel}>
    ${named && line.patient && html`<p class="small"><a href=${`/history/patients/${line.patient.id}${kept()}`}>${line.patient.name}</a></p>`}
    <${TrendChart} name=${known ? fullName(line.vital) : line.label} label=${known ? label(line.vital, line.label) : line.label} unit=${known ? unit(line.vital, line.unit) : line.unit} param=${known ? param(line.vital) : "temp"}
      series=${series} bounds=${bounds} from=${from} to=${to} zoom=${zoom} />
    <${CoverageLine} line=${line} channel=${channel} />
  </div>`;
}
