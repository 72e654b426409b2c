/** Settings: the alarm limits of a care unit, for everybody there or for an age, each with who set it when. */
import { html, useEffect, useState } from "../html.js";
import { clearUnitLimits, setUnitLimits } from "../api/act.js";
import { get } from "../api/http.js";
import { Segments } from "../components/segments.js";
import { Empty, Failed, Loading } from "../components/state-panel.js";
import { session, unit } from "../feed/state.js";
import { t } from "../i18n/words.js";
import { params, set } from "../router.js";
import { isRole } from "../shell/role.js";
import { Title } from "../shell/shell.js";
import { LimitRow } from "./limit-row.js";

export function Settings() {
  const [limits, setLimits] = useState(null),
    [problem, setProblem] = useState(null);
  const chosen = unit.value ?? (session.value.care_units ?? [])[0] ?? null;
  const load = () => get(`/care-units/${chosen.id}/limits`).then((found) => { setLimits(found); setProblem(null); }, setProblem);
  useEffect(() => {
    document.title = t("title", { screen: t("screen.settings") });
  }, []);
  useEffect(() => {
    setLimits(null);
    if (chosen) load();
  }, [chosen?.id]);
  if (!chosen) return html`<${Title} title=${t("screen.settings")} /><${Empty} title=${t("settings.no_unit")} text=${t("settings.no_unit_text")} />`;
  if (problem && !limits) return html`<${Title} title=${t("screen.settings")} /><${Failed} problem=${problem} again=${load} what=${t("settings.the_limits")} />`;
  if (!limits) return html`<${Title} title=${t("screen.settings")} /><${Loading} />`;
  return html`<${Limits} limits=${limits} show=${setLimits} />`;
}

/** What holds for a vital and an age: what was set for it, else what was set for all ages, else what is built in. */
export function holds(limits, vital, band) {
  const of = (wanted) => limits.set.find((it) => it.vital === vital && (it.band ?? null) === wanted);
  const own = of(band);
  if (own) return { set: own, layer: "own" };
  const all = band && of(null);
  if (all) return { set: all, layer: "all" };
  const built = limits.built_in.find((it) => it.vital === vital);
  return built ? { set: built, layer: "built_in" } : null;
}

function Limits({ limits, show }) {
  const band = params.value.get("ages") || null,
    open = params.value.get("open");
  const may = isRole("charge_nurse", "physician");
  const bands = [[null, t("band.all")], ...limits.bands.map((b) => [b.band, t(`band.${b.band}`)])];
  const vitals = [...new Set([...limits.built_in.map((l) => l.vital), ...limits.set.map((l) => l.vital)])];
  const save = async (vital, wanted) => show(await setUnitLimits(limits.care_unit.id, vital, band, wanted));
  const clear = async (vital) => show(await clearUnitLimits(limits.care_unit.id, vital, band));
  return html`<${Title} title=${t("screen.settings")} note=${t("settings.limits", { unit: limits.care_unit.name })} />
    <div class="stack settings">
      <p class="dim">${t("settings.about", { unit: limits.care_unit.name })}</p>
      <${Segments} label=${t("settings.ages")} options=${bands} chosen=${band} act=${(ages) => set({ ages, open: null })} />
      <section class="panel scroll" aria-label=${t("settings.limits", { unit: limits.care_unit.name })}><table class="table still limits-table">
        <thead><tr>${["vital", "low", "high", "from", "change"].map((name) => html`<th key=${name} class=${name === "low" || name === "high" ? "num" : ""}>${name === "change" ? html`<span class="hidden">${t("settings.head.change")}</span>` : t(`settings.head.${name}`)}</th>`)}</tr></thead>
        <tbody>${vitals.map((vital) => html`<${LimitRow} key=${vital} vital=${vital} found=${holds(limits, vital, band)} band=${band} unit=${limits.care_unit.name} may=${may} open=${open === vital}
          toggle=${() => set({ open: open === vital ? null : vital })} save=${save} clear=${clear} />`)}</tbody></table></section>
      <p class="small faint">${t("settings.age_note")} ${may ? t("settings.at_once") : t("settings.refused")}</p>
    </div>`;
}
