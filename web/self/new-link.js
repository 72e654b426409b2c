/** Tells a patient that somebody made a new link for their login: whoever has it can set another password. */
import { html } from "../html.js";
import { now } from "../feed/clock.js";
import { ms, when } from "../format/time.js";
import { t } from "../i18n/words.js";

/** As long as a link may be used, and a while after. */
const TOLD_MS = 14 * 86_400_000;

export function NewLink({ looks, say }) {
  const made = looks.filter((look) => look.link_made_at && now() - ms(look.link_made_at) < TOLD_MS);
  const last = made.sort((a, b) => ms(b.link_made_at) - ms(a.link_made_at))[0];
  if (!last) return null;
  return html`<section class="own-card" role="status" data-new-link><h2>${t("own.new_link")}</h2><p>${say("new_link_text", { name: last.name, at: when(last.link_made_at, now()) })}</p></section>`;
}
