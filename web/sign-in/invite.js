/** A one-time link: whoever holds it reads the name by which they sign in, and sets the password, once. */
import { html, useEffect, useState } from "../html.js";
import { acceptInvitation } from "../api/act.js";
import { get } from "../api/http.js";
import { Field } from "../components/field.js";
import { Failed, Loading, sayProblem } from "../components/state-panel.js";
import { t } from "../i18n/words.js";
import { route } from "../router.js";
import { enter } from "../session.js";
import { Door } from "./door.js";

/** NIST SP 800-63B: length is what counts. */
const LENGTH_MIN = 10;

const isGone = (problem) => problem?.status === 404 || problem?.status === 410;

export function Invite() {
  const { token } = route.value;
  const [invited, setInvited] = useState(null),
    [problem, setProblem] = useState(null),
    [said, say] = useState(""),
    [busy, setBusy] = useState(false);
  const look = () => get(`/invitations/${encodeURIComponent(token)}`).then((found) => { setInvited(found); setProblem(null); }, setProblem);
  useEffect(() => {
    document.title = t("title", { screen: t("invite.title") });
    look();
  }, [token]);
  const submit = async (event) => {
    event.preventDefault();
    const form = new FormData(event.target),
      password = form.get("password");
    if (password.length < LENGTH_MIN) return say(t("invite.too_short", { n: LENGTH_MIN }));
    if (password !== form.get("again")) return say(t("invite.differ"));
    setBusy(true);
    try {
      await acceptInvitation(token, password);
      await enter();
    } catch (caught) {
      if (isGone(caught)) setProblem(caught);
      else say(sayProblem(caught));
    }
    return setBusy(false);
  };
  if (isGone(problem)) return html`<${Door}><h1>${t("invite.gone_title")}</h1><p role="alert" data-gone>${t("invite.gone")}</p><p><a class="button" href="/sign-in">${t("invite.has_password")}</a></p></${Door}>`;
  if (problem) return html`<${Door}><${Failed} problem=${problem} again=${look} what=${t("invite.the_link")} /></${Door}>`;
  if (!invited) return html`<${Door}><${Loading} /></${Door}>`;
  return html`<${Door}>
    <h1>${t("invite.title")}</h1>
    <p class="dim">${t("invite.text")}</p>
    <form class="stack" onSubmit=${submit}>
      <${Field} label=${t("invite.login")} why=${t("invite.login_why")}><input name="login" data-login=${invited.login} autocomplete="username" value=${invited.login} readonly /></${Field}>
      <${Field} label=${t("invite.password", { n: LENGTH_MIN })}><input name="password" type="password" autocomplete="new-password" required /></${Field}>
      <${Field} label=${t("invite.again")}><input name="again" type="password" autocomplete="new-password" required /></${Field}>
      <button class="primary" type="submit" disabled=${busy}>${t("invite.act")}</button>
      <p class="small" role="alert">${said}</p>
    </form>
  </${Door}>`;
}
