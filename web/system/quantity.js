/** Counts and sizes as an engineer reads them, in the reader's own marks. */
import { locale, t } from "../i18n/words.js";

const SIZES = ["B", "kB", "MB", "GB", "TB"];
const formats = new Map();

function written(n, digits) {
  const key = `${locale()}/${digits}`;
  if (!formats.has(key)) formats.set(key, new Intl.NumberFormat(locale(), { maximumFractionDigits: digits }));
  return formats.get(key).format(n);
}

export const count = (n) => (n === null || n === undefined ? t("system.no_figure") : written(n, n < 10 && !Number.isInteger(n) ? 1 : 0));

export function bytes(n) {
  let size = n ?? 0,
    step = 0;
  while (size >= 1000 && step < SIZES.length - 1) {
    size /= 1000;
    step++;
  }
  return `${written(size, 1)} ${SIZES[step]}`;
}
