/** Numbers as the reader's language writes them. */
import { locale } from "../i18n/words.js";

const formats = new Map();

/** A number with so many digits after its mark, if they are there; never with marks between thousands, which a hurried eye takes for the decimal one. */
export function number(value, digits = 1) {
  const key = `${locale()}/${digits}`;
  let format = formats.get(key);
  if (!format) formats.set(key, (format = new Intl.NumberFormat(locale(), { maximumFractionDigits: digits, useGrouping: false })));
  return format.format(value);
}

/** What stands between a number's whole and its parts. */
export const decimalMark = () => number(1.5, 1).slice(1, 2);

/** A number with exactly so many digits after its mark. */
export const fixed = (value, digits) => value.toFixed(digits).replace(".", decimalMark());

/** A number that a person typed, with a point or a comma; `NaN` of anything else. */
export const typed = (text) => {
  const plain = String(text).trim().replace(",", ".");
  return plain === "" ? NaN : Number(plain);
};
