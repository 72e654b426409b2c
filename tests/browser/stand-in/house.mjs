/** The stand-in's answers about the house: places, shifts, logins, the trail, limits, the system's day, and a patient's own page. */
import { ago, ALARMS, PEOPLE, UNIT, uuid } from "./ward.mjs";

const ok = (json) => ({ status: 200, json });
const list = (items) => ok({ items, next: null });
const problem = (status, title, detail) => ({ status, json: { type: "about:blank", title, status, detail, instance: "7c1f" } });

const NURSES = [["Priya Nair", 1, "nurse"], ["Amara Okoye", 2, "nurse"], ["Tom Rourke", 4, "charge_nurse"], ["Dr Mara Vance", 5, "physician"], ["Rita Blom", 6, "it"]];
const person = (n) => ({ id: uuid(7, n), name: NURSES.find(([, number]) => number === n)[0] });
const named = (p) => ({ id: uuid(3, Number(p.bed)), name: `${p.given} ${p.family}` });

/** What the stand-in remembers from one request to the next; made anew with `fresh`. */
export const house = { names: new Map(), added: [], users: [], hand: null, nurses: new Map(), set: [], felt: [], emergencies: [], opened: false, dose: null, told: false, shares: [], taken: false, shared_s: 5 * 86_400, lookers: [], gone: null, away: false };

export function fresh() {
  house.names.clear();
  house.nurses.clear();
  Object.assign(house, { added: [], set: [], felt: [], emergencies: [], opened: false, dose: null, told: false, shares: [], taken: false, shared_s: 5 * 86_400, lookers: [], gone: null, away: false, hand: { id: uuid(13, 1), from: person(2), to: person(1), offered_at: ago(240), state: "open", ended_at: null } });
  house.users = NURSES.map(([name, n, role]) => ({ id: uuid(10, n), login: name.split(" ").at(-1).toLowerCase(), role, staff_id: uuid(7, n), name, disabled: false, has_password: n !== 2, invited_until: n === 2 ? ago(-86400 * 5) : null }));
}

const bedName = (p) => house.names.get(uuid(4, Number(p.bed))) ?? p.bed;
function nurseOf(p) {
  if (!p.given) return null;
  if (p.bed === "05" && !house.nurses.has("05")) return person(2);
  if (house.nurses.has(p.bed)) return house.nurses.get(p.bed);
  return p.bed === "07" ? null : person(Number(p.bed) % 3 ? 1 : 2);
}

function places(state) {
  if (state.empty) return ok({ org: { id: uuid(11, 1), name: "St. Brigid's" }, sites: [], shows_patients: state.role !== "it" });
  const shows = state.role !== "it";
  const bed = (p) => ({ id: uuid(4, Number(p.bed)), name: bedName(p), is_empty: !p.given, patient: p.given && shows ? named(p) : null, nurse: nurseOf(p) });
  const crowd = state.crowd ? Array.from({ length: state.crowd }, (_, i) => ({ id: uuid(4, 500 + i), name: String(100 + i), is_empty: i % 3 === 0, patient: i % 3 && shows ? { id: uuid(3, 500 + i), name: `Patient ${i}` } : null, nurse: i % 3 ? person(1) : null })) : [];
  const rooms = [];
  PEOPLE.forEach((p, i) => (i % 2 ? rooms.at(-1).beds.push(bed(p)) : rooms.push({ id: uuid(12, i), name: house.names.get(uuid(12, i)) ?? `Room ${i / 2 + 1}`, beds: [bed(p)] })));
  if (crowd.length) rooms.push({ id: uuid(12, 99), name: "Hall", beds: crowd });
  return ok({ org: { id: uuid(11, 1), name: "St. Brigid's" }, sites: [{ id: UNIT.site_id, name: "North Hospital", care_units: [{ id: UNIT.id, name: UNIT.name, charge: person(4), rooms }, ...house.added.filter((a) => a.kind === "care-units").map((a) => ({ id: a.id, name: a.name, charge: null, rooms: [] }))] }], shows_patients: shows });
}

