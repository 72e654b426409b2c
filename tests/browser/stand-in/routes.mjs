/** The stand-in's answers, one line a route, in the shapes that the screens read. */
import { ago, ALARMS, board, chart, LANES, patientPage, PEOPLE, UNIT, uuid } from "./ward.mjs";
import { ecg, pleth, resp } from "./signals.mjs";
import { house, HOUSE_ROUTES, left, MORE, over, stillOn, toReview } from "./house.mjs";

const USERS = { nurse: ["priya", "Priya Nair", 1], charge_nurse: ["tom", "Tom Rourke", 4], physician: ["mara", "Dr Mara Vance", 5], it: ["rb", "Rita Blom", 6], patient: ["ilse", "Ilse Brandt", 9], family: ["anna", "Anna", 12] };
const ok = (json) => ({ status: 200, json });
const list = (items) => ok({ items, next: null });
const problem = (status, title, detail) => ({ status, json: { type: "about:blank", title, status, detail, instance: "7c1f" } });

const closed = () => ({ status: 403, json: { ...problem(403, "This page is closed", "`patient.read` is for those who hold a post in the care unit; in an emergency the page opens for a reason").json, type: "/problems/closed" } });
/** The board, with what waits on bed 04. */
const reviewed = () => ({ ...board(), to_review: toReview(), still_on: stillOn() });

const PROFILES = [["bedside-monitor", "Bedside monitor"], ["ecg-patch", "ECG patch"], ["oximeter", "Oximeter"], ["blood-pressure-cuff", "Blood pressure cuff"]].map(([name, title]) => ({ name, title }));
const DEVICES = PEOPLE.filter((p) => p.given).map((p) => ({ id: uuid(5, Number(p.bed)), label: `Monitor ${p.bed}`, serial: `NX4-204${p.bed}`, profile: "bedside-monitor", lifecycle: "in_service", site_id: UNIT.site_id, care_unit: UNIT, bed: { id: uuid(4, Number(p.bed)), name: p.bed }, topic_prefix: `wl/1/${UNIT.site_id}/${uuid(5, Number(p.bed))}/up`, patient: { id: uuid(3, Number(p.bed)), name: `${p.given} ${p.family}` }, heard_s: p.silent ?? 1, connected: !p.silent, certificates: [{ id: uuid(6, Number(p.bed)), not_after: ago(-86400 * 300), revoked_at: null }] }));
/** Time passes for the devices too. */
const heard = (d) => ({ ...d, ...(house.gone && d.patient?.id === house.gone.patient ? { patient_left: !house.gone.to && house.gone.kept.includes(d.id), patient: house.gone.kept.includes(d.id) ? d.patient : null, bed: null } : { patient_left: false }), last_heard_at: d.heard_s === undefined ? null : ago(d.heard_s) });
const LETTERS = [["unknown unit «C»", "expected Cel", "Oximeter 77120", 388], ["device is quarantined", "", "Pump 31204", 212], ["not SenML", "record 3 has two values", "Monitor 04", 1120]].map(([reason, detail, device_label, size], i) => ({ id: uuid(8, i), at: ago(760 * (i + 1)), reason, detail, device: uuid(5, i), device_label, door: "mqtt", size, replays: [], topic: "wl/1/…/up/num", content_type: "application/senml+json" }));

const REFUSALS = [["clock:off", "its clock is 3 years behind ours, so its own times are not used", "07", true], ["tls:expired", "its certificate ended 3 days ago", "04", false]].map(([reason, words, bed, is_kept], i) => ({ device: { id: uuid(5, Number(bed)), name: `Monitor ${bed}`, serial: `NX4-204${bed}` }, named: uuid(5, Number(bed)), is_proved: is_kept, is_kept, bed: { id: uuid(4, Number(bed)), name: bed }, certificate_serial: "4fa0", fingerprint: is_kept ? null : "a0".repeat(32), remote: "10.20.4.31:50412", reason, words, remedy: "", count: 14 + i, first_at: ago(9000), last_at: ago(12 + i) }));

