/** One WebSocket a page: it reconnects with growing, jittered waits, resumes where it was, and says so at once when it cannot. */
import { get, query } from "../api/http.js";
import { reviver } from "../i18n/heard.js";
import { ms } from "../format/time.js";
import { forget, heard, now } from "./clock.js";
import * as state from "./state.js";
import * as waves from "./waves.js";

const WAIT_MS = { first: 500, max: 10_000 };
/** The server beats each second; a socket that is silent this long is dead, whatever the system says. */
const SILENT_MS = 6000;
const ASK_MS = 5000;
/** How the server closes a feed that may not go on. */
const CLOSED = { signedOut: 4401, forbidden: 4403 };

let wanted = null;
let socket = null;
let cursor = null;
let attempts = 0;
let lastFrame = 0;
let retry = 0;
let generation = 0;
let wasLost = false;
let asking = 0;

/** Follows a care unit, and one patient in it; `waves` is `board`, `patient` or `none`. Called again it changes what is followed. */
export async function follow({ unit, patient = null, waves: which = "none" }) {
  const before = wanted;
  wanted = { unit, patient, waves: which };
  if (before?.unit !== unit) {
    clearInterval(asking);
    state.forgetUnit();
    state.link.value = { state: "connecting", since: now() };
    waves.clear();
    cursor = null;
    return start();
  }
  if (before.patient !== patient) return connect();
  if (before.waves !== which) say({ t: "want", waves: which, ...(patient ? { patient } : {}) });
  return undefined;
}

/** Follows no patients: for those whom the server would refuse them, so that it need not. Only those who may read how the server does are told by asking. */
export function followNone({ asks }) {
  if (state.link.value.state === "refused") return;
  if (asks) refused();
  else state.link.value = { state: "refused", since: now() };
}

/** Ends the feed, at sign-out. */
export function stop() {
  wanted = null;
  generation++;
  clearTimeout(retry);
  clearInterval(asking);
  socket?.close();
  socket = null;
  state.forgetUnit();
  state.beat.value = null;
  state.disk.value = null;
  state.link.value = { state: "connecting", since: now() };
}

/** Sends a message if there is a connection; what it says is never needed later. */
export function say(message) {
  if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
}

/** Fetches a fresh picture and follows on from it. */
export async function start() {
  if (!wanted) return;
  const mine = ++generation,
    { unit } = wanted;
  try {
    const [fresh, more] = await Promise.all([
      get(`/care-units/${unit}/board`),
      get(`/alarms${query({ scope: "care_unit", care_unit: unit, state: "standing", limit: 200 })}`).catch(() => ({ items: [] })),
    ]);
    if (mine !== generation) return;
    heard(ms(fresh.now));
    cursor = fresh.cursor;
    state.takeBoard(fresh, more.items);
  } catch (problem) {
    if (mine !== generation) return;
    state.boardProblem.value = problem;
    if (problem.status === 0 || problem.status >= 500) later();
    if (problem.status === 403) refused();
    return;
  }
  connect();
}

function connect() {
  if (!wanted) return;
  const mine = ++generation;
  clearTimeout(retry);
  socket?.close();
  const { unit, patient, waves: which } = wanted;
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  socket = new WebSocket(`${scheme}//${location.host}/api/v1/feed${query({ care_unit: unit, patient, waves: which, from: cursor })}`);
  socket.binaryType = "arraybuffer";
  lastFrame = performance.now();
  let opened = false;
  socket.onopen = () => {
    opened = true;
  };
  socket.onmessage = (event) => {
    if (mine !== generation) return;
    lastFrame = performance.now();
    if (typeof event.data === "string") takeText(JSON.parse(event.data, reviver));
    else takeWave(event.data);
  };
  socket.onclose = (event) => {
    if (mine !== generation) return;
    if (event.code === CLOSED.forbidden) refused();
    else lost(opened && event.code !== CLOSED.signedOut);
  };
}

function takeWave(buffer) {
  try {
    waves.takeFrame(buffer);
  } catch (unreadable) {
    if (!(unreadable instanceof RangeError || unreadable instanceof TypeError)) throw unreadable;
    state.beat.value = state.beat.value && { ...state.beat.value, unreadable: (state.beat.value.unreadable ?? 0) + 1 };
  }
}

const TAKES = {
  hello(message) {
    attempts = 0;
    heard(ms(message.now));
    state.link.value = { state: "live", since: now() };
    takeCursor(message.cursor);
    // What happened while we were away is in a fresh picture only, if the server could not resume.
    const again = wasLost && message.resumed === false;
    wasLost = false;
    if (again) start();
  },
  delta(message) {
    takeCursor(message.cursor);
    state.takeDelta(message);
    painted(message.alarms ?? []);
  },
  beat(message) {
    heard(ms(message.now));
    state.beat.value = {
      now: ms(message.now), deviceAt: ms(message.device_at) ?? ms(message.now), receivedAt: ms(message.received_at),
      recording: message.recording, why: message.why ?? null, seq: message.seq,
    };
  },
  gone() {
    start();
  },
  gap(message) {
    state.dropped.value = message;
  },
  // Something that this page asked for was not granted; what it has goes on, or the close says why not.
  problem() {},
};

function takeText(message) {
  TAKES[message.t]?.(message);
}

function takeCursor(next) {
  if (next !== undefined && next !== null) cursor = next;
}

/** An alarm counts as shown once a frame with it has been painted; the server keeps that as proof. */
function painted(list) {
  const fresh = list.filter((alarm) => alarm.state === "active");
  if (!fresh.length || document.hidden) return;
  requestAnimationFrame(() =>
    requestAnimationFrame(() => {
      for (const alarm of fresh) say({ t: "painted", alarm: alarm.id, at: new Date(now()).toISOString() });
    }));
}

async function lost(opened) {
  wasLost = true;
  if (state.link.value.state === "refused") return;
  state.link.value = { state: "lost", since: state.link.value.state === "lost" ? state.link.value.since : now() };
  if (!opened) {
    // A refused handshake looks like a broken wire; asking who we are tells the two apart, and leads to the door.
    const asked = await get("/care-units").catch((problem) => problem);
    if (asked?.status === 401) return;
  }
  later();
}

/** Those who may not see patients get no feed; whether the house records is their business all the same, so it is asked. */
function refused() {
  state.link.value = { state: "refused", since: now() };
  clearInterval(asking);
  const ask = async () => {
    const system = await get("/system").catch((problem) => problem);
    if (system.storage) state.disk.value = system.storage.alarm ? system.storage : null;
    if (system.journal) state.beat.value = { now: now(), deviceAt: now(), recording: system.journal.status === "recording", why: system.journal.why ?? null };
  };
  ask();
  asking = setInterval(ask, ASK_MS);
}

function later() {
  clearTimeout(retry);
  if (state.link.value.state === "live") state.link.value = { state: "lost", since: now() };
  const wait = Math.min(WAIT_MS.max, WAIT_MS.first * 2 ** attempts++) * (0.5 + Math.random());
  retry = setTimeout(() => (cursor === null ? start() : connect()), wait);
}

function retryAtOnce() {
  if (!wanted || document.hidden || state.link.value.state !== "lost") return;
  attempts = 0;
  forget();
  if (cursor === null) start();
  else connect();
}
addEventListener("online", retryAtOnce);
document.addEventListener("visibilitychange", retryAtOnce);

setInterval(() => {
  const dead = socket?.readyState === WebSocket.OPEN && performance.now() - lastFrame > SILENT_MS;
  if (dead) {
    forget();
    socket.close();
    generation++;
    lost(true);
  }
}, 1000);
