/** How many alarms nobody has, by priority. */
import { html } from "../html.js";
import { AlarmMark } from "../components/alarm-mark.js";
import { counts } from "../feed/state.js";

export const Counts = ({ size = 16 }) => html`<span class="counts">
  ${["high", "medium", "low"].map((p) => html`<span key=${p} data-none=${counts.value[p] === 0 ? "" : undefined}><${AlarmMark} priority=${p} size=${size} />${counts.value[p]}</span>`)}
</span>`;