function history(url, id) {
  const at = Number(url.searchParams.get("at") ?? Date.now()),
    known = Number(url.searchParams.get("known") ?? Date.now());
  const lines = [[named(PEOPLE[3]), 5 * 3600, 2 * 3600], [null, 30 * 3600, 30 * 3600], [named(PEOPLE[0]), 80 * 3600, 80 * 3600]].map(([patient, from, knew]) => ({ patient, from: ago(from), known_at: ago(knew), is_late: from !== knew }));
  const seen = lines.filter((line) => Date.parse(line.known_at) <= known);
  const holds = seen.find((line) => Date.parse(line.from) <= at);
  return ok({ bed: { id, name: "04" }, room: "Room 2", care_unit: UNIT, at: new Date(at).toISOString(), known_at: new Date(known).toISOString(), patient: holds?.patient ?? null, lines: seen });
}

function shift(state) {
  const beds = (state.empty ? [] : PEOPLE).map((p) => ({ bed: { id: uuid(4, Number(p.bed)), name: p.bed }, room: "Room", patient: p.given ? named(p) : null, nurse: nurseOf(p), is_unassigned: Boolean(p.given) && !nurseOf(p), alarms: ALARMS.filter((a) => a.patient === uuid(3, Number(p.bed)) && a.state !== "ended") }));
  const mine = state.role === "nurse",
    hand = house.hand;
  const posts = ["05", "06"].map((bed) => ({ bed: { id: uuid(4, Number(bed)), name: bed }, patient: named(PEOPLE.find((p) => p.bed === bed)), note: bed === "05" ? "Slept from four. Wants the window open; drip is changed at nine." : "", is_held: true }));
  return { care_unit: UNIT, charge: person(4), beds, hand_overs: hand ? [{ ...hand, posts, is_for_me: mine && hand.state === "open", is_mine: false }] : [], now: ago(0) };
}

const side = (limit, clears_at) => ({ limit, clears_at, delay_s: 10, priority: "medium" });
const BUILT = [["saturation", "SpO₂", "%", side(90, 92), null], ["heart_rate", "HR", "/min", side(50, 53), side(120, 115)], ["respiratory_rate", "RR", "/min", side(8, 10), side(30, 28)], ["systolic_pressure", "NIBP sys", "mmHg", side(90, 95), side(160, 155)], ["temperature", "Temp", "°C", side(35.1, 35.3), side(39, 38.8)]].map(([vital, label, unit, low, high]) => ({ vital, label, unit, low, high, is_default: true, from: { layer: "built_in", care_unit: null, band: null, by: null, at: null } }));
const BANDS = [["infant", 0, 1], ["young_child", 1, 5], ["child", 5, 13], ["adolescent", 13, 18], ["adult", 18, 75], ["older", 75, null]].map(([band, from_years, below_years]) => ({ band, from_years, below_years }));
const limits = () => ({ care_unit: UNIT, bands: BANDS, set: house.set, built_in: BUILT });
function setLimits(url, vital, wanted) {
  const band = url.searchParams.get("band");
  house.set = house.set.filter((it) => it.vital !== vital || it.band !== band);
  if (wanted) house.set.push({ ...BUILT.find((it) => it.vital === vital), ...wanted, band, from: { layer: band ? "age_band" : "care_unit", care_unit: UNIT, band, by: "Tom Rourke", at: ago(5) } });
  return ok(limits());
}

const TRAIL = (n) => Array.from({ length: n }, (_, i) => {
  const [name, number, role] = NURSES[i % NURSES.length];
  const refused = i % 7 === 3;
  return { at: ago(30 + i * 97), actor: { kind: "user", id: uuid(10, number), name: name.split(" ").at(-1).toLowerCase(), full_name: name, role }, action: ["patient.read", "board.read", "alarm.acknowledge", "device.read"][i % 4], patient: i % 2 ? uuid(3, 4) : null, patient_number: i % 2 ? "BR 207 229" : null, resource: `GET /api/v1/patients/${uuid(3, 4)}`, allowed: !refused, rule: refused ? "own unit" : i % 5 === 2 ? "emergency" : "site staff", remote: "10.1.4.22:51234" };
});

/** A day of minutes with one restart in it. */
function day() {
  const points = Array.from({ length: 240 }, (_, i) => ({ at_ms: Date.now() - (1440 - i * 6 + (i > 140 ? 0 : 20)) * 60_000, messages_per_s: 180, readings_per_s: 420 + Math.sin(i / 9) * 12, durable_ms_p99: 14, decided_ms_p99: 16 + Math.sin(i / 4) * 3, journal_bytes: 60_000_000 + i * 70_000, connections: 14 }));
  return ok({ from: new Date(points[0].at_ms).toISOString(), to: new Date().toISOString(), points, gaps: [{ from_ms: points[140].at_ms, to_ms: points[141].at_ms, why: "restart" }] });
}

