/** The ward board: every bed of a care unit at a glance. The address says order, density, names and whether it is a wall. */
import { html, useEffect } from "../html.js";
import { Empty, Failed, Loading } from "../components/state-panel.js";
import { Segments } from "../components/segments.js";
import { bed, bedIds, board, boardProblem, session } from "../feed/state.js";
import { fill } from "../feed/past.js";
import { start } from "../feed/socket.js";
import { t } from "../i18n/words.js";
import { params, set } from "../router.js";
import { Title } from "../shell/shell.js";
import { isRole, unitName } from "../shell/role.js";
import { BedSector } from "./bed-sector.js";
import { ordered } from "./order.js";
import { StillOn } from "./still-on.js";
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
  useWakeful(wall);
  if (wall) return html`<${WallBar} /><main id="content" tabindex="-1"><${Body} wall=${true} /></main>`;
  return html`<${Body} />`;
}

/** A wall screen must not go dark by itself; browsers that cannot promise it let the system decide. */
function useWakeful(wall) {
  useEffect(() => {
    if (!wall || !navigator.wakeLock) return undefined;
    let lock = null,
      gone = false;
    const hold = async () => {
      if (document.hidden) return;
      lock = await navigator.wakeLock.request("screen").catch(() => null);
      if (gone) lock?.release();
    };
    hold();
    document.addEventListener("visibilitychange", hold);
    return () => {
      gone = true;
      document.removeEventListener("visibilitychange", hold);
      lock?.release();
    };
  }, [wall]);
}

/** From a desk to a wall: the whole screen, if the browser gives it. */
function toWall() {
  document.documentElement.requestFullscreen?.().catch(() => null);
  set({ wall: "1" }, { replace: false });
}

function Body({ wall = false }) {
  if (boardProblem.value) return html`${!wall && html`<${Title} title=${t("screen.ward")} />`}<${Failed} problem=${boardProblem.value} again=${start} what=${t("ward.the_board")} />`;
  if (!board.value) return html`<${Loading} />`;
  if (bedIds.value.length === 0) return html`<${Title} title=${t("screen.ward")} /><${Empty} title=${t("ward.no_beds")} text=${t("ward.no_beds_text")} />`;
  return html`<${Beds} wall=${wall} />`;
}

/** How much of a trace a sector of each size shows, at most. */
const PAST_MS = { S: 10_000, M: 15_000, L: 25_000 };

/** The traces that the board shows, with whose they are. */
const traced = () => bedIds.value.map((id) => bed(id).peek()).filter((b) => b.patient && b.wave && !b.silent_since)
  .map((b) => ({ patient: b.patient.id, device: b.wave.device, channel: b.wave.channel }));

/** A wall shows all beds at once, wider than high. */
const columns = (beds) => Math.min(8, Math.max(1, Math.ceil(Math.sqrt(beds * 1.33))));

/** Sectors are drawn for four columns; more of them shrink everything in them alike, fewer let it grow a little. */
function wallStyle(beds) {
  const k = Math.min(1.25, 4 / columns(beds));
  return { "--columns": columns(beds), "--k": k, "--wall-trace": 1.5 * k };
}

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
  // Each fresh picture of the unit may have had a hole before it.
  const picture = board.value;
  useEffect(() => fill(traced(), PAST_MS[density] ?? PAST_MS.M), [picture]);
  return html`
    ${!wall && html`<${Tools} order=${order} density=${density} names=${names} whose=${whose} waiting=${waiting} settle=${settle} />`}
    <${StillOn} names=${names} />
    <div class="board" ref=${ref} style=${wall ? wallStyle(shown.length) : undefined}>
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
    <button type="button" class="desk" onClick=${toWall}>${t("ward.wall")}</button>
  </${Title}>`;
}
