/** Who looked at one patient, each person once, with how often and when last. */
import { html, useEffect, useState } from "../html.js";
import { get } from "../api/http.js";
import { Empty, Failed, Loading } from "../components/state-panel.js";
import { now } from "../feed/clock.js";
import { when } from "../format/time.js";
import { t, word } from "../i18n/words.js";
import { Title } from "../shell/shell.js";

export function Looks({ patient }) {
  const [looks, setLooks] = useState(null),
    [problem, setProblem] = useState(null);
  const load = () => get(`/patients/${patient}/looks`).then((found) => { setLooks(found); setProblem(null); }, setProblem);
  useEffect(() => {
    load();
  }, [patient]);
  const title = looks ? t("audit.for_patient", { number: looks.record_number }) : t("screen.audit");
  if (problem && !looks) return html`<${Title} title=${title} /><${Failed} problem=${problem} again=${load} what=${t("audit.the_trail")} />`;
  if (!looks) return html`<${Title} title=${title} /><${Loading} />`;
  return html`<${Title} title=${title} />
    ${looks.items.length === 0 ? html`<${Empty} title=${t("audit.looks_none")} text=${t("audit.looks_none_text")} />` : html`<section class="panel" aria-label=${title}><ul class="lines">${looks.items.map((look) => html`<li key=${look.user} class="row wrap" data-look=${look.name}>
      <b class="grow">${look.name} <span class="small faint">${look.role ? word("role", look.role) : ""}</span></b><span>${t("audit.looked_n", { n: look.count })}</span>
      <span class="small faint">${t("audit.since", { first: when(look.first_at, now()), last: when(look.last_at, now()) })}</span>
      ${look.link_made_at && html`<span class="small" data-link-made>${t("audit.link_made", { at: when(look.link_made_at, now()) })}</span>`}
      ${look.emergency && html`<span class="chip loud" data-look-emergency>${t("audit.emergency_at", { at: when(look.emergency.at, now()), reason: t(`emergency.reasons.${look.emergency.reason}`) })}</span>`}</li>`)}</ul></section>`}`;
}
