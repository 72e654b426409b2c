/** Somebody new: a name, a login, a role; the answer is a link that works once. */
import { html, useEffect, useState } from "../html.js";
import { addUser, all } from "../api/act.js";
import { Drawer } from "../components/drawer.js";
import { Choice, Field } from "../components/field.js";
import { sayProblem } from "../components/state-panel.js";
import { t, word } from "../i18n/words.js";
import { OneTimeLink } from "./one-time-link.js";

const ROLES = ["nurse", "charge_nurse", "physician", "it"];

export function AddPerson({ added, close }) {
  const [form, setForm] = useState({ name: "", login: "", role: "nurse", site_id: "" }),
    [sites, setSites] = useState([]),
    [made, setMade] = useState(null),
    [said, say] = useState(""),
    [busy, setBusy] = useState(false);
  useEffect(() => {
    all("/sites").then((list) => { setSites(list); setForm((f) => ({ ...f, site_id: f.site_id || (list[0]?.id ?? "") })); }, (problem) => say(sayProblem(problem)));
  }, []);
  const typed = (name) => (event) => setForm({ ...form, [name]: event.target.value });
  const submit = async (event) => {
    event.preventDefault();
    setBusy(true);
    say("");
    try {
      setMade(await addUser({ login: form.login.trim(), role: form.role, name: form.name.trim(), site_id: form.site_id }));
      await added();
    } catch (problem) {
      say(sayProblem(problem));
    }
    setBusy(false);
  };
  if (made) return html`<${Drawer} id="made" title=${t("staff.made", { name: made.name })} sub=${word("role", made.role)} close=${close}><${OneTimeLink} made=${made} /></${Drawer}>`;
  return html`<${Drawer} id="new" title=${t("staff.add")} sub=${t("staff.add_text")} close=${close}>
    <form class="stack" onSubmit=${submit} aria-label=${t("staff.add")}>
      <${Field} label=${t("staff.name")}><input name="name" value=${form.name} onInput=${typed("name")} required maxlength="120" autocomplete="off" /></${Field}>
      <${Field} label=${t("staff.login")}><input name="login" value=${form.login} onInput=${typed("login")} required maxlength="60" autocomplete="off" autocapitalize="none" spellcheck="false" /></${Field}>
      <${Choice} label=${t("staff.role")} value=${form.role} options=${ROLES.map((role) => [role, word("role", role)])} act=${(role) => setForm({ ...form, role })} name="role" />
      <${Choice} label=${t("staff.site")} value=${form.site_id} options=${sites.map((s) => [s.id, s.name])} act=${(site_id) => setForm({ ...form, site_id })} name="site" required />
      <div class="row wrap"><button class="primary" type="submit" disabled=${busy || !form.site_id}>${t("staff.add_act")}</button><span class="small" role="alert">${said}</span></div>
    </form>
  </${Drawer}>`;
}