function trends(url) {
  const from = Date.parse(url.searchParams.get("from")),
    to = Date.parse(url.searchParams.get("to"));
  const one = (vital, unit, label, base, slope, count, gap) => {
    const points = [];
    for (let i = 0; i <= count; i++) {
      const at = from + ((to - from) * i) / count,
        f = i / count;
      if (gap && f > 0.5 && f < 0.58) continue;
      points.push([Math.round(at), Math.round((base + slope * f * f + Math.sin(i * 1.7) * 1.2) * 10) / 10]);
    }
    return { vital, unit, label, points, gaps: gap ? [{ from: new Date(from + (to - from) * 0.5).toISOString(), to: new Date(from + (to - from) * 0.58).toISOString(), reason: "network" }] : [], covered: { percent: gap ? 91.9 : 100, promised_s: (to - from) / 1000, covered_s: ((to - from) / 1000) * (gap ? 0.92 : 1), lacking: gap ? [{ reason: "network", seconds: ((to - from) / 1000) * 0.08 }] : [], no_device_s: 0 } };
  };
  return ok({ series: [one("heart_rate", "/min", "HR", 92, 26, 120), one("saturation", "%", "SpO₂", 95, -10, 120, true), one("respiratory_rate", "/min", "RR", 19, 9, 120), one("systolic_pressure", "mmHg", "NIBP", 126, -28, 10), one("diastolic_pressure", "mmHg", "Dia", 76, -20, 10), one("temperature", "°C", "Temp", 37.6, 1.6, 12)] });
}

/** Two lines in hours, an hour's spike in the first, and half a day without its device's connection. */
function measured(url) {
  const from = Date.parse(url.searchParams.get("from")),
    to = Date.parse(url.searchParams.get("to")),
    step = Math.max(60_000, Math.floor((to - from) / 600 / 60_000) * 60_000),
    origin = Math.floor(from / step) * step,
    device = { id: uuid(5, 4), name: "Monitor 04" };
  const line = (vital, label, unit, base, spike, gap) => {
    const n = Array.from({ length: Math.floor((to - origin) / step) }, (_, i) => i).filter((i) => !gap || i < 300 || i > 360),
      at = (more) => n.map((i) => base + Math.round(4 * Math.sin(i / 9)) + (spike && i === 200 ? more : 0));
    return { device, channel: vital, vital, label, unit, patient: { id: uuid(3, 4), name: "Ilse Brandt" }, on_ms: [[from, to]], n, first: at(0), least: at(-1), greatest: at(70), last: at(0), mean: at(2), count: n.length * 60, covered_ms: n.length * step, usual: vital === "heart_rate" ? [50, 120] : [90, null], in_range_ms: n.length * step };
  };
  return ok({ from: new Date(from).toISOString(), to: new Date(to).toISOString(), known_at: new Date(to).toISOString(), origin_ms: origin, step_ms: step, made_of: step >= 3_600_000 ? "1h" : "1m", lines: [line("heart_rate", "HR", "/min", 78, true, true), line("saturation", "SpO₂", "%", 96, false, false)], withheld: [], next: null });
}

/** A trace that its electrodes left for a while. */
const waveform = (line, origin, step) => ({ device: line.device, channel: "MDC_ECG_ELEC_POTL_II", vital: null, label: "ECG II", patient: line.patient, on_ms: line.on_ms, is_waveform: true, is_coarse: step > 1_200_000, cadence_s: 0.004, promised_s: 8600, covered_s: 8000, percent: 93.1, lacking: [{ reason: "sensor_detached", seconds: 600 }], gaps: [{ from_ms: origin + 100 * step, to_ms: origin + 140 * step, reason: "sensor_detached" }], is_cut: false });

/** Keeps what somebody said of readings, as the server would. */
function said(s, more) {
  const it = { id: uuid(21, s.corrections.length + 1), undoes: null, undone_by: null, by: "Priya Nair", known_at: new Date().toISOString(), ...more };
  s.corrections.push(it);
  return { status: 201, json: it };
}

/** Who was in a place: two people, each with a monitor. */
const measuredBy = (url) => ok({ from: url.searchParams.get("from"), to: url.searchParams.get("to"), known_at: url.searchParams.get("to"), withheld: [], next: null, items: PEOPLE.filter((p) => p.given).slice(0, 2).map((p) => ({ device: { id: uuid(5, Number(p.bed)), name: `Monitor ${p.bed}` }, patient: { id: uuid(3, Number(p.bed)), name: `${p.given} ${p.family}` }, beds: [{ id: uuid(4, Number(p.bed)), name: p.bed }], on_ms: [[Date.parse(url.searchParams.get("from")), Date.parse(url.searchParams.get("to"))]], channels: [{ channel: "heart_rate", vital: "heart_rate", label: "HR", is_waveform: false }, { channel: "perfusion", vital: null, label: "Perfusion index", is_waveform: false }] })) });

