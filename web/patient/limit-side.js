/** One side of a limit: on or off, where, where it is over again, after how long, how urgent. */
import { html } from "../html.js";
import { Choice, Field } from "../components/field.js";
import { t } from "../i18n/words.js";

export function LimitSide({ name, side, change, unit }) {
  const typed = (key) => (event) => change({ ...side, [key]: event.target.value });
  return html`<fieldset class="side-form">
    <legend class="row small"><label class="row"><input type="checkbox" checked=${side.on} onChange=${(e) => change({ ...side, on: e.target.checked })} /> ${name}</label></legend>
    ${side.on && html`<div class="quad">
      <${Field} label=${t("limits.limit", { unit })}><input inputmode="decimal" value=${side.limit} onInput=${typed("limit")} required /></${Field}>
      <${Field} label=${t("limits.clears_at")}><input inputmode="decimal" value=${side.clears_at} onInput=${typed("clears_at")} /></${Field}>
      <${Field} label=${t("limits.delay")}><input inputmode="numeric" value=${side.delay_s} onInput=${typed("delay_s")} required /></${Field}>
      <${Choice} label=${t("limits.priority")} value=${side.priority} options=${["high", "medium", "low"].map((p) => [p, t(`priority.${p}`)])} act=${(priority) => change({ ...side, priority })} />
    </div>`}
  </fieldset>`;
}
