/** What a vital sign is called, in which unit, in which colour, and in which order a nurse reads them. */
import { decimalMark, number } from "./number.js";
import { readIn, shown } from "./units.js";
import { t, has } from "../i18n/words.js";

const PARAMS = {
  heart_rate: "ecg", pulse_rate: "spo2", saturation: "spo2", respiratory_rate: "resp",
  systolic_pressure: "bp", diastolic_pressure: "bp", mean_pressure: "bp", temperature: "temp", glucose: "temp",
};
/** Vitals that come every few seconds: their silence shows within seconds, a cuff's does not. */
const CONTINUOUS = new Set(["heart_rate", "pulse_rate", "saturation", "respiratory_rate"]);
const LIVE_MS = 15_000;

export const param = (vital) => PARAMS[vital] ?? "temp";
export const isContinuous = (vital) => CONTINUOUS.has(vital);
/** The ward's own short word, before what the server calls it: only that one is in the reader's language. */
export const label = (vital, given) => (has(`vital.short.${vital}`) ? t(`vital.short.${vital}`) : (given ?? vital));
export const fullName = (vital) => (has(`vital.full.${vital}`) ? t(`vital.full.${vital}`) : vital.replaceAll("_", " "));
export const unit = (vital, given) => readIn(vital, given ?? (has(`vital.unit.${vital}`) ? t(`vital.unit.${vital}`) : ""));
/** The value as text: the server's own digits, with the reader's decimal mark, in the reader's unit. */
export const text = (vital, value, given) => {
  if (readIn(vital, "mg/dL") === "mmol/L" && typeof value === "number") return number(shown(vital, value), 1);
  return /^-?\d+\.\d+$/.test(given) ? given.replace(".", decimalMark()) : given;
};

/** A number that should be here every few seconds and is not: old, whatever it was when it was sent. */
export function stateNow(numeric, ageMs) {
  if (numeric.state === "missing" || numeric.value === null) return "missing";
  const stale = isContinuous(numeric.vital) && ageMs !== null && ageMs > LIVE_MS;
  return stale ? "ageing" : numeric.state;
}
export const isLive = (numeric, ageMs) => isContinuous(numeric.vital) && ageMs !== null && ageMs <= LIVE_MS;

/** Systolic and diastolic are one number to a reader: `118/64`. The others pass through. */
export function joined(numerics) {
  const diastolic = numerics.find((n) => n.vital === "diastolic_pressure");
  const mean = numerics.find((n) => n.vital === "mean_pressure");
  return numerics
    .filter((n) => n.vital !== "diastolic_pressure" && n.vital !== "mean_pressure")
    .map((n) => (n.vital === "systolic_pressure" ? pressure(n, diastolic, mean) : n));
}

function pressure(systolic, diastolic, mean) {
  const worst = [systolic, diastolic, mean].find((n) => n?.alarm) ?? systolic;
  const two = systolic.value !== null && diastolic && diastolic.value !== null;
  return {
    ...systolic,
    label: t("vital.short.pressure"),
    text: two ? `${systolic.text}/${diastolic.text}` : systolic.text,
    alarm: worst.alarm,
    direction: worst.direction ?? systolic.direction,
    state: worst.state,
    mean: mean?.text ?? null,
  };
}

/** Limits, in the reader's unit, as `50–120`, `≤ 120`, `≥ 92`, or nothing. */
export function limits(from, to, vital) {
  const written = (limit) => (limit === null || limit === undefined ? limit : number(shown(vital, limit), 1)),
    low = written(from),
    high = written(to);
  if (low !== null && low !== undefined && high !== null && high !== undefined) return `${low}–${high}`;
  if (low !== null && low !== undefined) return `≥ ${low}`;
  if (high !== null && high !== undefined) return `≤ ${high}`;
  return null;
}

export const initials = (name) =>
  String(name ?? "").split(/[\s-]+/).filter(Boolean).map((part) => part[0]).join("").slice(0, 2).toUpperCase();

export const sexLetter = (sex) => (sex ? t(`sex.${String(sex).toLowerCase()[0]}`) : "");