function coverage(url) {
  const { lines, step_ms: step, origin_ms: origin } = measured(url).json;
  const [hr, spo2] = lines,
    seconds = (61 * step) / 1000,
    channel = (line, lacking, gaps) => ({ device: line.device, patient: line.patient, on_ms: line.on_ms, is_waveform: false, is_coarse: false, channel: line.channel, vital: line.vital, label: line.label, cadence_s: 1, promised_s: seconds * 10, covered_s: seconds * (10 - gaps.length), percent: gaps.length ? 89.8 : 100, lacking, gaps, is_cut: false });
  return ok({ from: url.searchParams.get("from"), to: url.searchParams.get("to"), known_at: url.searchParams.get("to"), withheld: [], next: null, channels: [channel(hr, [{ reason: "network", seconds }], [{ from_ms: origin + 300 * step, to_ms: origin + 361 * step, reason: "network" }]), channel(spo2, [], []), waveform(hr, origin, step)] });
}

/** A score that climbs in steps, with a stretch in which consciousness was too old. */
function scores(url) {
  const from = Date.parse(url.searchParams.get("from")),
    to = Date.parse(url.searchParams.get("to")),
    at = (part) => new Date(from + (to - from) * part).toISOString();
  return ok({ from: at(0), to: at(1), is_cut: false, covered: { percent: 86, promised_s: (to - from) / 1000, covered_s: ((to - from) / 1000) * 0.86, lacking: [], no_device_s: 0 }, inputs: [{ input: "consciousness", seconds: ((to - from) / 1000) * 0.14, lacking: [{ reason: "not_charted", seconds: ((to - from) / 1000) * 0.14 }] }], scores: [[-0.1, 3], [0.2, 5], [0.35, null], [0.45, 6], [0.7, 9], [0.96, null]].map(([part, total]) => ({ at: at(part), total, single_red: total === 9, missing: total === null ? ["consciousness"] : [], why: total === null ? [{ input: "consciousness", reason: "not_charted" }] : [] })) });
}

/** A day in the life of a patient; many of them when two hundred rows are asked for. */
function timeline(state, url, id) {
  const kinds = url.searchParams.get("kinds")?.split(",") ?? ["alarm", "charted", "device", "place"],
    blank = { alarm: null, charted: null, device: null, bed: null, nurse: null },
    n = Number(id.slice(-12)),
    bed = { id: uuid(4, n), name: String(n).padStart(2, "0") };
  const events = ALARMS.filter((a) => a.patient === id).flatMap((a) => [{ ...blank, at: a.raised_at, kind: "alarm", what: "raised", alarm: a }, ...(a.ended_at ? [{ ...blank, at: a.ended_at, kind: "alarm", what: "ended", alarm: a }] : [])]);
  const charted = (age, more) => ({ ...blank, at: ago(age), kind: "charted", what: "charted", charted: { observed_at: ago(age), by: { id: uuid(7, 1), name: "Priya Nair" }, note: "", ...more } });
  events.push(charted(1500, { oxygen: { kind: "added", flow_l_per_min: 4, by: "nasal_cannula" } }), charted(15_000, { consciousness: "alert", breaths_per_min: 22, note: "Sits up, tired" }), { ...blank, at: ago(30_000), kind: "device", what: "put_on", device: { id: uuid(5, n), name: `Monitor ${bed.name}` } }, { ...blank, at: ago(31_000), kind: "place", what: "came", bed }, { ...blank, at: ago(12_000), kind: "place", what: "nurse", bed, nurse: { id: uuid(7, 1), name: "Priya Nair" } });
  for (let i = 0; i < (state.many ? 200 : 0); i++) events.push(charted(40_000 + i * 600, { breaths_per_min: 12 + (i % 9) }));
  const from = Date.parse(url.searchParams.get("from")),
    items = events.filter((e) => kinds.includes(e.kind) && (state.many || Date.parse(e.at) >= from)).sort((a, b) => Date.parse(b.at) - Date.parse(a.at));
  return ok({ from: url.searchParams.get("from"), to: url.searchParams.get("to"), items: state.empty ? [] : items, more: false });
}

