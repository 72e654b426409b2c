/** The story so far: one chart for each vital, one crosshair through all, gaps as gaps. The range stands in the address. */
import { html, useEffect, useRef, useState } from "../html.js";
import { get, query } from "../api/http.js";
import { Covered } from "../components/covered.js";
import { Segments } from "../components/segments.js";
import { Failed, Loading } from "../components/state-panel.js";
import { now } from "../feed/clock.js";
import { hhmm, when } from "../format/time.js";
import { readIn, shown as shownAs } from "../format/units.js";
import { fullName, label, param, unit } from "../format/vital.js";
import { t, word } from "../i18n/words.js";
import { kept, params, set } from "../router.js";
import { steps } from "./score-data.js";
import { inputLines } from "./score-story.js";
import { TrendChart } from "./trend-chart.js";

const MIN = 60_000;
const RANGES = { "15m": 15 * MIN, "1h": 60 * MIN, "6h": 360 * MIN, "24h": 1440 * MIN, "7d": 7 * 1440 * MIN, "30d": 30 * 1440 * MIN, "90d": 90 * 1440 * MIN };
const USUAL = "1h";
const POINTS = 480;
const VITALS = ["heart_rate", "saturation", "respiratory_rate", "systolic_pressure", "diastolic_pressure", "temperature"];
const CHARTS = [["heart_rate"], ["saturation"], ["respiratory_rate"], ["systolic_pressure", "diastolic_pressure"], ["temperature"]];

/** From 5 points an urgent review, from 7 an emergency (Royal College of Physicians, NEWS2, 2017). */
const URGENT = [5, 7];
const lacking = ({ missing, why }) => {
  const reason = (input) => why?.find((it) => it.input === input)?.reason,
    named = (input) => (reason(input) ? t("news2.because", { name: t(`news2.input.${input}`), why: word("missing", reason(input)) }) : t(`news2.input.${input}`));
  return t("news2.lacks", { names: (missing ?? []).map(named).join(", ") });
};

/** The span that the address asks for: a range that ends now, or two fixed instants. */
function asked() {
  const from = Number(params.value.get("from")),
    to = Number(params.value.get("to"));
  if (from && to && to > from) return { from, to, fixed: true };
  const range = RANGES[params.value.get("range")] ? params.value.get("range") : USUAL;
  const until = now();
  return { from: until - RANGES[range], to: until, range };
}

export function Trends({ id, numerics, limits }) {
  const [shown, setShown] = useState(null),
    [problem, setProblem] = useState(null);
  const latest = useRef(0);
  const load = async () => {
    const mine = ++latest.current,
      { from, to } = asked();
    try {
      const span = { from: new Date(from).toISOString(), to: new Date(to).toISOString() };
      const [answer, scored] = await Promise.all([get(`/patients/${id}/trends${query({ ...span, vital: VITALS.join(","), points: POINTS })}`), get(`/patients/${id}/scores${query(span)}`).catch(() => ({ scores: [], inputs: [], covered: null }))]);
      if (mine !== latest.current) return;
      setShown({ from, to, series: answer.series, score: steps(scored.scores, from, Math.min(to, now()), lacking), scored });
      setProblem(null);
    } catch (caught) {
      if (mine === latest.current) setProblem(caught);
    }
  };
  const { fixed, range } = asked();
  useEffect(() => {
    load();
    if (fixed) return undefined;
    const timer = setInterval(load, Math.max(5000, RANGES[range] / POINTS));
    return () => clearInterval(timer);
  }, [id, range, params.value.get("from"), params.value.get("to")]);
  const choose = (next) => set({ range: next, from: null, to: null });
  const zoom = (from, to) => set({ from: Math.round(from), to: Math.round(to), range: null }, { replace: false });
  const title = fixed ? t("trend.span", { from: when(asked().from, now()), to: hhmm(asked().to) }) : t(`trend.last.${range}`);
  return html`<section class="panel trends" aria-label=${t("trend.title")}>
    <div class="row wrap"><h2 class="grow">${title}</h2><a class="small" href=${`/history/patients/${id}${kept()}`}>${t("history.open")}</a>
      <${Segments} label=${t("trend.range")} options=${Object.keys(RANGES).map((r) => [r, t(`trend.range_${r}`)])} chosen=${fixed ? null : range} act=${choose} /></div>
    ${problem && !shown && html`<${Failed} problem=${problem} again=${load} what=${t("trend.the_trend")} />`}
    ${!shown && !problem && html`<${Loading} />`}
    ${shown && (shown.score.points.length > 0 || shown.score.gaps.length > 0) && html`<${TrendChart} key="score" name=${t("news2.name")} label=${t("news2.name")} unit="" param="score" series=${[shown.score]} bounds=${URGENT} from=${shown.from} to=${shown.to} zoom=${zoom} covered=${html`<${Covered} covered=${shown.scored.covered} lines=${inputLines(shown.scored)} />`} />`}
    ${shown && CHARTS.map((vitals) => html`<${One} key=${vitals[0]} vitals=${vitals} shown=${shown} numerics=${numerics} limits=${limits} zoom=${zoom} />`)}
  </section>`;
}

/** A chart of one vital, or of two that belong together; a vital that no device promised and none measured has none. */
function One({ vitals, shown, numerics, limits, zoom }) {
  const there = vitals.map((v) => shown.series.find((s) => s.vital === v)).filter((s, i) => s && (s.points.length > 0 || (i === 0 && s.covered?.promised_s > 0)));
  const series = there.map((s) => (readIn(s.vital, s.unit) === s.unit ? s : { ...s, points: s.points.map(([at, value]) => [at, shownAs(s.vital, value)]) }));
  if (series.length === 0) return null;
  const [vital] = vitals,
    current = numerics.find((n) => n.vital === vital),
    own = (limits ?? []).find((l) => l.vital === vital);
  const read = (value) => shownAs(vital, value);
  const bounds = [own?.low?.limit ?? current?.low, own?.high?.limit ?? current?.high].map(read);
  return html`<${TrendChart} name=${fullName(vital)} label=${vitals.length > 1 ? t("vital.short.pressure") : label(vital, series[0].label)} unit=${unit(vital, series[0].unit)} param=${param(vital)}
    series=${series} bounds=${bounds} from=${shown.from} to=${shown.to} zoom=${zoom} covered=${html`<${Covered} covered=${there[0].covered} />`} />`;
}
