/** One bed on the board. From the top: who, what is wrong, the trace, four numbers, whose hands. */
import { html } from "../html.js";
import { Age } from "../components/age.js";
import { Numeric } from "../components/numeric.js";
import { ScoreChip } from "../components/score.js";
import { held, Strip } from "../components/strip.js";
import { NoSignal, SweepView } from "../components/sweep-view.js";
import { alarmsOfBed, bed as bedOf } from "../feed/state.js";
import { hhmmss } from "../format/time.js";
import { initials, joined, sexLetter } from "../format/vital.js";
import { t } from "../i18n/words.js";
import { kept } from "../router.js";

/** Slower than a bedside monitor, so that a narrow sector still shows a rhythm. */
const SPEED_MM_S = 12.5;
const ORDER = ["heart_rate", "saturation", "respiratory_rate", "systolic_pressure"];

/** `names` is `full` or `initials`; `density` S, M or L. */
export function BedSector({ id, density, wall, names }) {
  const bed = bedOf(id).value;
  if (!bed.patient) return html`<${EmptyBed} bed=${bed} />`;
  const standing = alarmsOfBed(id),
    top = standing[0];
  const small = density === "S",
    hidden = names === "initials";
  const shown = hidden ? initials(bed.patient.name) : bed.patient.name;
  return html`<article class="sector" data-cell data-bed=${bed.name} data-priority=${top?.priority} data-state=${top?.state} data-silent=${bed.silent_since ? "" : undefined}
    aria-label=${t("ward.sector", { bed: bed.name, name: shown })}>
    <header>
      <a class="bed" data-row href=${`/patients/${bed.patient.id}${kept()}`}>${bed.name}<span class="hidden"> ${shown}</span></a>
      <span class="who clip" aria-hidden="true" title=${shown}>${shown} ${!hidden && html`<span class="faint">${bed.patient.age_years} ${sexLetter(bed.patient.sex)}</span>`}</span>
      <${ScoreChip} news2=${bed.news2} silentSince=${bed.silent_since} />
    </header>
    <${Strip} alarm=${top} more=${standing.length - 1} size=${wall ? 36 : 20} short=${wall || small} wordless=${small} />
    <${Trace} bed=${bed} />
    <div class="numerics">${numbers(bed, density, wall).map((n) => html`<${Numeric} key=${n.vital} numeric=${n} size=${small ? "s" : density === "L" ? "l" : "m"} withLimits=${!small} />`)}</div>
    <${Foot} bed=${bed} top=${top} names=${names} />
  </article>`;
}

/** A vital that was never measured keeps its place, and says that nothing has come. */
function numbers(bed, density, wall) {
  const known = joined(bed.numerics ?? []);
  const wanted = density === "S" || wall ? ORDER.slice(0, 3) : ORDER;
  return wanted.map((vital) => known.find((n) => n.vital === vital) ?? { vital, value: null, text: "", state: "missing", missing: null, taken_at: null });
}

function Trace({ bed }) {
  if (bed.silent_since) return html`<${NoSignal}>${t("wave.silent_since", { at: hhmmss(bed.silent_since) })}</${NoSignal}>`;
  if (!bed.wave) return html`<${NoSignal}>${t("wave.none")}</${NoSignal}>`;
  const { device, channel, label, param } = bed.wave;
  return html`<${SweepView} key=${`${device}/${channel}`} device=${device} channel=${channel} param=${param ?? "ecg"} speed=${SPEED_MM_S} label=${t("wave.of_bed", { label, bed: bed.name })} />`;
}

function Foot({ bed, top, names }) {
  const nurse = bed.nurse ? (names === "initials" ? initials(bed.nurse.name) : bed.nurse.name) : t("ward.no_nurse");
  return html`<footer>
    <span class=${bed.nurse ? "clip" : "clip strong"}>${nurse}</span>
    ${top && html`<span class="clip held">${held(top)}</span>`}
    ${!top && bed.silent_since && html`<span class="clip"><${Age} since=${bed.silent_since} ago=${true} /></span>`}
  </footer>`;
}

const EmptyBed = ({ bed }) => html`<article class="sector empty" data-cell data-bed=${bed.name} aria-label=${t("ward.empty_sector", { bed: bed.name })}>
  <header><span class="bed">${bed.name}</span><span class="faint">${t("ward.empty")}</span></header>
</article>`;