function waves(url, id) {
  const who = PEOPLE.find((p) => uuid(3, Number(p.bed)) === id && p.given) ?? PEOPLE[0];
  const from = Date.parse(url.searchParams.get("from")),
    to = Date.parse(url.searchParams.get("to")),
    lane = LANES.find(([channel]) => channel === url.searchParams.get("channel")) ?? LANES[0],
    wave = [ecg, pleth, resp][LANES.indexOf(lane)](lane[5] === "resp" ? who.rr : who.hr),
    rate = lane[4];
  const samples = Array.from({ length: Math.round(((to - from) / 1000) * rate) }, (_, i) => Math.round(wave((from + (i * 1000) / rate) / 1000) * 1000));
  return ok({ spans: [{ start: new Date(from).toISOString(), rate_hz: rate, unit: lane[3], gain: 0.001, offset: 0, samples }], gaps: [] });
}

const SYSTEM = () => ({ journal: { status: "recording", bytes: 76_400_000, fsync_us_p50: 5800 + Math.random() * 900, fsync_us_p99: 14200 }, rates: { messages_per_s: 180 + Math.random() * 20, readings_per_s: 420 + Math.random() * 20 }, counters: { stored: 128_420, duplicates: 12, refused: 3, dead_letters: 18, waveform_samples_stored: 9_120_330 }, connections: 14, latencies: { receive_to_durable_ms_p50: 6.2, receive_to_durable_ms_p99: 14.1, receive_to_decided_ms_p50: 7, receive_to_decided_ms_p99: 16, receive_to_screen_ms_p50: 8.1, receive_to_screen_ms_p99: 19.8 }, version: "0.0.0", uptime_s: 4211 });

function alarms(url) {
  const scope = url.searchParams.get("scope"),
    state = url.searchParams.get("state") ?? "any",
    patient = url.searchParams.get("patient");
  return list(ALARMS.filter((a) => (scope !== "mine" || a.mine) && (state === "any" || (state === "ended") === (a.state === "ended")) && (!patient || a.patient === patient)));
}

const LIFE = (a) => [{ at: a.since, what: "began", detail: `${a.title}, ${a.detail}`, by: null }, { at: a.raised_at, what: "raised", detail: "after 10 s", by: null }, ...a.told.map((x) => ({ at: x.at, what: "told", detail: `${x.name}, ${x.role}`, by: null })), ...(a.acknowledged_by ? [{ at: ago(20), what: "acknowledged", detail: "for 2 min", by: a.acknowledged_by }] : [])];

