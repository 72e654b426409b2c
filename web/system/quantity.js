/** Counts and sizes as an engineer reads them. */
const THOUSANDS = new Intl.NumberFormat("en-GB", { maximumFractionDigits: 0 });
const FEW = new Intl.NumberFormat("en-GB", { maximumFractionDigits: 1 });
const SIZES = ["B", "kB", "MB", "GB", "TB"];

export const count = (n) => (n === null || n === undefined ? "–" : n < 10 && !Number.isInteger(n) ? FEW.format(n) : THOUSANDS.format(n));

export function bytes(n) {
  let size = n ?? 0,
    step = 0;
  while (size >= 1000 && step < SIZES.length - 1) {
    size /= 1000;
    step++;
  }
  return `${FEW.format(size)} ${SIZES[step]}`;
}
