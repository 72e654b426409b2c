/** Audit: who looked at what; every filter is in the address, and the same can be saved as a file. For a patient alone also the ward may ask. */
import { html, useEffect, useState } from "../html.js";
import { get, query } from "../api/http.js";
import { Empty, Failed, Loading } from "../components/state-panel.js";
import { now } from "../feed/clock.js";
import { when } from "../format/time.js";
import { has, t, word } from "../i18n/words.js";
import { params, set } from "../router.js";
import { isRole } from "../shell/role.js";
import { Title } from "../shell/shell.js";
import { Filters, FILTERS } from "./filters.js";
import { Looks } from "./looks.js";

/** What the policy calls it, in the ward's words. */
export const actionText = (action) => (has(`action.${action}`) ? t(`action.${action}`) : action);

/** The server's rule is `emergency`, with the reason behind it where the page was opened. */
const isEmergency = (row) => row.rule === "emergency" || row.rule.startsWith("emergency ");
const emergencyText = (row) => [t("audit.in_emergency"), row.rule.includes(" ") ? word("emergency.reasons", row.rule.slice("emergency ".length)) : ""].filter(Boolean).join(": ");

export function Audit() {
  useEffect(() => {
    document.title = t("title", { screen: t("screen.audit") });
  }, []);
  const patient = params.value.get("patient");
  if (isRole("it")) return html`<${Trail} />`;
  if (patient) return html`<${Looks} key=${patient} patient=${patient} />`;
  return html`<${Title} title=${t("screen.audit")} /><${Failed} problem=${{ status: 403, detail: t("audit.only_it") }} />`;
}

/** The filters of the address, as the server wants them. */
const asked = () => Object.fromEntries(FILTERS.map((name) => [name, params.value.get(name)]));

function Trail() {
  const [rows, setRows] = useState(null),
    [next, setNext] = useState(null),
    [problem, setProblem] = useState(null);
  const filters = asked(),
    text = query(filters);
  const load = async (cursor) => {
    try {
      const page = await get(`/audit${query({ ...filters, cursor, limit: 100 })}`);
      setRows((before) => (cursor ? [...(before ?? []), ...page.items] : page.items));
      setNext(page.next);
      setProblem(null);
    } catch (caught) {
      setProblem(caught);
      if (!cursor) setRows(null);
    }
  };
  useEffect(() => {
    load(null);
  }, [text]);
  return html`<${Title} title=${t("screen.audit")}><a class="button" data-export href=${`/api/v1/audit/export${text}`} download="audit.csv">${t("audit.export")}</a></${Title}>
    <div class="stack">
      <p class="dim">${t("audit.all_of")}</p>
      <${Filters} key=${text} filters=${filters} />
      ${problem && html`<${Failed} problem=${problem} again=${() => load(null)} what=${t("audit.the_trail")} />`}
      ${!rows && !problem && html`<${Loading} />`}
      ${rows?.length === 0 && html`<${Empty} title=${t("audit.none")} text=${t("audit.none_text")} />`}
      ${rows?.length > 0 && html`<${Rows} rows=${rows} />`}
      ${next && html`<div><button type="button" data-more onClick=${() => load(next)}>${t("audit.more")}</button></div>`}
    </div>`;
}

const Rows = ({ rows }) => html`<section class="panel scroll" aria-label=${t("audit.the_trail")}><table class="table still trail">
  <thead><tr>${["at", "who", "action", "about", "outcome", "remote"].map((name) => html`<th key=${name} class=${name === "remote" ? "wide" : ""}>${t(`audit.head.${name}`)}</th>`)}</tr></thead>
  <tbody>${rows.map((row, i) => html`<${Row} key=${i} row=${row} />`)}</tbody></table></section>`;

function Row({ row }) {
  const who = row.actor.kind === "system" ? t("audit.program") : (row.actor.full_name ?? row.actor.name ?? row.actor.id);
  return html`<tr data-audit=${row.action} data-refused=${row.allowed ? undefined : ""}>
    <td class="nowrap"><time title=${row.at}>${when(row.at, now())}</time></td>
    <td>${row.actor.kind === "user" && row.actor.name ? html`<button type="button" class="open" onClick=${() => set({ actor: row.actor.name }, { replace: false })}>${who}</button>` : html`<b>${who}</b>`}${row.actor.role && html` <span class="small faint">${word("role", row.actor.role)}</span>`}</td>
    <td class="full" title=${t("audit.whole", { resource: row.resource, rule: row.rule })}>${actionText(row.action)}<span class="small faint mono clip resource">${row.resource}</span></td>
    <td>${row.patient_number ? html`<button type="button" class="open" onClick=${() => set({ patient: row.patient_number }, { replace: false })}>${row.patient_number}</button>` : ""}</td>
    <td>${row.allowed && isEmergency(row) ? html`<span class="chip loud" data-emergency>${emergencyText(row)}</span>` : row.allowed ? html`<span class="faint">${t("audit.allowed")}</span>` : html`<span class="chip loud">${t("audit.refused_by", { rule: word("audit.rule", row.rule.replaceAll(" ", "_")) })}</span>`}</td>
    <td class="wide mono">${row.remote}</td></tr>`;
}