/** What the system's answer has beyond its oldest part. */
export const MORE = () => ({ engine: { records: 140_000 + Math.round(Date.now() / 5) % 100_000, behind_bytes: 0, alarms_standing: 3, commands_accepted: 210, commands_refused: 4, since_checkpoint_bytes: 3_200_000, derived_behind: false, decisions_dropped: 0 }, screens: { open: 5, requests: 4120, faults: 0, sign_ins_refused: 2 }, storage: { journal_bytes: 76_400_000, series_bytes: 122_000_000, records_bytes: 5_800_000, free_bytes: 48_000_000_000, total_bytes: 252_000_000_000, used_percent: 61, growth_bytes_per_day: 1_170_000_000, full_in_s: 3_542_400 }, backup: { folder: "/mnt/backup", every_s: 86_400, count: 12, last_at: new Date(Date.now() - 5 * 3_600_000).toISOString(), last_bytes: 204_000_000, last_age_s: 18_000, rehearsed_at: new Date(Date.now() - 5 * 3_600_000).toISOString(), rehearsed_of: new Date(Date.now() - 5 * 3_600_000).toISOString(), under_way: house.under_way ?? null, problem: null },
  certificates: [{ device: uuid(5, 3), label: "Monitor 03", not_after: ago(86400 * 2), has_ended: true }, { device: uuid(5, 6), label: "Monitor 06", not_after: ago(-86400 * 6), has_ended: false }], quarantined: 1, started_at: ago(4211), now: ago(0) });

/** Pages opened in an emergency: one that waits for somebody to look, one that was looked at. */
const emergency = (n, by, reason, words, more = {}) => ({ id: uuid(15, n), patient: named(PEOPLE[3]), bed: { id: uuid(4, 4), name: "04" }, by: { name: by, role: "nurse" }, reason, words, opened_at: ago(600), until: ago(-3000), is_open: true, reviewed_at: null, reviewed_by: null, is_mine: false, ...more });
export function opened() {
  house.emergencies = [emergency(1, "Jonas Hartl", "called_to_help", "Priya asked me to look at the drip while she was with bed 06"), emergency(2, "Amara Okoye", "transfer", "", { opened_at: ago(9000), until: ago(5400), is_open: false, reviewed_at: ago(8000), reviewed_by: "Tom Rourke" })];
}
const emergencies = () => ok({ care_unit: UNIT, items: house.emergencies, now: ago(0) });
/** How many of them wait, for the board's bed 04. */
export const toReview = () => house.emergencies.filter((it) => !it.reviewed_at).length;

/** What somebody reads once nothing is shared with them. */
export const over = () => ({ status: 403, json: { ...problem(403, "Nothing is shared any more", "nothing is shared with you any more").json, type: "/problems/share-over" } });
/** A patient's page has a second device, for what comes off and what stays. */
const worn = (n) => [[uuid(5, n), `Monitor 0${n}`], [uuid(5, 90 + n), `Patch 0${n}`]].map(([id, label]) => ({ id, label, profile: "bedside-monitor" }));
export function left(n) {
  if (house.gone?.patient !== uuid(3, n)) return { devices: worn(n), has_left: false };
  return { devices: worn(n).filter((d) => house.gone.kept.includes(d.id)), ...(house.gone.to ? { has_left: false } : { has_left: true, bed: null, care_unit: null, nurse: null }) };
}
const keptOn = () => worn(4).filter((d) => house.gone.kept.includes(d.id)).map((device) => ({ device: { id: device.id, name: device.label }, patient: named(PEOPLE.find((p) => p.bed === "04")) }));
/** Whoever moved is nobody who left. */
export const stillOn = () => (house.gone && !house.gone.to ? keptOn() : []);

