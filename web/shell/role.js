/** Which screens a role has work on, and what it may do there; the server decides, this only avoids offering what it will refuse. */
import { board, session, unit } from "../feed/state.js";

const ALL = ["ward", "mine", "alarms", "staff", "devices", "places", "system"];
/** Those who keep the machines running see no patients. */
const SCREENS = {
  charge_nurse: ["ward", "mine", "alarms", "staff", "devices", "places", "settings", "system"],
  it: ["devices", "places", "system", "staff", "audit", "settings"],
  family: ["own"],
  patient: ["own"],
  physician: ["ward", "alarms", "devices", "staff", "places", "settings", "system"],
};

export const role = () => session.value?.user.role;
export const isRole = (...names) => names.includes(role());
export const screens = () => SCREENS[role()] ?? ALL;
/** Whether somebody looks at themselves, or at what a patient shares with them. */
export const readsOwn = () => isRole("patient", "family");
/** Whether a role has any business with patients, their alarms and the feed of them. */
export const seesPatients = () => screens().includes("ward");

/** Where a screen of the rail is; the ward's knows which. */
export function pathOf(screen) {
  const units = session.value?.care_units ?? [],
    here = unit.value?.id ?? (units.find((u) => u.mine) ?? units[0])?.id;
  return screen === "ward" ? `/ward/${here ?? ""}` : `/${screen}`;
}

/** Where somebody starts after signing in. */
export const home = () => pathOf(screens()[0]);
export const unitName = () => board.value?.care_unit.name ?? unit.value?.name ?? "";
