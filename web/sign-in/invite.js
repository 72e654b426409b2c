/** A one-time link: whoever holds it sets the password, once. */
import { html, useEffect, useState } from "../html.js";
import { acceptInvitation } from "../api/act.js";
import { Field } from "../components/field.js";
import { sayProblem } from "../components/state-panel.js";
import { t } from "../i18n/words.js";
import { route } from "../router.js";
import { enter } from "../session.js";
import { Door } from "./door.js";

/** NIST SP 800-63B: length is what counts. */
const LENGTH_MIN = 10;

export function Invite() {
  const [said, say] = useState(""),
    [busy, setBusy] = useState(false),
    [gone, setGone] = useState(false);
  useEffect(() => {
    document.title = t("title", { screen: t("invite.title") });
  }, []);
  const submit = async (event) => {
    event.preventDefault();
    const form = new FormData(event.target),
      password = form.get("password");
    if (password.length < LENGTH_MIN) return say(t("invite.too_short", { n: LENGTH_MIN }));
    if (password !== form.get("again")) return say(t("invite.differ"));
    setBusy(true);
    try {
      await acceptInvitation(route.value.token, password);
      await enter();
    } catch (problem) {
      setGone(problem.status === 404 || problem.status === 410);
      say(problem.status === 404 || problem.status === 410 ? t("invite.gone") : sayProblem(problem));
    }
    return setBusy(false);
  };
  return html`<${Door}>
    <h1>${t("invite.title")}</h1>
    <p class="dim">${t("invite.text")}</p>
    <form class="stack" onSubmit=${submit}>
      <${Field} label=${t("invite.password", { n: LENGTH_MIN })}><input name="password" type="password" autocomplete="new-password" required /></${Field}>
      <${Field} label=${t("invite.again")}><input name="again" type="password" autocomplete="new-password" required /></${Field}>
      <button class="primary" type="submit" disabled=${busy || gone}>${t("invite.act")}</button>
      <p class="small" role="alert">${said}</p>
    </form>
  </${Door}>`;
}
