/** The live traces of a patient, one lane each, on one time. */
import { html } from "../html.js";
import { NoSignal, SweepView } from "../components/sweep-view.js";
import { Segments } from "../components/segments.js";
import { number } from "../format/number.js";
import { t } from "../i18n/words.js";
import { kept, params, set } from "../router.js";
import { ruler } from "../wave/scale.js";

/** Millimetres a second; breathing is slow and is drawn so. */
const SPEED = { resp: 12.5 };
const SPEED_USUAL = 25;
const LANES_MAX = 5;
/** Heart, pulse, pressure, breath: as on the monitor at the bedside. */
const ORDER = ["ecg", "spo2", "bp", "resp"];

/** A fixed height for a millivolt, or as high as the lane lets it be. */
const GAINS = [["auto", null], ["5", 5], ["10", 10], ["20", 20]];

export function Lanes({ waves, name }) {
  const place = (w) => ORDER.indexOf(w.param) + 1 || ORDER.length + 1;
  const lanes = [...waves].sort((a, b) => place(a) - place(b)).slice(0, LANES_MAX),
    chosen = params.value.get("gain") ?? "auto",
    gain = GAINS.find(([g]) => g === chosen)?.[1] ?? null;
  const drawn = (w) => {
    const speed = number(SPEED[w.param] ?? SPEED_USUAL);
    if (w.unit === "mV" && gain) return t("wave.lane_gain", { speed, gain });
    return t(w.unit && w.unit !== "1" ? "wave.lane" : "wave.lane_unitless", { unit: w.unit, speed });
  };
  return html`<section class="panel traces" aria-label=${t("wave.title")}>
    ${lanes.map((w) => html`<div key=${`${w.device}/${w.channel}`} class="lane" data-param=${w.param}>
      <span class="lane-name"><b>${w.lead ?? w.label}</b><span class="faint"> ${drawn(w)}</span></span>
      <${SweepView} device=${w.device} channel=${w.channel} param=${w.param} speed=${SPEED[w.param] ?? SPEED_USUAL} gain=${w.unit === "mV" ? gain : null} label=${t("wave.of", { label: w.label ?? w.lead, name })} />
    </div>`)}
    ${lanes.length === 0 && html`<${NoSignal}>${t("wave.none")}</${NoSignal}>`}
    <div class="row wrap scale"><p class="small faint grow">${ruler.value ? t("strip.to_scale") : html`${t("wave.not_to_scale")} <a href=${`/screen${kept()}`}>${t("ruler.now")}</a>`}</p>
      ${lanes.some((w) => w.unit === "mV") && html`<${Segments} label=${t("strip.gain")} options=${GAINS.map(([g]) => [g, g === "auto" ? t("wave.gain_auto") : t("strip.mm_mv", { n: g })])} chosen=${chosen} act=${(g) => set({ gain: g === "auto" ? null : g })} />`}</div>
  </section>`;
}
