/** Which care unit this screen follows, and what of it the feed shall send. */
import { effect, untracked } from "./html.js";
import { closedPage, session, unit, patient } from "./feed/state.js";
import * as socket from "./feed/socket.js";
import { route } from "./router.js";
import { readsOwn, seesPatients } from "./shell/role.js";

const LAST = "wardline.unit";

const last = () => {
  try {
    return localStorage.getItem(LAST);
  } catch {
    return null;
  }
};

export function chooseUnit(chosen) {
  unit.value = chosen;
  try {
    localStorage.setItem(LAST, chosen.id);
  } catch {
    // The first unit is shown next time.
  }
}

/** The unit that an address without one means: where somebody was last, else their first. */
export function usualUnit() {
  const units = session.value?.care_units ?? [];
  return units.find((u) => u.id === last()) ?? units.find((u) => u.mine) ?? units[0] ?? null;
}

/** Keeps the feed on what the screen shows: waves of all beds on the board, of one patient on their page, none elsewhere. */
export function start() {
  effect(() => {
    const { name, unit: inPath } = route.value;
    if (!session.value || name === "sign-in" || name === "invite") return;
    const units = session.value.care_units ?? [];
    if (inPath && inPath !== unit.value?.id) chooseUnit(units.find((u) => u.id === inPath) ?? { id: inPath, name: "" });
    else if (!unit.value && usualUnit()) unit.value = usualUnit();
    const theirs = name === "patient" ? patient.value?.care_unit : null;
    if (theirs && theirs.id !== unit.value?.id) chooseUnit(theirs);
    // What an own page has to know of the house comes with it; a server asked for more refuses, and writes that down.
    if (!seesPatients()) return untracked(() => socket.followNone({ asks: !readsOwn() }));
    if (!unit.value) return;
    const who = name === "patient" && route.value.id !== closedPage.value ? route.value.id : null;
    untracked(() => socket.follow({ unit: unit.value.id, patient: who, waves: name === "ward" ? "board" : who ? "patient" : "none" }));
  });
}
