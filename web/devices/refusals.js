/** Devices that were turned away: who, why, since when, and what a person does about it. Searched by whatever is at hand. */
import { html, useEffect, useRef, useState } from "../html.js";
import { get, query } from "../api/http.js";
import { Age } from "../components/age.js";
import { Drawer, Pairs } from "../components/drawer.js";
import { Field } from "../components/field.js";
import { Empty, Failed, Loading } from "../components/state-panel.js";
import { now } from "../feed/clock.js";
import { when } from "../format/time.js";
import { has, t } from "../i18n/words.js";
import { params, set } from "../router.js";
import { Title } from "../shell/shell.js";

const PAGE = 100;
const REFRESH_MS = 5000;

/** What is known of the sender: the device, else what its certificate or address says. */
export const sender = (r) => r.device?.name ?? (r.named ? t("refusals.unregistered") : r.remote ? t("refusals.stranger", { remote: r.remote }) : t("refusals.somebody"));
/** The translated sentence of a reason, else the server's own. */
export const reasonOf = (r) => (has(`refusal.${r.reason}`) ? t(`refusal.${r.reason}`) : r.words);
const keyOf = (r) => [r.named ?? "", r.fingerprint ?? "", r.device || r.fingerprint ? "" : r.remote, r.reason].join("|");

export function Refusals({ tools }) {
  const search = params.value.get("search") ?? "",
    open = params.value.get("open");
  const [page, setPage] = useState(null),
    [problem, setProblem] = useState(null);
  const wanted = useRef(search);
  wanted.current = search;
  const load = () => get(`/refusals${query({ limit: PAGE, search })}`).then((found) => { if (wanted.current === search) { setPage(found); setProblem(null); } }, setProblem);
  useEffect(() => {
    load();
    const timer = setInterval(() => document.hidden || load(), REFRESH_MS);
    return () => clearInterval(timer);
  }, [search]);
  const chosen = page?.items.find((r) => keyOf(r) === open);
  return html`<${Title} title=${t("screen.devices")}>${tools}</${Title}>
    <div class="stack"><p class="dim">${t("refusals.text")}</p>
      <${Field} label=${t("refusals.search")}><input type="search" name="search" value=${search} placeholder=${t("refusals.search_by")} onInput=${(e) => set({ search: e.target.value, open: null })} /></${Field}>
      ${problem && !page && html`<${Failed} problem=${problem} again=${load} what=${t("refusals.the_list")} />`}
      ${!page && !problem && html`<${Loading} />`}
      ${page && html`<div class=${`split ${chosen ? "open" : ""}`}>
        ${page.items.length === 0 ? html`<${Empty} title=${t(search ? "refusals.none_found" : "refusals.none")} text=${t(search ? "refusals.none_found_text" : "refusals.none_text")} />` : html`<${Table} rows=${page.items} open=${open} />`}
        ${chosen && html`<${Refusal} key=${open} refusal=${chosen} close=${() => set({ open: null })} />`}
      </div>`}</div>`;
}

const Table = ({ rows, open }) => html`<section class="panel scroll"><table class="table">
  <thead><tr>${["last", "who", "why", "from", "times"].map((h) => html`<th key=${h} class=${h === "times" ? "num" : ""}>${t(`refusals.head.${h}`)}</th>`)}</tr></thead>
  <tbody>${rows.map((r) => html`<tr key=${keyOf(r)} data-refusal=${r.reason} aria-selected=${String(keyOf(r) === open)} onClick=${() => set({ open: keyOf(r) })}>
    <td class="nowrap"><${Age} since=${r.last_at} ago=${true} /></td>
    <td class="full"><button type="button" class="open" data-row onClick=${(e) => { e.stopPropagation(); set({ open: keyOf(r) }); }}>${sender(r)}</button>
      <span class="faint limit-text"> ${r.device?.serial ?? ""}${r.bed ? ` ${t("devices.bed", { bed: r.bed.name })}` : ""}</span></td>
    <td>${reasonOf(r)}${reasonOf(r) !== r.words && html`<span class="faint limit-text"> ${r.words}</span>`}</td><td class="dim narrow-hide">${r.remote}</td><td class="num nowrap">${t("refusals.times", { n: r.count })}</td></tr>`)}</tbody>
</table></section>`;

function Refusal({ refusal: r, close }) {
  return html`<${Drawer} id=${keyOf(r)} title=${sender(r)} sub=${reasonOf(r)} close=${close}>
    ${r.is_kept && html`<p class="small">${t("refusals.kept")}</p>`}
    <section><h3>${t("refusals.what_to_do")}</h3><p data-remedy>${has(`remedy.${r.reason}`) ? t(`remedy.${r.reason}`) : r.remedy}</p>
      ${r.device && html`<p class="row"><a class="button" href=${`/devices?open=${r.device.id}`}>${t("refusals.to_device")}</a></p>`}</section>
    <${Pairs} list=${[[t("refusals.found"), r.words], [t("refusals.head.last"), when(r.last_at, now())], [t("refusals.first"), when(r.first_at, now())], [t("refusals.head.times"), String(r.count)], [t("devices.serial"), r.device?.serial],
      [t("refusals.bed"), r.bed?.name], [t("refusals.head.from"), r.remote], [t(r.is_proved ? "devices.id" : "refusals.claims"), r.named && html`<span class="mono">${r.named}</span>`],
      [t("refusals.subject"), r.subject], [t("refusals.certificate"), r.certificate_serial && html`<span class="mono">${r.certificate_serial}</span>`], [t("refusals.fingerprint"), r.fingerprint && html`<span class="mono">${r.fingerprint}</span>`], [t("refusals.word"), html`<span class="mono">${r.reason}</span>`]]} />
    ${!r.is_proved && (r.device || r.named) && html`<p class="small faint">${t("refusals.not_proved")}</p>`}
  </${Drawer}>`;
}

/** What one device was refused lately, for its own page. */
export function RefusedLately({ device }) {
  const [items, setItems] = useState([]);
  useEffect(() => {
    const load = () => get(`/refusals${query({ device, limit: 5 })}`).then((p) => setItems(p.items), () => {});
    load();
    const timer = setInterval(() => document.hidden || load(), REFRESH_MS);
    return () => clearInterval(timer);
  }, [device]);
  if (items.length === 0) return null;
  return html`<section data-refused><h3>${t("refusals.lately")}</h3><ul class="lines">${items.map((r) => html`<li key=${r.reason}><p>${reasonOf(r)} <span class="small faint"><${Age} since=${r.last_at} ago=${true} />, ${t("refusals.times", { n: r.count })}</span></p>
    <p class="small dim">${has(`remedy.${r.reason}`) ? t(`remedy.${r.reason}`) : r.remedy}</p></li>`)}</ul></section>`;
}
