/** One made-up care unit in the shapes of the API: twelve beds, five alarms, a score in every state. */
export const uuid = (kind, n) => `0192f0c1-${String(kind).padStart(4, "0")}-7000-8000-${String(n).padStart(12, "0")}`;
export const UNIT = { id: uuid(1, 1), name: "4B Respiratory", site_id: uuid(2, 1) };
const iso = (ms) => new Date(ms).toISOString();
export const ago = (s) => iso(Date.now() - s * 1000);

const NURSES = { PN: ["Priya Nair", 1], AO: ["Amara Okoye", 2], JH: ["Jonas Hartl", 3] };
const nurse = (code) => (code ? { id: uuid(7, NURSES[code][1]), name: NURSES[code][0] } : null);
const P = (bed, given, family, years, sex, who, hr, spo2, rr, sys, dia, temp, more = {}) => ({ bed, given, family, years, sex, who, hr, spo2, rr, sys, dia, temp, low: 92, ...more });

export const PEOPLE = [
  P("01", "Harold", "Nwosu", 66, "male", "PN", 84, 90, 20, 134, 78, 36.9, { low: 87 }), P("02", "Marta", "Lindqvist", 54, "female", "PN", 72, 98, 14, 122, 74, 36.6), { bed: "03" },
  P("04", "Ilse", "Brandt", 71, "female", "PN", 118, 84, 28, 98, 54, 39.2, { low: 88, cuff: 3720 }), P("05", "Tomasz", "Zielinski", 59, "male", "AO", 64, 97, 15, 128, 80, 36.7),
  P("06", "Grace", "Adeyemi", 80, "female", "AO", 128, 95, 21, 112, 70, 37.2), P("07", "Paul", "Everett", 47, "male", "AO", 78, 99, 12, 118, 72, 36.5),
  P("08", "Yusuf", "Demir", 62, "male", "AO", 88, 96, 17, 131, 79, 37, { silent: 227 }), P("09", "Ana", "Ferreira", 38, "female", "JH", 108, 94, 27, 126, 80, 37.4),
  P("10", "Leonard", "Osei", 73, "male", "JH", 58, null, 16, 141, 82, 36.4), P("11", "Sofia", "Marchetti", 45, "female", "JH", 70, 98, 13, 116, 70, 36.8), P("12", "Wei-Lin", "Chen", 69, "female", null, 92, 96, 18, 108, 66, 37.9)];

/** Fills the unit up to so many beds; once for a process, before anybody looks. */
export function crowd(beds) {
  for (let n = PEOPLE.length + 1; n <= beds; n++) {
    const like = PEOPLE[(n * 5) % 11] ?? PEOPLE[0];
    PEOPLE.push({ ...(like.given ? like : PEOPLE[0]), bed: String(n).padStart(2, "0"), silent: undefined, given: `${"ABCDEFGHKLMNPRSTVW"[n % 18]}nna`, hr: 60 + ((n * 7) % 50) });
  }
}

const A = (n, bed, priority, title, detail, since, more = {}) => {
  const p = PEOPLE.find((x) => x.bed === bed);
  return {
    id: uuid(9, n), priority, class: "physiological", title, detail, state: "active", since: ago(since + 10), raised_at: ago(since), step: 0, told: [{ staff: uuid(7, 1), name: NURSES[p.who ?? "PN"][0], role: "nurse", at: ago(since) }],
    unanswered: false, no_signal: false, latched: false, acknowledged_by: null, quiet_until: null, next_step_at: null, ended_at: null, end: null, patient: uuid(3, Number(bed)), patient_name: `${p.given} ${p.family}`,
    bed: uuid(4, Number(bed)), bed_name: bed, care_unit: UNIT.id, device: uuid(5, Number(bed)), mine: p.who === "PN", code: "MDC_EVT_LO", ...more,
  };
};
export const ALARMS = [
  A(1, "04", "high", "SpO₂ low 84 %", "below 88", 48, { told: ["Priya Nair", "Jonas Hartl", "Tom Rourke"].map((name, i) => ({ staff: uuid(7, i + 1), name, role: "nurse", at: ago(48 - i * 15) })), step: 1, next_step_at: iso(Date.now() + 45_000) }),
  A(2, "06", "medium", "Heart rate high 128 /min", "above 120", 96), A(3, "09", "medium", "Breathing fast 27 /min", "above 25", 64), A(4, "11", "low", "Telemetry battery 14 %", "below 15", 540, { class: "technical" }),
  A(5, "08", "medium", "Monitor silent", "no data since 14:28", 197, { class: "technical", state: "acknowledged", acknowledged_by: { id: uuid(7, 2), name: "Amara Okoye" }, quiet_until: iso(Date.now() + 403_000) }),
  A(6, "12", "medium", "Systolic low 94 mmHg", "below 95", 5400, { state: "ended", ended_at: ago(5300), end: "condition_over", acknowledged_by: { id: uuid(7, 3), name: "Jonas Hartl" } }),
  A(7, "02", "medium", "SpO₂ low 91 %", "below 92", 8040, { state: "ended", ended_at: ago(8018), end: "condition_over" }), A(8, "04", "low", "SpO₂ probe off", "no pulse", 9300, { state: "ended", ended_at: ago(7800), end: "condition_over", class: "technical" })];

