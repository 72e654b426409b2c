/** Times as the clock on the wall says them. Twice a year one hour is said twice, and one never comes; the reader's zone decides when. */

const two = (n) => String(n).padStart(2, "0");
const MIN = 60_000;
/** How far clocks are put forward or back: an hour, or half of one on one island. */
const SHIFTS_MIN = [30, 60, 120];

/** An instant as a field for date and time wants it, in the reader's zone. */
export function toField(time) {
  const at = new Date(time);
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}T${two(at.getHours())}:${two(at.getMinutes())}`;
}

/** Every instant at which such a field's minute begins, the earliest first: one, two when clocks are put back, none when they are put forward. */
export function instants(text) {
  const near = new Date(text).getTime();
  if (Number.isNaN(near)) return [];
  const shifts = [0, ...SHIFTS_MIN.flatMap((min) => [-min, min])];
  return shifts.map((min) => near + min * MIN).filter((at) => toField(at) === text.slice(0, 16)).sort((a, b) => a - b);
}

/** How far the reader's clock is from UTC at an instant, such as `UTC+2`. */
export function offset(time) {
  const ahead = -new Date(time).getTimezoneOffset(),
    size = Math.abs(ahead);
  return `UTC${ahead < 0 ? "−" : "+"}${Math.floor(size / 60)}${size % 60 ? `:${two(size % 60)}` : ""}`;
}

/** Whether another instant has the same date and time on the wall. */
export function isSaidTwice(time) {
  const ahead = (at) => new Date(at).getTimezoneOffset(),
    here = ahead(time);
  return SHIFTS_MIN.some((min) => ahead(time + min * MIN) - here === min || here - ahead(time - min * MIN) === min);
}

/** Milliseconds of a wall clock's reading as if it were one of UTC, so that days have 24 hours. */
const wall = (time) => time - new Date(time).getTimezoneOffset() * MIN;

/** The instant of such a reading, or `null` where clocks skip it. */
function ofWall(reading) {
  const at = new Date(reading),
    found = new Date(at.getUTCFullYear(), at.getUTCMonth(), at.getUTCDate(), at.getUTCHours(), at.getUTCMinutes()).getTime();
  return wall(found) === reading ? found : null;
}

const HOUR = 60 * MIN;
/**
 * Round times from `min` to `max`, `step` milliseconds of the wall clock apart. A day in which clocks change has 23 or 25 hours:
 * an hour that is said twice is there twice where steps are that fine, one that never comes is not there.
 */
export function roundTimes(min, max, step) {
  const times = [];
  if (step > HOUR) {
    for (let reading = Math.ceil(wall(min) / step) * step; reading <= wall(max) + HOUR; reading += step) {
      const at = ofWall(reading);
      if (at !== null && at >= min && at <= max) times.push(at);
    }
    return times;
  }
  for (let at = min + ((step - (wall(min) % step)) % step); at <= max; ) {
    times.push(at);
    at += step;
    at += (step - (wall(at) % step)) % step;
  }
  return times;
}
