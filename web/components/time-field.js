/** A date with a time by the clock on the wall. An hour that comes twice asks which of the two, one that never comes is refused in words. */
import { html, useEffect, useState } from "../html.js";
import { instants, isSaidTwice, offset, toField } from "../format/wall-clock.js";
import { t } from "../i18n/words.js";
import { Field } from "./field.js";

/** Whole minutes: somebody who asks about 14:32 means all of it. */
const REST_MS = 59_999;

/** `value` is in milliseconds or `null`; `act` gets the like, the end of the minute where `whole`. */
export function TimeField({ label, name, value, max, whole = true, act }) {
  const [refused, refuse] = useState(null);
  // A time that came from elsewhere is not the one that was refused.
  useEffect(() => refuse(null), [value]);
  const rest = whole ? REST_MS : 0;
  const change = (event) => {
    const text = event.target.value;
    if (!text) {
      refuse(null);
      act(null);
      return;
    }
    const [first] = instants(text);
    refuse(first === undefined ? text : null);
    if (first !== undefined) act(first + rest);
  };
  const shown = refused ?? (value === null || value === undefined ? "" : toField(value)),
    both = refused === null && shown && isSaidTwice(value) ? instants(shown) : [];
  const chosen = both.findLast((at) => at <= value);
  return html`<div class="time-field"><${Field} label=${label} why=${refused && t("time.never", { at: refused.slice(11, 16) })}>
      <input type="datetime-local" name=${name} value=${shown} max=${max === undefined ? undefined : toField(max)} aria-invalid=${refused ? "true" : undefined} onChange=${change} /></${Field}>
    ${both.length > 1 && html`<${Field} label=${t("time.twice")}><select name=${`${name}-offset`} value=${String(chosen)} onChange=${(event) => act(Number(event.target.value) + rest)}>
      ${both.map((at, i) => html`<option key=${at} value=${String(at)}>${t(i === 0 ? "time.first" : "time.second", { offset: offset(at) })}</option>`)}
    </select></${Field}>`}
  </div>`;
}
