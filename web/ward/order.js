/** Who stands where on the board. Trouble first for a hand, by bed for a wall; and nothing moves while somebody is about to touch it. */
import { alarmsOfBed, bed } from "../feed/state.js";

const URGENCY = { high: 0, medium: 1, low: 2 };
const ANSWERED = 5,
  CALM = 10,
  EMPTY = 20;

/** An answered alarm waits behind an unanswered one; an empty bed comes last. */
function weight(id) {
  if (!bed(id).value.patient) return EMPTY;
  const top = alarmsOfBed(id)[0];
  if (!top) return CALM;
  return URGENCY[top.priority] + (top.state === "acknowledged" ? ANSWERED : 0);
}

/** Bed ids in the order in which they ought to stand. `mine` keeps the beds of one member of staff. */
export function ordered(ids, order, mine = null) {
  const list = mine ? ids.filter((id) => bed(id).value.nurse?.id === mine) : [...ids];
  if (order === "bed") return list;
  const place = new Map(ids.map((id, i) => [id, i]));
  const weights = new Map(list.map((id) => [id, weight(id)]));
  return list.sort((a, b) => weights.get(a) - weights.get(b) || place.get(a) - place.get(b));
}

/** How many stand elsewhere than they ought to. */
export const moved = (shown, wanted) => wanted.filter((id, i) => shown[i] !== id).length;
