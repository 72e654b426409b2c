/** Who is signed in, how the screen looks, and the way out. */
import { html } from "../html.js";
import { signOut } from "../api/act.js";
import { Segments } from "../components/segments.js";
import { session } from "../feed/state.js";
import * as socket from "../feed/socket.js";
import { initials } from "../format/vital.js";
import { choose, language, LANGUAGES, t, word } from "../i18n/words.js";
import { go, kept, set } from "../router.js";
import { pathOf, screens } from "./role.js";
import { Popover } from "./popover.js";
import { showKeys } from "./keys.js";

/** So many screens have a tab at the foot of a phone; the others are in this menu. */
const TABS = 4;
const THEMES = ["dark", "light", "contrast"];

/** Chooses the look of this device; the address, if it names another, is made to agree. */
export function chooseTheme(theme) {
  document.documentElement.dataset.theme = theme;
  try {
    localStorage.setItem("wardline.theme", theme);
  } catch {
    // Kept in the address instead.
  }
  set({ theme: new URL(location.href).searchParams.has("theme") ? theme : null });
}

async function leave() {
  await signOut().catch(() => null);
  socket.stop();
  session.value = null;
  go("/sign-in");
}

export function Me() {
  const { user, product } = session.value;
  const name = user.name ?? user.login;
  return html`<${Popover} className="me" label=${t("me.label", { name })} button=${html`<span class="avatar">${initials(name)}</span><span class="hidden">${t("me.label", { name })}</span>`}>
    ${() => html`
      <div><p class="strong">${name}</p><p class="small faint">${word("role", user.role)}${session.value.org ? `, ${session.value.org.name}` : ""}</p></div>
      <nav class="more-screens" aria-label=${t("me.screens")}>${screens().slice(TABS).map((screen) => html`<a key=${screen} class="button" href=${`${pathOf(screen)}${kept()}`}>${t(`screen.${screen}`)}</a>`)}</nav>
      <${Theme} />
      <${Language} />
      <a class="button" href=${`/screen${kept()}`}>${t("screen.screen")}</a>
      <button type="button" onClick=${showKeys}>${t("me.keys")} <kbd>?</kbd></button>
      <button type="button" onClick=${leave}>${t("me.sign_out")}</button>
      ${product && html`<p class="small faint">${product.name} ${product.version}. ${product.intended_use}</p>`}`}
  </${Popover}>`;
}

/** Each language by its own name, so that somebody who reads no other finds it. */
export const Language = () => html`<div class="stack"><span class="small dim">${t("me.language")}</span>
  <${Segments} label=${t("me.language")} options=${LANGUAGES.map((name) => [name, new Intl.DisplayNames(name, { type: "language" }).of(name).replace(/^./u, (first) => first.toUpperCase())])} chosen=${language()} act=${choose} /></div>`;

export function Theme() {
  const now = document.documentElement.dataset.theme;
  return html`<div class="stack"><span class="small dim">${t("me.look")}</span>
    <${Segments} label=${t("me.look")} options=${THEMES.map((theme) => [theme, t(`theme.${theme}`)])} chosen=${now} act=${chooseTheme} /></div>`;
}
