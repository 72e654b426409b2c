/** A nurse's own: the alarms that are theirs as cards that a thumb can answer, their beds in one line each, and what a score still waits for. */
import { html, useEffect } from "../html.js";
import { answer } from "../alarms/answering.js";
import { Empty, Failed, Loading } from "../components/state-panel.js";
import { ScoreChip } from "../components/score.js";
import { bed, bedIds, board, boardProblem, session, standing } from "../feed/state.js";
import { start } from "../feed/socket.js";
import { t } from "../i18n/words.js";
import { kept } from "../router.js";
import { Title } from "../shell/shell.js";
import { unitName } from "../shell/role.js";
import { AlarmCard } from "./alarm-card.js";
import { Readings } from "./readings.js";

export function Mine() {
  useEffect(() => {
    document.title = t("title", { screen: t("mine.title") });
  }, []);
  if (boardProblem.value) return html`<${Title} title=${t("mine.title")} /><${Failed} problem=${boardProblem.value} again=${start} what=${t("ward.the_board")} />`;
  if (!board.value) return html`<${Loading} />`;
  const me = session.value.user.staff_id,
    beds = bedIds.value.map((id) => bed(id).value).filter((b) => b.patient && b.nurse?.id === me),
    alarms = standing.value.filter((a) => a.mine || beds.some((b) => b.bed === a.bed)),
    waiting = beds.filter((b) => b.news2?.missing?.includes("consciousness") || b.news2?.missing?.includes("oxygen"));
  return html`<${Title} title=${t("mine.title")} note=${unitName()} />
    <div class="mine">
      ${alarms.map((alarm) => html`<${AlarmCard} key=${alarm.id} alarm=${alarm} answer=${answer} />`)}
      <section aria-label=${t("mine.beds")}><h2>${t("mine.beds")}</h2>
        ${beds.length === 0 && html`<${Empty} title=${t("ward.none_mine")} text=${t("ward.none_mine_text")}><a class="button" href=${`/ward/${board.value.care_unit.id}${kept()}`}>${t("ward.show_all")}</a></${Empty}>`}
        <ul class="lines own-beds">${beds.map((b) => html`<li key=${b.bed}><a class="own-bed" data-row href=${`/patients/${b.patient.id}${kept()}`}>
          <b class="bed">${b.name}</b><span class="grow"><span class="strong">${b.patient.name}</span><${Readings} bed=${b} /></span><${ScoreChip} news2=${b.news2} silentSince=${b.silent_since} /></a></li>`)}</ul></section>
      ${waiting.length > 0 && html`<section aria-label=${t("mine.tasks")}><h2>${t("mine.tasks")} <span class="faint">${waiting.length}</span></h2>
        <ul class="lines">${waiting.map((b) => html`<li key=${b.bed}><a class="own-bed" data-row href=${`/patients/${b.patient.id}${kept()}`}><span class="grow">${t("mine.chart_for", { bed: b.name, what: b.news2.missing.map((input) => t(`news2.input.${input}`)).join(", ") })}</span></a></li>`)}</ul></section>`}
    </div>`;
}
