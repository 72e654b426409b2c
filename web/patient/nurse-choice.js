/** Whose bed this is: a charge nurse chooses from the staff, and the choice counts at once. */
import { html, useEffect, useState } from "../html.js";
import { all } from "../api/act.js";
import { sayProblem } from "../components/state-panel.js";
import { t } from "../i18n/words.js";

export function NurseChoice({ nurse, choose }) {
  const [staff, setStaff] = useState(nurse ? [nurse] : []),
    [said, say] = useState("");
  useEffect(() => {
    all("/staff").then((list) => setStaff(list.filter((s) => !s.role || s.role === "nurse" || s.role === "charge_nurse")), (problem) => say(sayProblem(problem)));
  }, []);
  const change = (event) => choose(event.target.value || null).then(() => say(""), (problem) => say(sayProblem(problem)));
  return html`<select class="compact" aria-label=${t("patient.choose_nurse")} value=${nurse?.id ?? ""} onChange=${change}>
      <option value="">${t("ward.no_nurse")}</option>
      ${staff.map((s) => html`<option key=${s.id} value=${s.id}>${s.name}</option>`)}
    </select>${said && html`<span class="small" role="alert">${said}</span>`}`;
}
