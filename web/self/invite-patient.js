/** A link for the patient, made by those who care for them: with it they see their own page. */
import { html, useState } from "../html.js";
import { invitePatient } from "../api/act.js";
import { sayProblem } from "../components/state-panel.js";
import { t } from "../i18n/words.js";
import { kept } from "../router.js";
import { isRole } from "../shell/role.js";
import { OneTimeLink } from "../staff/one-time-link.js";

export function InvitePatient({ patient }) {
  const [made, setMade] = useState(null),
    [said, say] = useState("");
  const act = () => invitePatient(patient).then((link) => { setMade(link); say(""); }, (problem) => say(sayProblem(problem)));
  return html`<section class="stack invite-patient" aria-label=${t("own.invite")}>
    <h3>${t("own.invite")}</h3><p class="small dim">${t("own.invite_text")}</p>
    <div class="row wrap"><button type="button" data-invite-patient onClick=${act}>${t("own.invite_act")}</button>
      ${isRole("charge_nurse", "physician") && html`<a class="button" data-looks href=${`/audit?patient=${patient}${kept() ? `&${kept().slice(1)}` : ""}`}>${t("own.everyone")}</a>`}<span class="small" role="alert">${said}</span></div>
    ${made && html`<${OneTimeLink} made=${made} close=${() => setMade(null)} />`}
  </section>`;
}
