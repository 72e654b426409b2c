/** Everybody who works here, with what their login may be. */
import { html } from "../html.js";
import { useList } from "../api/listed.js";
import { Empty, Failed, Loading } from "../components/state-panel.js";
import { t, word } from "../i18n/words.js";

export function People() {
  const { list, problem, load } = useList("/staff");
  if (problem && !list) return html`<${Failed} problem=${problem} again=${load} what=${t("staff.the_list")} />`;
  if (!list) return html`<${Loading} />`;
  if (list.length === 0) return html`<${Empty} title=${t("staff.none")} text=${t("staff.none_text")} />`;
  return html`<section class="panel scroll" aria-label=${t("staff.list")}><table class="table still"><thead><tr><th>${t("staff.name")}</th><th>${t("staff.role")}</th></tr></thead>
    <tbody>${list.map((s) => html`<tr key=${s.id} data-staff=${s.id}><td class="full"><b>${s.name}</b></td><td>${s.role ? word("role", s.role) : html`<span class="faint">${t("staff.no_login")}</span>`}</td></tr>`)}</tbody></table></section>`;
}