const ROUTES = [
  ["GET", /^\/session$/, (s) => (s.signedIn ? ok(session(s)) : problem(401, "not signed in"))],
  ["POST", /^\/session$/, (s, _, __, b) => (house.taken && b.password === "right" ? over() : b.password === "right" ? ((s.signedIn = true), { status: 204 }) : problem(401, "wrong"))],
  ["DELETE", /^\/session$/, (s) => ((s.signedIn = false), { status: 204 })],
  ["GET", /^\/demo-sign-ins$/, () => list(Object.entries(USERS).map(([role, [login, name]]) => ({ login, name, role })))],
  ["POST", /^\/demo-sign-in\/(\w+)$/, (s, _, [login]) => ((s.signedIn = true), (s.role = Object.keys(USERS).find((r) => USERS[r][0] === login)), { status: 204 })],
  ["GET", /^\/invitations\/(\w+)$/, (s, _, [token]) => (token === "used" ? problem(404, "no such invitation") : ok({ login: "anna-a1b2c3" }))],
  ["POST", /^\/invitations\/(\w+)$/, (s, _, [token]) => (token === "used" ? problem(404, "no such invitation") : ((s.signedIn = true), { status: 204 }))],
  ["GET", /^\/care-units$/, () => list([UNIT])],
  ["GET", /^\/care-units\/[\w-]+\/board$/, (s) => (s.role === "it" ? problem(403, "not for IT", "IT reads no patients.") : ok(s.empty ? { ...board(), beds: [], counts: { high: 0, medium: 0, low: 0 } } : reviewed()))],
  ["GET", /^\/patients\/[\w]+-[\w-]*-(\d{12})$/, (s, _, [n]) => (s.closed && !house.opened ? closed() : PEOPLE.some((p) => p.given && Number(p.bed) === Number(n)) ? ok({ ...patientPage(Number(n)), ...left(Number(n)), next_dose: house.dose, open_until: s.closed ? new Date(Date.now() + (s.closed === "short" ? 1500 : 3_000_000)).toISOString() : null }) : problem(404, "no such patient"))],
  ["GET", /^\/patients\/[\w-]+\/trends$/, (s, url) => trends(url)],
  ["GET", /^\/(?:patients|devices|beds|rooms|care-units|sites)\/[\w-]+\/measured$/, (s, url) => (s.empty ? ok({ ...measured(url).json, lines: [] }) : measured(url))],
  ["GET", /^\/(?:patients|devices)\/[\w-]+\/corrections$/, (s) => ok({ items: s.corrections ?? [], withheld: [] })],
  ["POST", /^\/devices\/([\w-]+)\/corrections$/, (s, _, [device], b) => said(s, { device, channel: b.channel, from_ms: Number(b.at ?? b.from), to_ms: Number(b.at ?? b.to), kind: b.value === undefined ? "withdrawn" : "replaced", value: b.value ?? null, unit: b.unit ?? null, why: b.why, words: b.words, originals: b.at ? [{ at_ms: Number(b.at), value: 121, unit: "/min", missing: null }] : [] })],
  ["POST", /^\/devices\/([\w-]+)\/corrections\/([\w-]+)\/undo$/, (s, _, [device, id]) => {
    const undone = s.corrections.find((it) => it.id === id),
      answer = said(s, { ...undone, device, kind: "taken_back", undoes: id, value: null, unit: null });
    undone.undone_by = answer.json.id;
    return answer;
  }],
  ["GET", /^\/devices\/[\w-]+\/receipts$/, (s, url) => ok({ items: [0, 20_000, 40_000].map((ms, i) => ({ channel: url.searchParams.get("channel"), at: new Date(Number(url.searchParams.get("from")) + ms).toISOString(), at_ms: Number(url.searchParams.get("from")) + ms, received_at: url.searchParams.get("from"), value: 120 + i, unit: "/min", missing: null, counts: true })), withheld: [] })],
  ["GET", /^\/(?:beds|rooms|care-units|sites)\/[\w-]+\/measured-by$/, (s, url) => (s.empty ? ok({ ...measuredBy(url).json, items: [] }) : measuredBy(url))],
  ["GET", /^\/(?:patients|devices|beds|rooms|care-units|sites)\/[\w-]+\/coverage$/, (s, url) => (s.empty ? ok({ ...coverage(url).json, channels: [] }) : coverage(url))],
  ["GET", /^\/patients\/[\w-]+\/scores$/, (s, url) => scores(url)],
  ["GET", /^\/patients\/([\w-]+)\/timeline$/, (s, url, [id]) => timeline(s, url, id)],
  ["GET", /^\/patients\/([\w-]+)\/waves$/, (s, url, [id]) => waves(url, id)],
  ["POST", /^\/patients\/([\w-]+)\/chart$/, (s, _, [id], b) => (chart(id, b), { status: 201, json: {} })],
  ["PUT", /^\/patients\/[\w-]+\/(limits|spo2-scale)(.*)$/, (s, _, [what, more], b) => (s.puts?.push([what + more, b]), ok({}))],
  ["GET", /^\/alarms$/, (s, url) => (s.empty ? list([]) : alarms(url))],
  ["GET", /^\/alarms\/([\w-]+)$/, (s, _, [id]) => found(id, (a) => ok({ ...a, life: LIFE(a) }))],
  ["POST", /^\/alarms\/([\w-]+)\/acknowledge$/, (s, _, [id], b) => found(id, (a) => (s.answers?.push(b.quiet_for_s), ok(Object.assign(a, b.quiet_for_s === 1 ? { state: "active", acknowledged_by: null, quiet_until: null } : { state: "acknowledged", acknowledged_by: { id: uuid(7, 1), name: "Priya Nair" }, quiet_until: new Date(Date.now() + b.quiet_for_s * 1000).toISOString(), next_step_at: null }))))],
  ["POST", /^\/alarms\/([\w-]+)\/end$/, (s, _, [id], b) => found(id, (a) => ok(Object.assign(a, { state: "ended", ended_at: new Date().toISOString(), end: b.reason })))],
  ["GET", /^\/devices$/, (s) => list(s.empty ? [] : DEVICES.map(heard))],
  ["POST", /^\/devices$/, (s, _, __, b) => (DEVICES.push({ id: uuid(5, 100 + DEVICES.length), lifecycle: "provisioned", connected: false, patient: null, bed: null, certificates: [], ...b, care_unit: b.care_unit ? UNIT : null }), { status: 201, json: DEVICES.at(-1) })],
  ["GET", /^\/devices\/([\w-]+)$/, (s, _, [id]) => ok(heard(DEVICES.find((d) => d.id === id)))],
  ["POST", /^\/devices\/([\w-]+)\/certificate$/, (s, _, [id]) => ok({ certificate_pem: "-----BEGIN CERTIFICATE-----\n", key_pem: "-----BEGIN PRIVATE KEY-----\n", ca_pem: "-----BEGIN CERTIFICATE-----\n", not_after: ago(-86400 * 365), mqtt: { host: "localhost", port: 8883, topic_prefix: `wl/1/${UNIT.site_id}/${id}/up`, client_id: id } })],
  ["GET", /^\/devices\/[\w-]+\/life$/, () => list([{ at: ago(9000), what: "in_service", detail: null, patient: null, place: null, by: { kind: "user", id: uuid(7, 6), name: "rb", full_name: "Rita Blom", role: "it" }, by_person: true }])],
  ["GET", /^\/devices\/[\w-]+\/configuration$/, () => ok({ state: "none", on_patient: false, wanted: null, reported: null, reported_at: null, settings: [], config: null, set_at: null, set_by: null })],
  ["GET", /^\/devices\/[\w-]+\/commands$/, () => ok({ kinds: [], commands: [] })],
  ["GET", /^\/devices\/[\w-]+\/messages$/, () => ok({ begins: true, messages: [] })],
  ["GET", /^\/refusals$/, (s) => list(s.empty ? [] : REFUSALS)],
  ["PUT", /^\/devices\/([\w-]+)\/lifecycle$/, (s, _, [id], b) => ok(Object.assign(DEVICES.find((d) => d.id === id), { lifecycle: b.state }))],
  ["POST", /^\/devices\/([\w-]+)\/association$/, (s, _, [id]) => (house.gone && (house.gone.kept = house.gone.kept.filter((one) => one !== id)), ok({}))],
  ["GET", /^\/profiles$/, () => list(PROFILES)],
  ["GET", /^\/staff$/, () => list(Object.entries(USERS).map(([role, [, name, n]]) => ({ id: uuid(7, n), name, role })))],
  ["GET", /^\/dead-letters$/, (s) => list(s.empty ? [] : LETTERS)],
  ["GET", /^\/dead-letters\/([\w-]+)$/, (s, _, [id]) => ok({ ...LETTERS.find((l) => l.id === id), payload: Buffer.from('[{"n":"MDC_TEMP","u":"C","v":37.2}]').toString("base64") })],
  ["GET", /^\/system$/, (s) => (["patient", "family"].includes(s.role) ? problem(403, "This is not allowed", "`system.read` is not for patients") : ok({ ...SYSTEM(), ...MORE(), ...s.system }))],
  ...HOUSE_ROUTES,
  ["POST", /^\/posts\/.*$/, () => ok({})]];

function found(id, act) {
  const alarm = ALARMS.find((a) => a.id === id);
  return alarm ? act(alarm) : problem(404, "no such alarm");
}

function session(state) {
  const [login, name, n] = USERS[state.role];
  return { user: { id: uuid(10, n), login, role: state.role, staff_id: uuid(7, n), name }, org: { id: uuid(11, 1), name: "St. Brigid's" }, care_units: ["patient", "family"].includes(state.role) ? [] : [UNIT], shift: null, product: { name: "Wardline", version: "0.0.0", intended_use: "Not a certified medical device." } };
}

/** The answer to one request; `state.broken` makes every path that it fits fail with its status. */
export function answer(state, method, url, body) {
  const path = url.pathname.slice("/api/v1".length);
  if (state.broken && state.broken.path.test(path)) return problem(state.broken.status, "it broke", state.broken.detail);
  for (const [verb, pattern, act] of ROUTES) {
    const fits = verb === method && pattern.exec(path);
    if (fits) return act(state, url, fits.slice(1), body);
  }
  return problem(404, "no such route", `${method} ${path}`);
}
