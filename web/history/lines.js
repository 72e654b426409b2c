/** The lines of a history: a chart for each series, a band for each waveform, and for each how much of it is there. */
import { html } from "../html.js";
import { Empty } from "../components/state-panel.js";
import { now } from "../feed/clock.js";
import { readIn, shown as shownAs } from "../format/units.js";
import { fullName, label, param, unit } from "../format/vital.js";
import { t } from "../i18n/words.js";
import { TrendChart } from "../patient/trend-chart.js";
import { kept, set } from "../router.js";
import { Corrections } from "./corrections.js";
import { CoverageLine } from "./coverage-line.js";
import { channelOf, gaps, ordered, points, told } from "./line-data.js";
import { WaveLines } from "./wave-lines.js";

export function Lines({ from, to, measured, coverage, counted, corrections, kind, isAsking, more, again }) {
  const lines = ordered(told(measured, coverage)),
    channels = coverage?.channels ?? [],
    waves = channels.some((c) => c.is_waveform && c.percent !== null);
  const zoom = (start, end) => set({ from: Math.round(start), to: Math.round(end), range: null }, { replace: false });
  return html`<section class="panel trends" aria-label=${t("history.title")} data-made-of=${measured.made_of}>
      ${measured.withheld.length > 0 && html`<p class="small" role="note">${t("history.withheld")}</p>`}
      ${lines.length === 0 && !waves && counted !== null && html`<${Empty} title=${t("history.none")} text=${t("history.none_text")} />`}
      ${lines.map((line) => html`<${Line} key=${`${line.device.id} ${line.channel} ${line.patient?.id} ${line.unit}`} line=${line} channel=${channelOf(line, coverage)} measured=${measured} from=${from} to=${to} zoom=${zoom} named=${kind !== "patients"} said=${corrections?.items} again=${again} />`)}
      ${(measured.next || coverage?.next) && html`<button type="button" data-more disabled=${isAsking} onClick=${more}>${t("history.more")}</button>`}
    </section>
    ${waves && html`<section class="panel"><${WaveLines} channels=${channels} from=${from} to=${to} /></section>`}
    ${corrections === false && html`<p class="small" role="alert" data-unsaid>${t("history.no_corrections")}</p>`}
    ${counted === null && html`<p class="small faint" role="status" data-counting>${t("history.loading_coverage")}</p>`}
    ${counted === false && html`<p class="small" role="alert" data-uncounted>${t("history.no_coverage")}</p>`}`;
}

function Line({ line, channel, measured, from, to, zoom, named, said, again }) {
  const known = line.vital !== null,
    asRead = (value) => (known && readIn(line.vital, line.unit) !== line.unit ? shownAs(line.vital, value) : value);
  const series = [{ points: points(line, measured, Math.min(to, now())).map(([at, value]) => [at, asRead(value)]), gaps: gaps(line, channel, from, Math.min(to, now())) }];
  const bounds = (line.usual ?? [null, null]).map((value) => (value === null ? null : asRead(value)));
  return html`<div data-line=${line.channel}>
    ${named && line.patient && html`<p class="small"><a href=${`/history/patients/${line.patient.id}${kept()}`}>${line.patient.name}</a></p>`}
    <${TrendChart} name=${known ? fullName(line.vital) : line.label} label=${known ? label(line.vital, line.label) : line.label} unit=${known ? unit(line.vital, line.unit) : line.unit} param=${known ? param(line.vital) : "temp"}
      series=${series} bounds=${bounds} from=${from} to=${to} zoom=${zoom} />
    <${CoverageLine} line=${line} channel=${channel} />
    <${Corrections} line=${line} items=${said} from=${from} to=${to} again=${again} />
  </div>`;
}
