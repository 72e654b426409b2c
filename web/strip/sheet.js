/** The strip as it leaves the printer: true to scale, with whose it is, when, which leads, speed, gain and filters in print. Never seen on a screen. */
import { html } from "../html.js";
import { session } from "../feed/state.js";
import { now } from "../feed/clock.js";
import { birth, dateAndTime, hhmmss } from "../format/time.js";
import { number } from "../format/number.js";
import { t } from "../i18n/words.js";
import { reading, rows } from "./paper.js";
import { Calibration, StripRow } from "./strip-row.js";

/** Ten seconds at 25 mm/s: what an A4 sheet laid on its side holds. */
const WIDTH_MM = 250;

export function Sheet({ record, view, name, lanes, marks, calipers }) {
  if (!lanes.length) return null;
  const { page, from, to, alarm } = record,
    { patient, bed, care_unit: unit } = page;
  const height = lanes.reduce((sum, lane) => sum + lane.height, 0),
    width = Math.min(WIDTH_MM, view.len_s * view.speed),
    lane = calipers && lanes.find((l) => l.channel === calipers.channel),
    read = lane && reading(lane.spans, calipers.a, calipers.b);
  const leads = lanes.map((l) => `${l.lead ?? l.label}${l.unit && l.unit !== "1" ? `, ${l.unit}` : ""}`).join("; ");
  return html`<section class="sheet" data-theme="light" aria-hidden="true">
    <header><div><h1>${name}</h1>
        <p>${t("strip.born_number", { born: patient.birth_date ? birth(patient.birth_date) : t("patient.birth_unknown"), number: patient.record_number })}</p>
        <p>${bed ? t("patient.where", { bed: bed.name, unit: unit?.name ?? "" }) : t("patient.no_bed")}</p></div>
      <div><p><b>${t("strip.when", { from: dateAndTime(from), to: hhmmss(to) })}</b></p>
        <p>${t("strip.drawn", { leads, speed: number(view.speed), gain: view.gain })}</p>
        <p>${t("strip.filters")}</p>
        ${alarm && html`<p>${t("strip.alarm_was", { title: alarm.title, detail: alarm.detail ?? "", at: hhmmss(alarm.raised_at ?? alarm.since) })}</p>`}
        ${read && html`<p>${t("strip.measured", { ms: number(read.interval_ms), rate: read.rate_per_min ? number(Math.round(read.rate_per_min)) : "–", amplitude: read.amplitude === null ? "–" : `${number(read.amplitude, 2)} ${lane.unit}` })}</p>`}</div>
      <${Calibration} gain=${view.gain} /></header>
    ${rows(from, to, (width / view.speed) * 1000).map((row, i) => html`<${StripRow} key=${i} row=${row} lanes=${lanes} speed=${view.speed} size=${{ width, height }} marks=${marks} calipers=${calipers} scale_px=${null} name=${`sheet${i}`} label="" />`)}
    <footer>${t("strip.printed", { at: dateAndTime(now()), by: session.value?.user.name ?? session.value?.user.login ?? "" })} ${t("sign_in.not_a_device")}</footer>
  </section>`;
}
