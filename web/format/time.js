/** Ages, clock times and countdowns as people on a ward say them. */
import { locale, t } from "../i18n/words.js";
import { isSaidTwice, offset } from "./wall-clock.js";

/** Milliseconds of an RFC 3339 time, a number, or `null`. */
export const ms = (time) => (time === null || time === undefined ? null : typeof time === "number" ? time : Date.parse(time));

const two = (n) => String(n).padStart(2, "0");
/** Hours and minutes; in the hour that comes twice a year twice with its distance from UTC. */
export function hhmm(time) {
  const at = new Date(ms(time)),
    text = `${two(at.getHours())}:${two(at.getMinutes())}`;
  return isSaidTwice(at.getTime()) ? `${text} ${offset(at.getTime())}` : text;
}
export function hhmmss(time) {
  const at = new Date(ms(time));
  const text = `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
  return isSaidTwice(at.getTime()) ? `${text} ${offset(at.getTime())}` : text;
}

/** Day and month, with the year when it is not this one. */
export function day(time, now) {
  const at = new Date(ms(time)),
    year = at.getFullYear() === new Date(now).getFullYear() ? undefined : "numeric";
  return at.toLocaleDateString(locale(), { day: "numeric", month: "short", year });
}

/** A time of today as 14:32, another day's with its date. */
export function when(time, now) {
  const same = new Date(ms(time)).toDateString() === new Date(now).toDateString();
  return same ? hhmm(time) : `${day(time, now)}, ${hhmm(time)}`;
}

/** The end of a span, without the date that its beginning has. */
export const until = (from, to, now) => (new Date(ms(from)).toDateString() === new Date(ms(to)).toDateString() ? hhmm(to) : when(to, now));

/** A date with its year and a time to the second, for what is printed or is evidence. */
export const dateAndTime = (time) => `${new Date(ms(time)).toLocaleDateString(locale(), { day: "numeric", month: "short", year: "numeric" })}, ${hhmmss(time)}`;

/** Seconds while they matter, then minutes, then hours, then days. */
export function span(milliseconds) {
  const s = Math.max(0, Math.floor(milliseconds / 1000));
  if (s < 60) return t("time.s", { s });
  if (s < 3600) return t("time.min", { min: Math.floor(s / 60) });
  if (s < 86400) return Math.floor((s % 3600) / 60) ? t("time.h_min", { h: Math.floor(s / 3600), min: Math.floor((s % 3600) / 60) }) : t("time.h", { h: Math.floor(s / 3600) });
  return t("time.d", { d: Math.floor(s / 86400) });
}

/** Time that is left, as 1:05. */
export function countdown(milliseconds) {
  const s = Math.max(0, Math.ceil(milliseconds / 1000));
  return `${Math.floor(s / 60)}:${two(s % 60)}`;
}

/** A date of birth, which has no time zone. */
export function birth(date) {
  const [y, m, d] = String(date).slice(0, 10).split("-").map(Number);
  return new Date(Date.UTC(y, m - 1, d)).toLocaleDateString(locale(), { day: "numeric", month: "short", year: "numeric", timeZone: "UTC" });
}
