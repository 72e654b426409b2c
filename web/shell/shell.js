/** The frame of every screen: rail, top bar, banners, content. On a wall only banners and content are left. */
import { html } from "../html.js";
import { isRecording, session } from "../feed/state.js";
import { t } from "../i18n/words.js";
import { params } from "../router.js";
import { Announcer } from "./announce.js";
import { Banners } from "./banners.js";
import { KeyHelp } from "./keys.js";
import { Rail } from "./rail.js";
import { TopBar } from "./topbar.js";
import { Undo } from "./undo.js";

export function Shell({ children }) {
  isRecording.value;
  const wall = params.value.get("wall") === "1";
  if (!session.value) return null;
  if (wall) return html`<${Announcer} /><div class="page"><${Banners} />${children}</div>`;
  return html`<${Announcer} />
    <a class="skip" href="#content">${t("shell.skip")}</a>
    <${Rail} />
    <div class="page">
      <${TopBar} />
      <${Banners} />
      <main id="content" tabindex="-1">${children}</main>
    </div>
    <${Undo} />
    <${KeyHelp} />`;
}

/** The title line of a screen and its tools. */
export const Title = ({ title, note, children }) => html`<div class="title row wrap">
  <h1 class="grow">${title}${note && html`<span class="title-note">${note}</span>`}</h1>${children}
</div>`;
