/** The ward board: every bed of a care unit at a glance. The address says order, density, names and whether it is a wall. */
import { html, useEffect } from "../html.js";
import { Empty, Failed, Loading } from "../components/state-panel.js";
import { Segments } from "../components/segments.js";
import { bed, bedIds, board, boardProblem, session } from "../feed/state.js";
import { start } from "../feed/socket.js";
import { t } from "../i18n/words.js";
import { params, set } from "../router.js";
import { Title } from "../shell/shell.js";
import { isRole, unitName } from "../shell/role.js";
import { BedSector } from "./bed-sector.js";
import { ordered } from "./order.js";
import { useHeldOrder } from "./use-held-order.js";
import { WallBar } from "./wall-bar.js";

/** From this many beds on the small sectors are the usual ones. */
const MANY_BEDS = 24;

export function Ward() {
  const wall = params.value.get("wall") === "1";
  useEffect(() => {
    document.title = t("title", { screen: unitName() || t("screen.ward") });
    document.documentElement.toggleAttribute("data-wall", false);
    if (wall) document.documentElement.dataset.wall = "1";
    return () => document.documentElement.removeAttribute("data-wall");
  }, [wall, unitName()]);
  if (wall) return html`<${WallBar} /><main id="content" tabindex="-1"><${Body} wall=${true} /></main>`;
  return html`<${Body} />`;
}

function Body({ wall = false }) {
  if (boardProblem.value) return html`${!wall && html`<${Title} title=${t("screen.ward")} />`}<${Failed} problem=${boardProblem.value} again=${start} what=${t("ward.the_board")} />`;
  if (!board.value) return html`<${Loading} />`;
  if (bedIds.value.length === 0) return html`<${Title} title=${t("screen.ward")} /><${Empty} title=${t("ward.no_beds")} text=${t("ward.no_beds_text")} />`;
  return html`<${Beds} wall=${wall} />`;
}

/** A wall shows all beds at once, wider than high. */
const columns = (beds) => Math.min(8, Math.max(1, Math.ceil(Math.sqrt(beds * 1.33))));

function Beds({ wall }) {
  const asked = params.value;
  const order = asked.get("order") ?? (wall ? "bed" : "trouble"),
    density = asked.get("density") ?? (bedIds.value.length >= MANY_BEDS ? "S" : "M"),
    names = asked.get("names") ?? (wall ? "initials" : "full"),
    whose = asked.get("beds") ?? "all";
  const mine = whose === "mine" ? session.value.user.staff_id : null;
  const wanted = ordered(bedIds.value, order, mine);
  const [shown, waiting, settle, ref] = useHeldOrder(wanted);
  useEffect(() => {
    document.documentElement.dataset.density = density;
  }, [density]);
  return html`
    ${!wall && html`<${Tools} order=${order} density=${density} names=${names} whose=${whose} waiting=${waiting} settle=${settle} />`}
    <div class="board" ref=${ref} style=${wall ? { "--columns": columns(shown.length) } : undefined}>
      ${shown.map((id) => html`<${BedSector} key=${id} id=${id} density=${density} wall=${wall} names=${names} />`)}
    </div>
    ${shown.length === 0 && html`<${Empty} title=${t("ward.none_mine")} text=${t("ward.none_mine_text")}><button type="button" onClick=${() => set({ beds: null })}>${t("ward.show_all")}</button></${Empty}>`}`;
}

function Tools({ order, density, names, whose, waiting, settle }) {
  const patients = bedIds.value.filter((id) => bed(id).value.patient).length;
  const own = isRole("nurse", "charge_nurse") && session.value.user.staff_id;
  return html`<${Title} title=${t("screen.ward_board")} note=${t("ward.patients_beds", { patients, beds: bedIds.value.length })}>
    ${waiting > 0 && html`<button type="button" class="waiting" onClick=${settle}>${t("ward.waiting", { n: waiting })}</button>`}
    ${own && html`<${Segments} label=${t("ward.whose")} options=${[["all", t("ward.all")], ["mine", t("ward.mine")]]} chosen=${whose} act=${(v) => set({ beds: v === "all" ? null : v })} />`}
    <${Segments} label=${t("ward.order")} options=${[["trouble", t("ward.trouble_first")], ["bed", t("ward.by_bed")]]} chosen=${order} act=${(v) => set({ order: v })} />
    <span class="desk"><${Segments} label=${t("ward.density")} options=${["S", "M", "L"].map((d) => [d, d])} chosen=${density} act=${(v) => set({ density: v })} /></span>
    <span class="desk"><${Segments} label=${t("ward.names")} options=${[["full", t("ward.names_full")], ["initials", t("ward.names_initials")]]} chosen=${names} act=${(v) => set({ names: v })} /></span>
    <button type="button" class="desk" onClick=${() => set({ wall: "1" }, { replace: false })}>${t("ward.wall")}</button>
  </${Title}>`;
}
