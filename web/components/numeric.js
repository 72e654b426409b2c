/** A number never stands alone: label, unit, value, limits, and how old it is or why it is not there. */
import { html } from "../html.js";
import { now, second } from "../feed/clock.js";
import { alarms } from "../feed/state.js";
import { ms, span } from "../format/time.js";
import { fullName, isLive, label, limits, param, stateNow, text, unit } from "../format/vital.js";
import { t, word } from "../i18n/words.js";

export function Numeric({ numeric, size = "m", withLimits = true }) {
  second.value;
  const taken = ms(numeric.taken_at),
    age = taken === null ? null : now() - taken;
  const alarm = numeric.alarm ? alarms.value.get(numeric.alarm) : null,
    standing = alarm && alarm.state !== "ended";
  const quiet = stateNow(numeric, age);
  const state = quiet === "missing" || quiet === "ageing" ? quiet : standing ? "out" : quiet === "out" ? "live" : quiet;
  const when = state === "missing" ? (taken === null ? "" : t("numeric.since", { span: span(age) })) : isLive(numeric, age) ? t("numeric.live") : age === null ? "" : t("time.ago", { span: span(age) });
  const reason = numeric.missing ? word("missing", numeric.missing) : t("missing.nothing_yet");
  const written = String(text(numeric.vital, numeric.value, numeric.text));
  const measure = unit(numeric.vital, numeric.unit),
    bounds = withLimits ? limits(numeric.low, numeric.high, numeric.vital) : null;
  const spoken = state === "missing"
    ? t("numeric.spoken_missing", { name: fullName(numeric.vital), reason })
    : t("numeric.spoken", { name: fullName(numeric.vital), value: written, unit: measure, when });
  const side = state === "out" ? (numeric.direction === "down" ? "↓" : numeric.direction === "up" ? "↑" : null) : null;
  return html`<div class="numeric" role="group" aria-label=${spoken} data-vital=${numeric.vital} data-size=${size} data-state=${state}
    data-param=${param(numeric.vital)} data-live=${isLive(numeric, age) ? "" : undefined} data-priority=${state === "out" ? alarm?.priority : undefined}>
    <div class="numeric-head">
      <span class="numeric-label">${label(numeric.vital, numeric.label)}</span><span class="numeric-unit">${measure}</span>
      ${numeric.grade === "wellness" && html`<span class="grade" title=${t("numeric.wellness")}>${t("numeric.wellness_mark")}</span>`}
      ${numeric.clock && numeric.clock !== "device" && html`<span class="grade" title=${t(`numeric.clock.${numeric.clock}`)}>${t("numeric.clock_mark")}</span>`}
    </div>
    ${state === "missing"
      ? html`<div class="numeric-value hatched" title=${reason}><span>${reason}</span></div>`
      : html`<div class="numeric-value" data-long=${written.length > 5 ? "" : undefined}>${written}${side && html`<span class="side" aria-hidden="true">${side}</span>`}</div>`}
    <div class="numeric-foot">
      <span class="numeric-when">${when}${numeric.mean ? html` <span title=${t("vital.full.mean_pressure")}>(${numeric.mean})</span>` : null}</span>
      ${bounds && html`<span class="numeric-limits" title=${t("numeric.limits")}>${bounds}</span>`}
    </div>
  </div>`;
}
