/** Units that differ from house to house. The record keeps what the sensor sent; here it is put into what the reader knows, and back. */
import { signal } from "../html.js";

const KEY = "wardline.glucose";
/** 1 mmol/L of glucose, in mg/dL. */
const MG_PER_MMOL = 18.0156;
export const GLUCOSE = ["mg/dL", "mmol/L"];
/** Regions that read glucose in mmol/L; the others read mg/dL. */
const MOLAR = new Set(["AU", "CA", "CH", "CZ", "DK", "FI", "GB", "HR", "HU", "IE", "NL", "NO", "NZ", "SE", "SK"]);

function usual() {
  try {
    const kept = localStorage.getItem(KEY);
    if (GLUCOSE.includes(kept)) return kept;
  } catch {
    // Then the region decides.
  }
  return MOLAR.has(globalThis.navigator?.language?.slice(3, 5).toUpperCase()) ? "mmol/L" : "mg/dL";
}

/** The unit in which glucose is read on this device. */
export const glucose = signal(usual());

export function readGlucoseIn(unit) {
  glucose.value = unit;
  try {
    localStorage.setItem(KEY, unit);
  } catch {
    // It holds as long as this page is open.
  }
}

const molar = (vital) => vital === "glucose" && glucose.value === "mmol/L";
/** The unit in which a vital is read here; `given` is the record's. */
export const readIn = (vital, given) => (molar(vital) && given === "mg/dL" ? "mmol/L" : given);
/** A value of the record as it is read here; what is not a number passes. */
export const shown = (vital, value) => (molar(vital) && typeof value === "number" ? Math.round((value / MG_PER_MMOL) * 10) / 10 : value);
/** A value that was typed here as the record keeps it. */
export const entered = (vital, value) => (molar(vital) && typeof value === "number" ? Math.round(value * MG_PER_MMOL) : value);

/** A sentence about glucose with its value in the reader's unit. */
export function glucoseIn(text) {
  if (glucose.value !== "mmol/L" || !text.includes(" mg/dL")) return text;
  return text.replace(/(\d+(?:\.\d+)?) mg\/dL/g, (_, value) => `${shown("glucose", Number(value)).toFixed(1)} mmol/L`);
}
