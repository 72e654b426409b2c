/** Dead letters: what arrived and could not be identified or decoded, kept whole, with the reason and the bytes. */
import { html, useEffect, useState } from "../html.js";
import { replay } from "../api/act.js";
import { get, query } from "../api/http.js";
import { Drawer, Pairs } from "../components/drawer.js";
import { Empty, Failed, Loading, sayProblem } from "../components/state-panel.js";
import { now } from "../feed/clock.js";
import { when } from "../format/time.js";
import { has, t, word } from "../i18n/words.js";
import { params, set } from "../router.js";
import { Title } from "../shell/shell.js";
import { readable } from "./readable.js";

const PAGE = 50;

/** Whose message it was, as far as anybody knows. */
const from = (l) => [l.door, l.device_label ?? l.device].filter(Boolean).join(" ");
/** Whether it was taken in after all. */
export const mended = (l) => (l.replays ?? []).some((r) => r.mended);

export function DeadLetters({ tools }) {
  const [page, setPage] = useState({ items: null, next: null }),
    [problem, setProblem] = useState(null);
  const fetch = (cursor, before) => get(`/dead-letters${query({ limit: PAGE, cursor })}`).then((p) => { setPage({ items: [...before, ...p.items], next: p.next }); setProblem(null); }, setProblem);
  const load = () => fetch(null, []);
  useEffect(() => {
    load();
  }, []);
  const open = params.value.get("open");
  const chosen = page.items?.find((l) => l.id === open);
  return html`<${Title} title=${t("screen.devices")}>${tools}</${Title}>
    ${problem && html`<${Failed} problem=${problem} again=${load} what=${t("letters.the_list")} />`}
    ${!page.items && !problem && html`<${Loading} />`}
    ${page.items && html`<div class="stack"><p class="dim">${t("letters.text")}</p>
      <div class=${`split ${chosen ? "open" : ""}`}>
        ${page.items.length === 0 ? html`<${Empty} title=${t("letters.none")} text=${t("letters.none_text")} />` : html`<section class="panel scroll"><table class="table">
          <thead><tr>${["at", "reason", "from", "now", "size"].map((h) => html`<th key=${h} class=${h === "size" ? "num" : ""}>${t(`letters.head.${h}`)}</th>`)}</tr></thead>
          <tbody>${page.items.map((l) => html`<tr key=${l.id} aria-selected=${String(l.id === open)} onClick=${() => set({ open: l.id })}>
            <td class="nowrap">${when(l.at, now())}</td>
            <td class="full"><button type="button" class="open" data-row onClick=${(e) => { e.stopPropagation(); set({ open: l.id }); }}>${word("letter", l.reason)}</button><span class="faint limit-text"> ${l.detail}</span></td>
            <td class="dim">${from(l)}</td><td>${mended(l) && html`<span class="chip">${t("letters.mended")}</span>`}</td><td class="num nowrap">${t("letters.bytes", { n: l.size })}</td></tr>`)}</tbody></table>
          ${page.next && html`<p class="foot"><button type="button" onClick=${() => fetch(page.next, page.items)}>${t("act.more")}</button></p>`}</section>`}
        ${chosen && html`<${Letter} key=${chosen.id} letter=${chosen} changed=${load} close=${() => set({ open: null })} />`}
      </div></div>`}`;
}

function Letter({ letter, changed, close }) {
  const [full, setFull] = useState(null),
    [problem, setProblem] = useState(null),
    [said, say] = useState("");
  const load = () => get(`/dead-letters/${letter.id}`).then(setFull, setProblem);
  useEffect(() => {
    load();
  }, [letter.id]);
  const l = { ...letter, ...full };
  const bytes = l.payload;
  const again = () => replay(letter.id).then((answer) => { say(""); setFull((f) => ({ ...f, replays: [...answer.replays, ...(f?.replays ?? [])] })); changed(); }, (refusal) => say(sayProblem(refusal)));
  return html`<${Drawer} id=${letter.id} title=${word("letter", l.reason)} sub=${from(l)} close=${close}>
    <${Pairs} list=${[[t("letters.head.at"), when(l.at, now())], [t("letters.why"), l.detail], [t("letters.topic"), l.topic && html`<span class="mono">${l.topic}</span>`], [t("letters.type"), l.content_type],
      [t("letters.number"), html`<span class="mono">${l.id}</span>`]]} />
    <section><h3>${t("letters.as_it_came")}</h3>
      ${problem ? html`<${Failed} problem=${problem} />` : bytes !== undefined && bytes !== null ? html`<pre class="raw" tabindex="0">${readable(bytes)}</pre>` : html`<${Loading} />`}</section>
    <section data-replay><h3>${t("letters.mend")}</h3><p>${has(`remedy.${l.reason}`) ? t(`remedy.${l.reason}`) : t("letters.mend_text")}</p>
      <div class="row wrap"><button type="button" class="primary" data-again disabled=${mended(l)} onClick=${again}>${t("letters.replay")}</button>${mended(l) && html`<span class="small faint">${t("letters.once")}</span>`}<span class="small" role="alert">${said}</span></div>
      <ul class="lines" role="status">${(l.replays ?? []).map((r, i) => html`<li key=${i}><p>${t(r.mended ? (r.outcome === "duplicate" ? "letters.was_there" : "letters.taken") : "letters.stays", { why: r.words })}</p><p class="small faint">${when(r.at, now())}, ${r.by ?? ""}</p></li>`)}</ul></section>
    <p class="small faint">${t("letters.nothing_guessed")}</p>
  </${Drawer}>`;
}
