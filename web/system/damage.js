/** What is stored and damaged: which stretch of which device, what became of it, and what a person has to do; those that are still damaged come first. */
import { html } from "../html.js";
import { now } from "../feed/clock.js";
import { until, when } from "../format/time.js";
import { label } from "../format/vital.js";
import { t, word } from "../i18n/words.js";
import { count } from "./quantity.js";

/** So many stretches are listed; the rest is told by its number. */
const SHOWN = 12;

export function Damage({ damage }) {
  if (!damage) return null;
  const { standing, mended, chunks } = damage,
    listed = chunks.slice(0, SHOWN),
    unlisted = standing + mended - listed.length;
  return html`<section class="panel" data-damage=${standing}><h2>${t("damage.title")}</h2>
    ${standing > 0 && html`<p class="strong">${t("damage.standing", { n: standing })}</p>`}
    ${mended > 0 && html`<p class="small dim" data-mended=${mended}>${t("damage.mended", { n: mended })}</p>`}
    <ul class="lines">${listed.map((it) => html`<li key=${`${it.device.id} ${it.channel} ${it.is_waveform} ${it.from_ms} ${it.to_ms}`} class=${it.state === "mended" ? "dim" : ""} data-damaged=${it.state}>
      <div class="row"><a class="grow clip" href=${`/devices?open=${it.device.id}`}>${it.device.name || it.device.id}</a><span class="small faint" title=${it.channel}>${label(it.vital, it.label)}</span></div>
      <p class="small">${when(it.from_ms, now())} – ${until(it.from_ms, it.to_ms, now())}: ${word("damage_state", it.state)}</p></li>`)}</ul>
    ${unlisted > 0 && html`<p class="small dim" data-unlisted=${unlisted}>${t("damage.more", { n: count(unlisted) })}</p>`}</section>`;
}