function own(state) {
  const points = (base) => Array.from({ length: 60 }, (_, i) => [Date.now() - (60 - i) * 24 * 60_000, Math.round((base + Math.sin(i / 4) * 2) * 10) / 10]);
  const number = (vital, value, text, unit, low, high, place, more = {}) => ({ vital, label: vital, unit, value, text, missing: null, taken_at: ago(4), age_s: 4, device: uuid(5, 4), grade: "medical", state: "live", low, high, direction: null, alarm: null, alarm_priority: null, clock: "device", from_beats: false, measured_by: "Bedside monitor", place, usual: [value - 3, value + 2], points: points(value), with: null, ...more });
  const numbers = state.empty ? [] : [number("saturation", 93, "93", "%", 90, null, "in", { grade: "wellness" }), number("heart_rate", 118, "118", "/min", 50, 120, "in", { usual: [70, 90] }), number("systolic_pressure", 88, "88", "mmHg", 90, 160, "below", { with: { text: "58", value: 58, low: 50, high: null }, with_place: "in", taken_at: ago(900), age_s: 900 })];
  const family = state.role === "family";
  if (family && house.taken) return over();
  const away = family || house.away;
  return ok({ given_name: "Ilse", bed: away ? null : { id: uuid(4, 4), name: "04" }, care_unit: away ? null : UNIT, nurse: away ? null : person(1), charge: away ? null : person(4), numbers, next_dose: house.dose, felt: family ? [] : house.felt, shares: family ? [] : house.shares, shared_until: family ? ago(-house.shared_s) : null, looks: state.empty || family ? [] : [...house.lookers, ...NURSES.slice(0, 4).map(([name, n, role], i) => ({ user: uuid(10, n), name, role, count: 4 - i, first_at: ago(90_000), last_at: ago(600 * (i + 1)), link_made_at: house.told && i === 0 ? ago(700) : null, emergency: i === 1 ? { at: ago(1200), reason: "life_at_risk" } : null }))], recording: state.recording, now: ago(0) });
}

