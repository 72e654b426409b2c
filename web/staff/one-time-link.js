/** A one-time link, shown this once, with a button that copies it. */
import { html, useState } from "../html.js";
import { now } from "../feed/clock.js";
import { when } from "../format/time.js";
import { t } from "../i18n/words.js";

export function OneTimeLink({ made, close }) {
  const [copied, setCopied] = useState(false);
  const address = `${location.origin}${made.invitation}`;
  const copy = () => navigator.clipboard?.writeText(address).then(() => setCopied(true), () => setCopied(false));
  return html`<section class="panel stack" aria-label=${t("staff.link", { name: made.name })} data-one-time-link>
    <div class="row wrap"><h2 class="grow">${t("staff.link", { name: made.name })}</h2>${close && html`<button type="button" class="plain" aria-label=${t("act.close")} onClick=${close}>✕</button>`}</div>
    <pre class="raw" tabindex="0" data-link>${address}</pre>
    <p class="small dim">${t("staff.link_text", { at: when(made.expires_at, now()) })}</p>
    <div class="row wrap"><button type="button" onClick=${copy}>${t("staff.copy_link")}</button><span class="small dim" role="status">${copied ? t("staff.copied") : ""}</span></div>
  </section>`;
}
