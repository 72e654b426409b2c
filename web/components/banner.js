/** What the screen itself cannot do right now, at once and in words. */
import { html } from "../html.js";
import { AlarmMark } from "./alarm-mark.js";

/** A silent one is said by somebody else, or said again too often. */
export function Banner({ priority, title, children, action, act, isSilent }) {
  return html`<div class="banner" data-priority=${priority} role=${isSilent ? undefined : priority === "high" ? "alert" : "status"}>
    ${priority && html`<${AlarmMark} priority=${priority} size=${20} />`}
    <p class="grow"><b>${title}</b> ${children}</p>
    ${action && html`<button type="button" onClick=${act}>${action}</button>`}
  </div>`;
}
