/** The bar of every screen: which unit, find somebody, how many alarms, can it be heard, what time is it, who am I. */
import { html } from "../html.js";
import { Clock } from "../components/age.js";
import { counts, session, unit } from "../feed/state.js";
import { t } from "../i18n/words.js";
import { go, kept, route } from "../router.js";
import { Counts } from "./counts.js";
import { Me } from "./me.js";
import { Search } from "./search.js";
import { screens, unitName } from "./role.js";
import { SoundControl } from "./sound-control.js";
import { chooseUnit } from "../units.js";

export function TopBar() {
  const { high, medium, low } = counts.value;
  return html`<header class="topbar">
    <${UnitSwitch} />
    <${Search} />
    ${screens().includes("alarms") && html`<a class="button plain alarm-total" href=${`/alarms${kept()}`} title=${t("alarm.counts", { high, medium, low })}><${Counts} /></a>`}
    <${SoundControl} />
    <${Clock} />
    <${Me} />
  </header>`;
}

function UnitSwitch() {
  const units = session.value.care_units ?? [];
  if (units.length < 2) return html`<span class="unit"><b>${unitName()}</b></span>`;
  const choose = (event) => {
    const chosen = units.find((u) => u.id === event.target.value);
    if (route.value.name === "ward" || route.value.name === "patient") go(`/ward/${chosen.id}${kept()}`);
    else chooseUnit(chosen);
  };
  return html`<label class="unit"><span class="hidden">${t("shell.unit")}</span>
    <select value=${unit.value?.id} onChange=${choose}>${units.map((u) => html`<option key=${u.id} value=${u.id}>${u.name}</option>`)}</select></label>`;
}
