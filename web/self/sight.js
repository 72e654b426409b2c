/** Who can see this page's numbers, and everybody who looked. */
import { html } from "../html.js";
import { now } from "../feed/clock.js";
import { when } from "../format/time.js";
import { t, word } from "../i18n/words.js";

export function Sight({ own }) {
  // A patient may call somebody they share with as one of the staff is called.
  const looked = (staff) => own.looks.find((look) => look.role !== "family" && look.name === staff.name);
  const once = (look) => (look ? t("own.looked_last", { n: t("own.looks_times", { n: look.count }), at: when(look.last_at, now()) }) : "");
  const named = [own.nurse && [t("own.nurse", { name: own.nurse.name }), t("own.nurse_text"), looked(own.nurse)],
    own.charge && own.charge.id !== own.nurse?.id && [t("own.charge", { name: own.charge.name }), t("own.nurse_text"), looked(own.charge)]].filter(Boolean);
  return html`<section class="own-card" aria-label=${t("own.can_see")}>
    <h2>${t("own.can_see")}</h2>
    <ul class="own-lines">
      ${named.map(([who, what, look]) => html`<li key=${who}><b>${who}</b><p class="dim">${what} ${once(look)}</p></li>`)}
      <li><b>${own.care_unit ? t("own.others", { unit: own.care_unit.name }) : t("own.others_any")}</b><p class="dim">${t("own.others_text")}</p></li>
      ${own.shares.map((one) => html`<li key=${one.id}><b>${one.name}</b><p class="dim">${t("own.shares_text", { at: when(one.until, now()) })} ${once(own.looks.find((look) => look.user === one.id))}</p></li>`)}
      <li><b>${t("own.it")}</b><p class="dim">${t("own.it_text")}</p></li>
    </ul>
    <details><summary>${t("own.everyone")} (${own.looks.length})</summary>
      ${own.looks.length === 0 ? html`<p class="dim">${t("own.looks_none")}</p>` : html`<ul class="own-lines">${own.looks.map((look) => html`<li key=${look.user} data-look=${look.name}><b>${look.name}</b> <span class="dim">${look.role ? word("role", look.role) : ""}</span><p class="dim">${once(look)}</p>${look.link_made_at && html`<p data-link-made>${t("own.link_made", { at: when(look.link_made_at, now()) })}</p>`}${look.emergency && html`<p data-look-emergency>${t("own.looked_in_emergency", { at: when(look.emergency.at, now()), reason: t(`emergency.reasons.${look.emergency.reason}`) })}</p>`}</li>`)}</ul>`}
    </details>
  </section>`;
}
