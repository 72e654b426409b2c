/** What is handed over: for me first, with every note and the open alarms of the bed, then what waits for others, then what was. */
import { html } from "../html.js";
import { acceptHandOver, endHandOver } from "../api/act.js";
import { now } from "../feed/clock.js";
import { when } from "../format/time.js";
import { t } from "../i18n/words.js";
import { isRole } from "../shell/role.js";
import { OpenAlarms } from "./shift.js";

const posts = (hand) => t("staff.beds_n", { n: hand.posts.filter((p) => p.bed).length });

export function HandOvers({ shift, attempt }) {
  const open = shift.hand_overs.filter((h) => h.state === "open"),
    mine = open.filter((h) => h.is_for_me),
    waiting = open.filter((h) => !h.is_for_me),
    past = shift.hand_overs.filter((h) => h.state !== "open");
  return html`${mine.map((h) => html`<${ForMe} key=${h.id} hand=${h} shift=${shift} attempt=${attempt} />`)}
    ${waiting.map((h) => html`<${Waiting} key=${h.id} hand=${h} attempt=${attempt} />`)}
    ${past.length > 0 && html`<details class="panel"><summary>${t("staff.hand_overs")} <span class="faint">${past.length}</span></summary>
      <ol class="lines">${past.map((h) => html`<li key=${h.id} data-state=${h.state}><p>${h.state === "accepted" ? t("staff.taken", { to: h.to.name, from: h.from.name, at: when(h.ended_at, now()) }) : `${t("staff.offered", { from: h.from.name, to: h.to.name, n: posts(h), at: when(h.offered_at, now()) })}. ${t("staff.ended")}`}</p><${Notes} hand=${h} /></li>`)}</ol></details>`}`;
}

function ForMe({ hand, shift, attempt }) {
  const n = hand.posts.filter((p) => p.is_held).length;
  return html`<section class="panel stack hand-over" data-hand-over=${hand.id}>
    <div class="row wrap"><h2 class="grow">${t("staff.to_whom", { name: hand.from.name })}</h2><span class="small faint">${when(hand.offered_at, now())}</span></div>
    <${Notes} hand=${hand} shift=${shift} />
    <div class="row wrap"><button type="button" class="primary" data-accept onClick=${() => attempt(() => acceptHandOver(hand.id))}>${t("staff.accept_n", { n, name: hand.from.name })}</button>
      <button type="button" class="plain" onClick=${() => attempt(() => endHandOver(hand.id))}>${t("staff.sent_back")}</button></div>
  </section>`;
}

function Waiting({ hand, attempt }) {
  const may = hand.is_mine || isRole("charge_nurse");
  return html`<section class="panel row wrap" data-hand-over=${hand.id}><span class="chip">${t("staff.waits", { name: hand.to.name })}</span>
    <p class="grow">${t("staff.offered", { from: hand.from.name, to: hand.to.name, n: posts(hand), at: when(hand.offered_at, now()) })}</p>
    ${may && html`<button type="button" onClick=${() => attempt(() => endHandOver(hand.id))}>${t("staff.take_back")}</button>`}</section>`;
}

function Notes({ hand, shift }) {
  const alarms = (post) => shift?.beds.find((bed) => bed.bed.id === post.bed?.id)?.alarms ?? [];
  return html`<ul class="lines notes">${hand.posts.map((post, i) => html`<li key=${i} class="row wrap"><b>${post.bed ? t("places.bed", { bed: post.bed.name }) : t("staff.hand_over_charge")}</b>
    ${post.patient && html`<span>${post.patient.name}</span>`}<p class=${`grow ${post.note ? "" : "faint"}`}>${post.note || t("staff.note_none")}</p><${OpenAlarms} alarms=${alarms(post)} /></li>`)}</ul>`;
}
