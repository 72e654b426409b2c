/** With whom a patient shares their page: who reads it until when, taking it back, and a link for somebody new. */
import { html, useState } from "../html.js";
import { endShare, share } from "../api/act.js";
import { Field } from "../components/field.js";
import { sayProblem } from "../components/state-panel.js";
import { now } from "../feed/clock.js";
import { when } from "../format/time.js";
import { t } from "../i18n/words.js";
import { OneTimeLink } from "../staff/one-time-link.js";
import { voice } from "./voice.js";

const DAYS = [1, 7, 30, 90];
const DAYS_AT_FIRST = 7;

export function Sharing({ own, show }) {
  const [name, setName] = useState(""),
    [days, setDays] = useState(DAYS_AT_FIRST),
    [made, setMade] = useState(null),
    [said, say] = useState(""),
    [busy, setBusy] = useState(false);
  const attempt = async (deed) => {
    setBusy(true);
    try {
      await deed();
      say("");
    } catch (problem) {
      say(sayProblem(problem));
    }
    setBusy(false);
  };
  const submit = (event) => {
    event.preventDefault();
    if (!name.trim()) return say(t("own.share_name_missing"));
    return attempt(async () => {
      const begun = await share(name.trim(), days);
      show(begun.own);
      setMade(begun);
      setName("");
    });
  };
  const end = (one) => attempt(async () => {
    show(await endShare(one.id));
    if (made?.login === one.login) setMade(null);
  });
  return html`<section class="own-card stack" aria-label=${t("own.share")} data-sharing>
    <h2>${t("own.share")}</h2>
    <p class="dim">${voice(own)("share_text")}</p>
    ${own.shares.length > 0 && html`<ul class="own-lines">${own.shares.map((one) => html`<li key=${one.id} class="row wrap" data-share=${one.name}>
      <div class="grow"><b>${one.name}</b><p class="dim">${t("own.share_until", { at: when(one.until, now()) })} ${t(one.has_entered ? "own.share_entered" : "own.share_waits", { login: one.login })}</p></div>
      <button type="button" data-end-share disabled=${busy} aria-label=${t("own.share_end_of", { name: one.name })} onClick=${() => end(one)}>${t("own.share_end")}</button></li>`)}</ul>`}
    ${made && html`<${OneTimeLink} made=${made} close=${() => setMade(null)} /><p class="small">${t("own.share_login", { login: made.login })}</p>`}
    <form class="stack" onSubmit=${submit} aria-label=${t("own.share_new")}>
      <${Field} label=${t("own.share_name")}><input name="share-name" maxlength="100" autocomplete="off" value=${name} onInput=${(event) => setName(event.target.value)} /></${Field}>
      <${Field} label=${t("own.share_days")}><select name="share-days" value=${days} onChange=${(event) => setDays(Number(event.target.value))}>${DAYS.map((n) => html`<option key=${n} value=${n}>${t("own.share_days_n", { n })}</option>`)}</select></${Field}>
      <div><button class="primary" type="submit" disabled=${busy}>${t("own.share_act")}</button></div>
      <p role="alert">${said}</p>
    </form></section>`;
}

/** Says to whoever reads a page that is shared with them whose it is, and until when. */
export function SharedWithMe({ own }) {
  return html`<section class="own-card" data-shared-until=${own.shared_until}><p><b>${t("own.shared_is", { name: own.given_name })}</b></p><p>${t("own.shared_until", { name: own.given_name, at: when(own.shared_until, now()) })}</p></section>`;
}
