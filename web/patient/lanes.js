/** The live traces of a patient, one lane each, on one time. */
import { html } from "../html.js";
import { NoSignal, SweepView } from "../components/sweep-view.js";
import { t } from "../i18n/words.js";

/** Millimetres a second; breathing is slow and is drawn so. */
const SPEED = { resp: 12.5 };
const SPEED_USUAL = 25;
const LANES_MAX = 5;
/** Heart, pulse, pressure, breath: as on the monitor at the bedside. */
const ORDER = ["ecg", "spo2", "bp", "resp"];

export function Lanes({ waves, name }) {
  const place = (w) => ORDER.indexOf(w.param) + 1 || ORDER.length + 1;
  const lanes = [...waves].sort((a, b) => place(a) - place(b)).slice(0, LANES_MAX);
  return html`<section class="panel traces" aria-label=${t("wave.title")}>
    ${lanes.map((w) => html`<div key=${`${w.device}/${w.channel}`} class="lane" data-param=${w.param}>
      <span class="lane-name"><b>${w.lead ?? w.label}</b><span class="faint"> ${t(w.unit && w.unit !== "1" ? "wave.lane" : "wave.lane_unitless", { unit: w.unit, speed: SPEED[w.param] ?? SPEED_USUAL })}</span></span>
      <${SweepView} device=${w.device} channel=${w.channel} param=${w.param} speed=${SPEED[w.param] ?? SPEED_USUAL} label=${t("wave.of", { label: w.label ?? w.lead, name })} />
    </div>`)}
    ${lanes.length === 0 && html`<${NoSignal}>${t("wave.none")}</${NoSignal}>`}
    <p class="small faint scale">${t("wave.not_to_scale")}</p>
  </section>`;
}
