/** What is known of the care unit right now. The feed writes it, screens read it; it is the only state that screens share. */
import { batch, computed, signal } from "../html.js";
import { ms } from "../format/time.js";
import { now, second } from "./clock.js";

/** Beats come each second; this long without one and every number on the screen is doubtful. */
export const BLIND_MS = 5000;
/** Device to display: above this the screen says that it is late (issue of an alarm by the server too). */
export const LATE_MS = 2000;
const ENDED_KEPT_MS = 60_000;

export const session = signal(null);
export const unit = signal(null);
/** `null` while it loads, a `Problem` when it could not be had, else `{care_unit, charge}`. */
export const board = signal(null);
export const boardProblem = signal(null);
/** Bed ids in the order of the ward; each bed is a signal of its own, so that one number redraws one sector. */
export const bedIds = signal([]);
const beds = new Map();
export const bed = (id) => beds.get(id);
export const alarms = signal(new Map());
export const patient = signal(null);
/** The patient whose page is closed to whoever is here; the feed is not asked for their traces. */
export const closedPage = signal(null);

/** `connecting`, `live`, `lost`, or `refused` (this person gets no feed). */
export const link = signal({ state: "connecting", since: now() });
export const beat = signal(null);
/** The last trace of which blocks were dropped, because this page was too slow for them; the record has them. */
export const dropped = signal(null);

const URGENCY = { high: 0, medium: 1, low: 2 };
/** Unanswered before answered, high before low, and the oldest first. */
export function byUrgency(a, b) {
  const answered = (alarm) => (alarm.state === "active" ? 0 : alarm.state === "acknowledged" ? 1 : 2);
  return answered(a) - answered(b) || URGENCY[a.priority] - URGENCY[b.priority] || ms(a.raised_at ?? a.since) - ms(b.raised_at ?? b.since);
}
export const standing = computed(() => [...alarms.value.values()].filter((a) => a.state !== "ended").sort(byUrgency));
export const active = computed(() => standing.value.filter((a) => a.state === "active"));
export const alarmsOfBed = (id) => standing.value.filter((a) => a.bed === id);

/** How many pages were opened in an emergency, of which this unit is told and at whose reason nobody has looked. */
export const toReview = signal(0);

/** The alarm about the server's disk, for those who look after it: `{alarm, used_percent, full_in_s}`, or `null`. */
export const disk = signal(null);

/** The unit's devices that are still on patients who left. */
export const stillOn = signal([]);

export const counts = computed(() => {
  const of = (priority) => active.value.filter((a) => a.priority === priority).length;
  return { high: of("high"), medium: of("medium"), low: of("low") };
});

/** How long the watchdog's beat has not come, in milliseconds: its age by its device, not by its arrival. */
export const beatAge = computed(() => {
  second.value;
  if (link.value.state === "refused") return 0;
  const last = beat.value;
  if (!last) return now() - link.value.since;
  return Math.max(0, now() - Math.min(last.deviceAt, last.now));
});
export const isBlind = computed(() => beatAge.value > BLIND_MS);
export const isLate = computed(() => beatAge.value > LATE_MS + 1000);
export const isRecording = computed(() => beat.value?.recording !== false);

/** Replaces everything by a fresh picture of the unit. */
export function takeBoard(fresh, more = []) {
  batch(() => {
    board.value = fresh;
    boardProblem.value = null;
    toReview.value = fresh.to_review ?? 0;
    stillOn.value = fresh.still_on ?? [];
    takeBeds(fresh.beds);
    bedIds.value = fresh.beds.map((b) => b.bed);
    const known = new Map(more.map((a) => [a.id, a]));
    for (const alarm of [...(fresh.alarms ?? []), ...fresh.beds.flatMap((b) => b.alarms ?? [])]) known.set(alarm.id, alarm);
    alarms.value = known;
  });
}

function takeBeds(list) {
  for (const fresh of list) {
    const one = beds.get(fresh.bed);
    if (one) one.value = fresh;
    else beds.set(fresh.bed, signal(fresh));
  }
}

const replaced = (numerics, fresh) => {
  const at = numerics.findIndex((n) => n.vital === fresh.vital);
  if (at < 0) return [...numerics, fresh];
  return numerics.map((n, i) => (i === at ? fresh : n));
};

/** Applies one delta as a whole, so that no screen sees half of it. */
export function takeDelta(delta) {
  batch(() => {
    toReview.value = delta.to_review ?? toReview.value;
    stillOn.value = delta.still_on ?? stillOn.value;
    if (delta.beds) {
      takeBeds(delta.beds);
      const more = delta.beds.map((b) => b.bed).filter((id) => !bedIds.value.includes(id));
      if (more.length) bedIds.value = [...bedIds.value, ...more];
    }
    for (const { patient: whose, bed: where, numeric } of delta.numerics ?? []) takeNumeric(whose, where, numeric);
    for (const { patient: whose, bed: where, news2 } of delta.news2 ?? []) takeScore(whose, where, news2);
    if (delta.alarms) takeAlarms(delta.alarms);
  });
}

/** The board shows four numbers a bed; a delta about another one must not add a fifth. */
function takeNumeric(whose, where, numeric) {
  const one = beds.get(where);
  if (one?.value.numerics?.some((n) => n.vital === numeric.vital)) {
    one.value = { ...one.value, numerics: replaced(one.value.numerics, numeric), silent_since: null };
  } else if (one && SHOWN_ON_BOARD.has(numeric.vital)) {
    one.value = { ...one.value, numerics: replaced(one.value.numerics ?? [], numeric) };
  }
  if (patient.value?.patient.id === whose) {
    patient.value = { ...patient.value, numerics: replaced(patient.value.numerics, numeric) };
  }
}
const SHOWN_ON_BOARD = new Set(["heart_rate", "saturation", "respiratory_rate", "systolic_pressure", "diastolic_pressure"]);

function takeScore(whose, where, news2) {
  const one = beds.get(where);
  if (one) one.value = { ...one.value, news2: { ...news2, missing_count: news2.missing_count ?? news2.missing?.length ?? 0 } };
  if (patient.value?.patient.id === whose) patient.value = { ...patient.value, news2 };
}

/** Takes alarms from the feed or from an answer to one of our own requests. */
export function takeAlarms(list) {
  const next = new Map(alarms.value);
  for (const alarm of list) next.set(alarm.id, alarm);
  for (const [id, alarm] of next) {
    if (alarm.state === "ended" && now() - (ms(alarm.ended_at) ?? 0) > ENDED_KEPT_MS) next.delete(id);
  }
  alarms.value = next;
  if (patient.value) {
    const mine = list.filter((a) => a.patient === patient.value.patient.id);
    if (mine.length) {
      const rest = patient.value.alarms.filter((a) => !mine.some((m) => m.id === a.id));
      patient.value = { ...patient.value, alarms: [...mine, ...rest] };
    }
  }
}

/** Forgets the unit; the next one starts empty rather than with another ward's patients. */
export function forgetUnit() {
  batch(() => {
    board.value = null;
    boardProblem.value = null;
    bedIds.value = [];
    toReview.value = 0;
    stillOn.value = [];
    beds.clear();
    alarms.value = new Map();
  });
}
