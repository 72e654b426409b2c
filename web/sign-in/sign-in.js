/** The door: name and password, and in a demonstration one button for each person one may be. */
import { html, useEffect, useState } from "../html.js";
import { get } from "../api/http.js";
import { signIn, signInDemo } from "../api/act.js";
import { Field } from "../components/field.js";
import { sayProblem } from "../components/state-panel.js";
import { t, word } from "../i18n/words.js";
import { params } from "../router.js";
import { enter } from "../session.js";
import { Door } from "./door.js";

export function SignIn() {
  const [people, setPeople] = useState(null),
    [said, say] = useState(""),
    [busy, setBusy] = useState(false);
  useEffect(() => {
    document.title = t("title", { screen: t("sign_in.title") });
    get("/demo-sign-ins").then((list) => setPeople(list.items), () => setPeople([]));
  }, []);
  const attempt = (deed) => async (event) => {
    event.preventDefault();
    setBusy(true);
    say("");
    try {
      await deed(event);
      await enter();
    } catch (problem) {
      say(problem.status === 401 ? t("sign_in.wrong") : problem.status === 403 ? t("sign_in.shared_over") : sayProblem(problem));
    }
    setBusy(false);
  };
  const byPassword = attempt((event) => {
    const form = new FormData(event.target);
    return signIn(form.get("login"), form.get("password"));
  });
  return html`<${Door}>
    <h1>${t("sign_in.title")}</h1>
    ${params.value.get("ended") === "shared" && html`<p role="status" data-ended><b>${t("sign_in.ended")}</b> ${t("sign_in.ended_text")}</p>`}
    ${people?.length > 0 && html`<section class="stack" aria-label=${t("sign_in.demo")}>
      <p class="dim">${t("sign_in.demo_text")}</p>
      <div class="people">${people.map((p) => html`<button key=${p.login} type="button" class="person" data-login=${p.login} disabled=${busy} onClick=${attempt(() => signInDemo(p.login))}>
        <b>${p.name}</b><span class="small dim">${word("role", p.role)}</span></button>`)}</div>
      <p class="or small faint"><span>${t("sign_in.or")}</span></p>
    </section>`}
    <form class="stack" onSubmit=${byPassword}>
      <${Field} label=${t("sign_in.login")}><input name="login" autocomplete="username" autocapitalize="none" spellcheck="false" required autofocus=${people?.length === 0} /></${Field}>
      <${Field} label=${t("sign_in.password")}><input name="password" type="password" autocomplete="current-password" required /></${Field}>
      <button class="primary" type="submit" disabled=${busy}>${t("sign_in.act")}</button>
      <p class="small" role="alert">${said}</p>
    </form>
  </${Door}>`;
}
