/** Devices: health at a glance, one drawer for each, a new one with its certificate, and the messages that nobody could read. */
import { html, useEffect, useState } from "../html.js";
import { useList } from "../api/listed.js";
import { Segments } from "../components/segments.js";
import { Empty, Failed, Loading } from "../components/state-panel.js";
import { t } from "../i18n/words.js";
import { params, set } from "../router.js";
import { Title } from "../shell/shell.js";
import { isRole } from "../shell/role.js";
import { second } from "../feed/clock.js";
import { AddDevice } from "./add-device.js";
import { DeadLetters } from "./dead-letters.js";
import { DeviceDrawer } from "./device-drawer.js";
import { DeviceRow } from "./device-row.js";
import { health, RANK } from "./health.js";
import { Refusals } from "./refusals.js";
import { Glance } from "./glance.js";

const REFRESH_MS = 5000;

export function Devices() {
  const view = params.value.get("view") ?? "all";
  useEffect(() => {
    document.title = t("title", { screen: t("screen.devices") });
  }, []);
  if (view === "dead" && !isRole("it")) return html`<${Title} title=${t("screen.devices")}><${Views} view=${view} /></${Title}><${Failed} problem=${{ status: 403 }} />`;
  if (view === "refused") return html`<${Refusals} tools=${html`<${Views} view=${view} />`} />`;
  return view === "dead" ? html`<${DeadLetters} tools=${html`<${Views} view=${view} />`} />` : html`<${Fleet} view=${view} />`;
}

function Views({ view, n, watch }) {
  const options = [["all", n === undefined ? t("devices.all") : t("devices.all_n", { n })], ["watch", watch === undefined ? t("devices.watch") : t("devices.watch_n", { n: watch })]];
  options.push(["refused", t("devices.refused")]);
  if (isRole("it")) options.push(["dead", t("devices.dead")]);
  return html`<${Segments} label=${t("devices.view")} options=${options} chosen=${view} act=${(v) => set({ view: v === "all" ? null : v, open: null, search: null })} />`;
}

function Fleet({ view }) {
  second.value;
  const { list, problem, load } = useList("/devices", REFRESH_MS);
  const open = params.value.get("open"),
    adding = open === "new";
  const sorted = (list ?? []).map((d) => ({ ...d, health: health(d) })).sort((a, b) => RANK[a.health.kind] - RANK[b.health.kind] || a.label.localeCompare(b.label));
  const watched = sorted.filter((d) => d.health.kind !== "good");
  const shown = view === "watch" ? watched : sorted;
  const chosen = sorted.find((d) => d.id === open);
  const refused = isRole("it") ? undefined : t("devices.add_refused");
  return html`<${Title} title=${t("screen.devices")}>
      <${Views} view=${view} n=${list ? sorted.length : undefined} watch=${list ? watched.length : undefined} />
      <button type="button" class="primary" data-add disabled=${Boolean(refused)} title=${refused} onClick=${() => set({ open: "new" }, { replace: false })}>${t("devices.add")}</button>
      <a class="button" href="/claim">${t("claim.title")}</a>
      ${refused && html`<span class="small faint">${refused}</span>`}
    </${Title}>
    ${problem && !list && html`<${Failed} problem=${problem} again=${load} what=${t("devices.the_list")} />`}
    ${!list && !problem && html`<${Loading} />`}
    ${list && html`<div class="stack">
      ${sorted.length > 0 && html`<${Glance} devices=${sorted} open=${(id) => set({ open: id }, { replace: false })} />`}
      <div class=${`split ${chosen || adding ? "open" : ""}`}>
        ${shown.length === 0 ? html`<${Empty} title=${t(view === "watch" ? "devices.none_watch" : "devices.none")} text=${t(view === "watch" ? "devices.none_watch_text" : "devices.none_text")} />` : html`<${Table} rows=${shown} open=${open} />`}
        ${adding && html`<${AddDevice} close=${() => set({ open: null })} added=${load} />`}
        ${chosen && html`<${DeviceDrawer} key=${chosen.id} device=${chosen} devices=${sorted} changed=${load} close=${() => set({ open: null })} />`}
      </div></div>`}`;
}

const Table = ({ rows, open }) => html`<section class="panel scroll"><table class="table">
  <thead><tr>${["health", "device", "where", "whom", "state", "heard", "why"].map((name) => html`<th key=${name} class=${({ heard: "num", state: "wide", whom: "alone" })[name] ?? ""}>${t(`devices.head.${name}`)}</th>`)}</tr></thead>
  <tbody>${rows.map((d) => html`<${DeviceRow} key=${d.id} device=${d} chosen=${d.id === open} open=${() => set({ open: d.id }, { replace: false })} />`)}</tbody>
</table></section>`;