const shown = { heart_rate: ["HR", "/min", 50, 120, "hr"], saturation: ["SpO₂", "%", 92, null, "spo2"], respiratory_rate: ["RR", "/min", 8, 25, "rr"], systolic_pressure: ["NIBP", "mmHg", 95, 180, "sys"], diastolic_pressure: ["Dia", "mmHg", null, null, "dia"], temperature: ["Temp", "°C", 35.5, 38.5, "temp"] };
/** One number of a person, as it is now. */
export function numeric(p, vital, wobble = 0) {
  const [label, unit, low, high, key] = shown[vital],
    cuff = vital.endsWith("pressure"),
    age = p.silent ?? (cuff ? (p.cuff ?? 780) : vital === "temperature" ? 1500 : 1);
  const value = p[key] === null ? null : p[key] + (cuff || p.silent || vital === "temperature" ? 0 : wobble);
  const bound = vital === "saturation" ? p.low : low;
  const alarm = ALARMS.find((a) => a.bed_name === p.bed && a.state !== "ended" && ((vital === "saturation" && a.title.startsWith("SpO₂ low")) || (vital === "heart_rate" && a.title.startsWith("Heart")) || (vital === "respiratory_rate" && a.title.startsWith("Breathing"))));
  return { vital, label, unit, value, text: value === null ? "" : vital === "temperature" ? value.toFixed(1) : String(Math.round(value)), missing: value === null ? "probe off" : null, taken_at: ago(value === null ? 95 : age), age_s: age, device: uuid(5, Number(p.bed)), grade: "medical",
    state: value === null ? "missing" : alarm ? "out" : (p.cuff && cuff) || p.silent ? "ageing" : "live", low: bound, high, direction: alarm ? (vital === "saturation" ? "down" : "up") : null, alarm: alarm?.id ?? null, clock: p.bed === "07" ? "receiver" : "device" };
}

const CHARTED = new Map();
export const chart = (patient, body) => CHARTED.set(patient, { ...CHARTED.get(patient), ...body, observed_at: body.observed_at ?? new Date().toISOString(), by: { id: uuid(7, 1), name: "Priya Nair" } });
/** A score in the shape of the panel; the points are not the point here. */
export function news2(p) {
  const charted = CHARTED.get(uuid(3, Number(p.bed))),
    awake = p.bed !== "04" || charted?.consciousness;
  const part = (input, value_text, unit, points, state, age, reason = null) => ({ input, value_text, unit, points, taken_at: age === null ? null : ago(age), age_s: age, state, reason });
  const parts = [part("respiratory_rate", String(p.rr), "/min", p.rr > 24 ? 3 : 0, "live", 1), part("saturation", String(p.spo2 ?? ""), "%", p.spo2 === null ? null : p.spo2 < 92 ? 3 : 0, p.spo2 === null ? "missing" : "live", p.spo2 === null ? null : 1, p.spo2 === null ? "probe off" : null), part("oxygen", p.bed === "04" ? "4 L/min" : "air", "", p.bed === "04" ? 2 : 0, "charted", 1500),
    part("systolic_pressure", String(p.sys), "mmHg", p.sys < 101 ? 2 : 0, p.cuff ? "aged" : "live", p.cuff ?? 780), part("pulse", String(p.hr), "/min", p.hr > 110 ? 2 : 0, "live", 1), part("consciousness", awake ? "alert" : "", "", awake ? 0 : null, awake ? "charted" : "missing", awake ? 600 : null, awake ? null : "not charted"), part("temperature", p.temp.toFixed(1), "°C", p.temp > 39 ? 2 : 0, "live", 1500)];
  const missing = parts.filter((x) => x.points === null).map((x) => x.input),
    sum = parts.reduce((s, x) => s + (x.points ?? 0), 0),
    total = missing.length ? null : sum;
  return { complete: !missing.length, total, risk: total === null ? null : total >= 7 ? "high" : total >= 5 ? "medium" : parts.some((x) => x.points === 3) ? "low_medium" : "low", single_red: parts.some((x) => x.points === 3), parts, missing, missing_count: missing.length, last_total: { total: 9, at: ago(22800) }, trend: p.hr > 100 ? "up" : "same", scale: p.bed === "01" ? 2 : 1 };
}