export const HOUSE_ROUTES = [
  ["GET", /^\/places$/, (s) => places(s)],
  ["POST", /^\/(sites|care-units|rooms|beds)$/, (s, _, [kind], b) => (house.added.push({ kind, id: uuid(14, house.added.length), ...b }), { status: 201, json: { id: uuid(14, house.added.length - 1), name: b.name } })],
  ["PUT", /^\/(?:sites|care-units|rooms|beds)\/([\w-]+)$/, (s, _, [id], b) => (b.name === "taken" ? problem(409, "taken", "the room has a bed of this name already") : (house.names.set(id, b.name), ok({ id, name: b.name })))],
  ["POST", /^\/beds\/([\w-]+)\/patient$/, (s, _, [bed], b) => {
    if (b.take_off?.length === 0 && !b.patient) return problem(409, "conflict", "somebody else lies in this bed by now; look again");
    house.gone = { bed, patient: b.leaves ?? b.patient, to: b.patient ? bed : null, kept: worn(4).map((d) => d.id).filter((id) => !b.take_off.includes(id) || s.sticks?.includes(id)) };
    return ok({ bed: { id: bed, name: "04" }, patient: null, nurse: null, still_on: keptOn() });
  }],
  ["GET", /^\/beds\/([\w-]+)\/history$/, (s, url, [id]) => history(url, id)],
  ["GET", /^\/care-units\/[\w-]+\/shift$/, (s) => ok(shift(s))],
  ["POST", /^\/posts\/bed\/[\w]+-[\w-]*-(\d{12})$/, (s, _, [n], b) => (house.nurses.set(String(Number(n)).padStart(2, "0"), b.staff ? (NURSES.map(([, m]) => person(m)).find((p) => p.id === b.staff) ?? null) : null), ok({}))],
  ["POST", /^\/care-units\/[\w-]+\/hand-overs$/, (s) => ({ status: 201, json: shift(s) })],
  ["POST", /^\/hand-overs\/[\w-]+\/acceptance$/, (s) => (Object.assign(house.hand, { state: "accepted", ended_at: ago(0) }), house.nurses.set("05", person(1)), house.nurses.set("06", person(1)), ok(shift(s)))],
  ["DELETE", /^\/hand-overs\/[\w-]+$/, (s) => (Object.assign(house.hand, { state: "ended", ended_at: ago(0) }), ok(shift(s)))],
  ["GET", /^\/users$/, (s) => list(s.empty ? [] : s.crowd ? Array.from({ length: s.crowd }, (_, i) => ({ ...house.users[i % 5], id: uuid(10, 700 + i), login: `u${i}` })) : house.users)],
  ["POST", /^\/users$/, (s, _, __, b) => (b.login === "tom" ? problem(409, "taken", "this login is taken") : (house.users.push({ id: uuid(10, 40), staff_id: uuid(7, 40), disabled: false, has_password: false, invited_until: ago(-86400 * 7), ...b }), { status: 201, json: { ...house.users.at(-1), invitation: "/invite/7f3a", expires_at: ago(-86400 * 7) } }))],
  ["PUT", /^\/users\/([\w-]+)$/, (s, _, [id], b) => ok(Object.assign(house.users.find((u) => u.id === id), b))],
  ["POST", /^\/users\/([\w-]+)\/invitation$/, (s, _, [id]) => ({ status: 201, json: { ...house.users.find((u) => u.id === id), invitation: "/invite/9c1d", expires_at: ago(-86400 * 7) } })],
  ["POST", /^\/patients\/[\w-]+\/login$/, () => ({ status: 201, json: { name: "Ilse Brandt", login: "br207229", role: "patient", invitation: "/invite/4e2b", expires_at: ago(-86400 * 7) } })],
  ["GET", /^\/care-units\/[\w-]+\/emergencies$/, () => emergencies()],
  ["POST", /^\/emergencies\/([\w-]+)\/review$/, (s, _, [id]) => (Object.assign(house.emergencies.find((it) => it.id === id), { reviewed_at: ago(0), reviewed_by: "Tom Rourke" }), emergencies())],
  ["POST", /^\/patients\/[\w-]+\/emergency$/, (s, _, __, b) => (b.words === "no" ? problem(409, "conflict", "so many pages are open to you already that another one opens only later") : ((house.opened = true), { status: 201, json: emergency(3, "Priya Nair", b.reason, b.words) }))],
  ["PUT", /^\/patients\/[\w-]+\/next-dose$/, (s, _, __, b) => ((house.dose = { ...b, by: "Priya Nair", at: ago(0) }), ok({ next_dose: house.dose }))],
  ["DELETE", /^\/patients\/[\w-]+\/next-dose$/, () => ((house.dose = null), ok({ next_dose: null }))],
  ["GET", /^\/sites$/, () => list([{ id: UNIT.site_id, name: "North Hospital" }])],
  ["GET", /^\/audit$/, (s, url) => list(s.empty ? [] : TRAIL(s.crowd || 40).filter((r) => (!url.searchParams.get("actor") || r.actor.name === url.searchParams.get("actor")) && (url.searchParams.get("outcome") !== "refused" || !r.allowed)))],
  ["GET", /^\/patients\/[\w-]+\/looks$/, (s) => ok({ record_number: "BR 207 229", items: s.empty ? [] : own({ ...s, empty: false }).json.looks })],
  ["GET", /^\/care-units\/[\w-]+\/limits$/, () => ok(limits())],
  ["PUT", /^\/care-units\/[\w-]+\/limits\/(\w+)$/, (s, url, [vital], b) => (b.low?.limit === 101 ? problem(400, "bad", "a limit of the oxygen saturation must lie from 1 to 100 %") : setLimits(url, vital, b))],
  ["DELETE", /^\/care-units\/[\w-]+\/limits\/(\w+)$/, (s, url, [vital]) => setLimits(url, vital, null)],
  ["GET", /^\/system\/history$/, (s) => (s.empty ? ok({ from: ago(60), to: ago(0), points: [], gaps: [] }) : day())],
  ["GET", /^\/own$/, (s) => own(s)],
  ["POST", /^\/system\/(backup|rehearsal)$/, (s, _, [what]) => ((house.under_way = what), { status: 202, json: null })],
  ["POST", /^\/own\/shares$/, (s, _, __, b) => {
    if (house.shares.length === 2) return problem(409, "no", "the page is shared with so many people that somebody has to go first");
    const login = `${b.name.toLowerCase()}-a1b2c3`;
    house.shares.push({ id: uuid(10, 80 + house.shares.length), name: b.name, login, since: ago(0), until: ago(-86_400 * b.days), has_entered: house.shares.length > 0 });
    return { status: 201, json: { own: own(s).json, name: b.name, login, invitation: "/invite/5f2c", expires_at: ago(-86_400) } };
  }],
  ["DELETE", /^\/own\/shares\/([\w-]+)$/, (s, _, [id]) => ((house.shares = house.shares.filter((one) => one.id !== id)), own(s))],
  ["POST", /^\/own\/feeling$/, (s, _, __, b) => (house.felt.unshift({ observed_at: ago(0), feeling: b.feeling, note: b.words }), { status: 201, json: own(s).json })],
];
fresh();
