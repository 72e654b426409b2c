/** Logins: who may sign in as what, a new one with its one-time link, and a login that is shut at once. */
import { html, useState } from "../html.js";
import { changeUser, inviteAgain } from "../api/act.js";
import { useList } from "../api/listed.js";
import { Empty, Failed, Loading, sayProblem } from "../components/state-panel.js";
import { now } from "../feed/clock.js";
import { session } from "../feed/state.js";
import { when } from "../format/time.js";
import { t, word } from "../i18n/words.js";
import { params, set } from "../router.js";
import { AddPerson } from "./add-person.js";
import { OneTimeLink } from "./one-time-link.js";

const ROLES = ["nurse", "charge_nurse", "physician", "it"];

export function Logins() {
  const { list, problem, load } = useList("/users"),
    [said, say] = useState(""),
    [link, setLink] = useState(null);
  const adding = params.value.get("open") === "new";
  const attempt = async (deed) => {
    say("");
    try {
      const answer = await deed();
      await load();
      return answer;
    } catch (caught) {
      say(sayProblem(caught));
      return null;
    }
  };
  if (problem && !list) return html`<${Failed} problem=${problem} again=${load} what=${t("staff.the_logins")} />`;
  if (!list) return html`<${Loading} />`;
  return html`<div class="stack">
    <div class="row wrap"><button type="button" class="primary" data-add onClick=${() => set({ open: "new" }, { replace: false })}>${t("staff.add")}</button><span class="small" role="alert">${said}</span></div>
    ${link && html`<${OneTimeLink} made=${link} close=${() => setLink(null)} />`}
    <div class=${`split ${adding ? "open" : ""}`}>
      ${list.length === 0 ? html`<${Empty} title=${t("staff.none")} text=${t("staff.none_text")} />` : html`<section class="panel scroll" aria-label=${t("staff.logins")}><table class="table still">
        <thead><tr><th>${t("staff.name")}</th><th>${t("staff.login")}</th><th>${t("staff.role")}</th><th>${t("staff.state")}</th><th></th></tr></thead>
        <tbody>${list.map((user) => html`<${LoginRow} key=${user.id} user=${user} attempt=${attempt} show=${setLink} />`)}</tbody></table></section>`}
      ${adding && html`<${AddPerson} added=${load} close=${() => set({ open: null })} />`}
    </div></div>`;
}

function stateOf(user) {
  if (user.disabled) return t("staff.disabled");
  if (user.invited_until) return t("staff.invited_until", { at: when(user.invited_until, now()) });
  return t(user.has_password ? "staff.has_password" : "staff.has_no_password");
}

function LoginRow({ user, attempt, show }) {
  const me = user.id === session.value.user.id,
    fixed = me || !user.staff_id;
  const invite = async () => {
    const made = await attempt(() => inviteAgain(user.id));
    if (made) show(made);
  };
  return html`<tr data-login=${user.login} data-disabled=${user.disabled ? "" : undefined}><td class="full"><b>${user.name}</b></td><td class="mono">${user.login}</td>
    <td>${fixed ? word("role", user.role) : html`<select class="compact" aria-label=${t("staff.change_role", { name: user.name })} value=${user.role} onChange=${(event) => attempt(() => changeUser(user.id, { role: event.target.value }))}>${ROLES.map((role) => html`<option key=${role} value=${role}>${word("role", role)}</option>`)}</select>`}</td>
    <td>${stateOf(user)}</td>
    <td class="acts"><div class="row wrap">${!me && !user.disabled && !["patient", "family"].includes(user.role) && html`<button type="button" data-link onClick=${invite}>${t("staff.new_link")}</button>`}
      ${!me && html`<button type="button" class="plain" data-shut onClick=${() => attempt(() => changeUser(user.id, { disabled: !user.disabled }))}>${t(user.disabled ? "staff.enable" : "staff.disable")}</button>`}</div></td></tr>`;
}
