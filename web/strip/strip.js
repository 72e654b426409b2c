/** A strip of the record on millimetre paper: any moment, the speeds and gains of paper, calipers, and a sheet to print. The address is all of it. */
import { html, useEffect, useMemo, useRef, useState } from "../html.js";
import { get, query } from "../api/http.js";
import { Empty, Failed, Loading } from "../components/state-panel.js";
import { Closed, isClosed } from "../emergency/closed.js";
import { now } from "../feed/clock.js";
import { ms } from "../format/time.js";
import { t } from "../i18n/words.js";
import { params, route } from "../router.js";
import { perMm, ruler, zoomOf } from "../wave/scale.js";
import { joined } from "../wave/blank.js";
import { LANE_MM, median, read, rows, scale } from "./paper.js";
import { Calipers, useCalipers } from "./calipers.js";
import { Sheet } from "./sheet.js";
import { StripRow } from "./strip-row.js";
import { Tools } from "./tools.js";

const LENGTHS_S = [10, 30, 60];
const SPEEDS = [12.5, 25, 50];
const GAINS = [5, 10, 20];
/** An alarm is told a moment after what raised it; most of what one wants to see lies before. */
const BEFORE_PART = 0.7;
const LANES_MAX = 4;
/** The record is readable a moment after it was measured. */
const READABLE_MS = 2500;

/** Heart, pulse, pressure, breath: as on the monitor at the bedside. */
const ORDER = ["ecg", "spo2", "bp", "resp"];
const place = (w) => ORDER.indexOf(w.param) + 1 || ORDER.length + 1;

/** What the address asks for, with the usual where it is silent. */
function asked() {
  const number = (name, among, usual) => (among.includes(Number(params.value.get(name))) ? Number(params.value.get(name)) : usual);
  const len_s = number("len", LENGTHS_S, 10);
  return { at: Number(params.value.get("at")) || null, len_s, speed: number("speed", SPEEDS, 25), gain: number("gain", GAINS, 10), leads: params.value.get("leads")?.split(",") ?? null, alarm: params.value.get("alarm") };
}

function useRecord(id, view) {
  const [found, setFound] = useState({ page: null, signals: null, alarm: null, problem: null });
  const until = useRef(null);
  const latest = useRef(0);
  const load = async () => {
    const mine = ++latest.current;
    try {
      const [page, alarm] = await Promise.all([get(`/patients/${id}`), view.alarm ? get(`/alarms/${view.alarm}`).catch(() => null) : null]);
      until.current ??= now() - READABLE_MS;
      const at = view.at ?? (alarm ? ms(alarm.raised_at ?? alarm.since) : until.current - (1 - BEFORE_PART) * view.len_s * 1000);
      const from = at - view.len_s * 1000 * BEFORE_PART,
        to = from + view.len_s * 1000;
      const range = { from: new Date(from).toISOString(), to: new Date(to).toISOString() };
      const known = page.waves.filter((w, i) => page.waves.findIndex((v) => v.channel === w.channel) === i).sort((a, b) => place(a) - place(b));
      const wanted = (view.leads ? known.filter((w) => view.leads.includes(w.channel)) : known).slice(0, LANES_MAX);
      const signals = await Promise.all(wanted.map(async (w) => ({ ...w, ...(await get(`/patients/${id}/waves${query({ channel: w.channel, ...range })}`)) })));
      if (mine === latest.current) setFound({ page, known, alarm, at, from, to, signals: signals.map((s) => ({ ...s, gaps: joined(s.gaps), spans: s.spans.map((span) => read(span, s.gaps)) })), problem: null });
    } catch (problem) {
      if (mine === latest.current) setFound({ page: null, signals: null, alarm: null, problem });
    }
  };
  useEffect(() => {
    load();
  }, [id, view.at, view.len_s, view.alarm, view.leads?.join(",")]);
  return { ...found, load };
}

/** The lanes of a sheet one under the other, each with how its values become millimetres. */
function laidOut(signals, gain) {
  let top = 0;
  return signals.map((signal) => {
    const volts = signal.unit === "mV",
      height = volts ? LANE_MM.mV : LANE_MM.other,
      lane = { ...signal, volts, top, height, base: median(signal.spans), y: scale(signal.spans, height, volts ? gain : null) };
    top += height;
    return lane;
  });
}

export function Strip() {
  const { id } = route.value,
    view = asked(),
    record = useRecord(id, view);
  const name = record.page ? `${record.page.patient.given_name} ${record.page.patient.family_name}` : "";
  useEffect(() => {
    document.title = t("title", { screen: name ? t("strip.of", { name }) : t("strip.title") });
  }, [name]);
  if (isClosed(record.problem)) return html`<${Closed} key=${id} patient=${id} then=${record.load} />`;
  if (record.problem) return html`<${Failed} problem=${record.problem} again=${record.load} what=${t("strip.the_strip")} />`;
  if (!record.signals) return html`<${Loading} />`;
  return html`<${Found} record=${record} view=${view} name=${name} />`;
}

function Found({ record, view, name }) {
  const box = useRef(null);
  const [width, setWidth] = useState(null);
  useEffect(() => {
    const measure = () => {
      const per_px = perMm(zoomOf(box.current)) / zoomOf(box.current);
      setWidth({ per_px, mm: Math.max(50, Math.floor(box.current.clientWidth / per_px / 5) * 5) });
    };
    const resized = new ResizeObserver(measure);
    resized.observe(box.current);
    return () => resized.disconnect();
  }, [ruler.value]);
  const lanes = useMemo(() => laidOut(record.signals, view.gain), [record.signals, view.gain]);
  const calipers = useCalipers(record, lanes);
  const empty = lanes.every((lane) => lane.spans.length === 0);
  const height = lanes.reduce((sum, lane) => sum + lane.height, 0);
  const marks = [record.alarm && { at: ms(record.alarm.raised_at ?? record.alarm.since), text: record.alarm.title }].filter(Boolean);
  const laid = width && { rows: rows(record.from, record.to, (Math.min(width.mm, (view.len_s * view.speed)) / view.speed) * 1000), width: Math.min(width.mm, view.len_s * view.speed) };
  return html`<div class="strip-page">
    <${Tools} record=${record} view=${view} name=${name} lengths=${LENGTHS_S} speeds=${SPEEDS} gains=${GAINS} />
    <section class="panel strip-paper screen-only" ref=${box} aria-label=${t("strip.paper")}>
      ${lanes.length === 0 && html`<${Empty} title=${t("strip.none")} text=${t("strip.none_text")} />`}
      ${lanes.length > 0 && empty && html`<p class="dim small">${t("strip.nothing_then")}</p>`}
      ${laid && lanes.length > 0 && laid.rows.map((row, i) => html`<${StripRow} key=${i} row=${row} lanes=${lanes} speed=${view.speed} size=${{ width: laid.width, height }} marks=${marks}
        calipers=${calipers.shown} scale_px=${width.per_px} name=${`row${i}`} label=${t("strip.row", { name, n: i + 1 })} pointer=${calipers.pointer(row, laid.width, height, view.speed)} />`)}
      <p class="small faint">${ruler.value ? t("strip.to_scale") : t("wave.not_to_scale")}</p>
    </section>
    <${Calipers} calipers=${calipers} lanes=${lanes} />
    <${Sheet} record=${record} view=${view} name=${name} lanes=${lanes} marks=${marks} calipers=${calipers.shown} />
  </div>`;
}

