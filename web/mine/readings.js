/** The numbers of a bed in one line of small letters; an old one says so, a missing one says why. */
import { html } from "../html.js";
import { now, second } from "../feed/clock.js";
import { ms, span } from "../format/time.js";
import { label, stateNow, text, unit } from "../format/vital.js";
import { t, word } from "../i18n/words.js";

const SHOWN = ["heart_rate", "saturation", "respiratory_rate"];

export function Readings({ bed }) {
  second.value;
  const known = SHOWN.map((vital) => (bed.numerics ?? []).find((n) => n.vital === vital)).filter(Boolean);
  if (!known.length) return html`<span class="readings faint">${t("missing.nothing_yet")}</span>`;
  return html`<span class="readings">${known.map((n) => html`<${One} key=${n.vital} numeric=${n} />`)}</span>`;
}

function One({ numeric }) {
  const taken = ms(numeric.taken_at),
    age = taken === null ? null : now() - taken,
    state = stateNow(numeric, age);
  const name = label(numeric.vital, numeric.label);
  if (state === "missing") return html`<span class="faint">${name} ${numeric.missing ? word("missing", numeric.missing) : t("missing.nothing_yet")}</span>`;
  return html`<span class=${state === "ageing" ? "faint" : "dim"} data-state=${state}>${name} <b>${text(numeric.vital, numeric.value, numeric.text)}</b> ${unit(numeric.vital, numeric.unit)}${state === "ageing" && age !== null ? `, ${t("time.ago", { span: span(age) })}` : ""}</span>`;
}
