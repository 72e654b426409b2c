/** The frame of the screens in front of the door. */
import { html } from "../html.js";
import { Logo } from "../shell/icon.js";
import { t } from "../i18n/words.js";

export const Door = ({ children }) => html`<main class="door" id="content">
  <div class="door-panel panel">
    <p class="door-name"><${Logo} size=${28} /><span>${t("product")}</span></p>
    ${children}
  </div>
  <p class="small faint door-note">${t("sign_in.not_a_device")}</p>
</main>`;