export const LANES = [["MDC_ECG_ELEC_POTL_II", "II", "ECG II", "mV", 250, "ecg"], ["MDC_PULS_OXIM_PLETH", "Pleth", "Pleth", "1", 125, "spo2"], ["MDC_IMPED_TTHOR", "Resp", "Resp", "Ohm", 50, "resp"]];
const BOARD = ["heart_rate", "saturation", "respiratory_rate", "systolic_pressure", "diastolic_pressure"];
export function boardBed(p) {
  const n = Number(p.bed),
    blank = { bed: uuid(4, n), name: p.bed, room: "Room 2", patient: null, nurse: null, news2: null, numerics: [], wave: null, alarms: [], devices: [], silent_since: null };
  if (!p.given) return blank;
  return { ...blank, patient: { id: uuid(3, n), name: `${p.given} ${p.family}`, age_years: p.years, sex: p.sex }, nurse: nurse(p.who), news2: news2(p), numerics: BOARD.map((v) => numeric(p, v)), wave: { device: uuid(5, n), channel: LANES[0][0], label: "ECG II", param: "ecg" }, alarms: ALARMS.filter((a) => a.bed_name === p.bed && a.state !== "ended"), devices: [uuid(5, n)], silent_since: p.silent ? ago(p.silent) : null };
}
export const board = () => ({ care_unit: UNIT, beds: PEOPLE.map(boardBed), charge: { id: uuid(7, 4), name: "Tom Rourke" }, counts: { high: 1, medium: 2, low: 1 }, recording: true, cursor: "a1", now: new Date().toISOString() });

const LIMITS = [["heart_rate", 50, 120], ["saturation", 88, null], ["respiratory_rate", 8, 30], ["systolic_pressure", 95, 180], ["temperature", 35.5, 38.5]];
export function patientPage(n) {
  const p = PEOPLE.find((x) => Number(x.bed) === n),
    side = (limit, by) => (limit === null ? null : { limit, clears_at: limit + by, delay_s: 10, priority: "medium" }),
    charted = CHARTED.get(uuid(3, n));
  return { patient: { id: uuid(3, n), record_number: "BR 204 118", given_name: p.given, family_name: p.family, birth_date: "1955-03-03", age_years: p.years, sex: p.sex, here_for: "Pneumonia, right lower lobe. Day 2.", spo2_scale: 1 }, bed: { id: uuid(4, n), name: p.bed, room: "Room 2" }, care_unit: UNIT, nurse: nurse(p.who), charge: { id: uuid(7, 4), name: "Tom Rourke" },
    devices: [{ id: uuid(5, n), label: `Monitor ${p.bed}`, profile: "bedside-monitor" }], numerics: [...BOARD, "temperature"].map((v) => numeric(p, v)), waves: LANES.map(([channel, lead, label, unit, rate_hz, param]) => ({ device: uuid(5, n), channel, lead, label, unit, rate_hz, param })), news2: news2(p),
    alarms: ALARMS.filter((a) => a.bed_name === p.bed), limits: LIMITS.map(([vital, low, high]) => ({ vital, low: side(low, 2), high: side(high, -2) })), charting: charted ? [charted] : [{ observed_at: ago(1500), oxygen: { kind: "added", flow_l_per_min: 4, by: "nasal_cannula" }, by: { name: "Priya Nair" }, note: "" }], cursor: "a1" };
}
