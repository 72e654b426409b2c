/** A stand-in for the server: made-up data in the API's shapes, so that states a real ward seldom has can be looked at.
 *
 * It proves nothing about the server; the end-to-end tests use the real one.
 */
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { accept } from "./web-socket.mjs";
import { answer } from "./routes.mjs";
import { ecg, frame, pleth, resp } from "./signals.mjs";
import { ALARMS, LANES, news2, numeric, PEOPLE, uuid } from "./ward.mjs";

const WEB = fileURLToPath(new URL("../../../web/", import.meta.url));
const TYPES = { ".html": "text/html; charset=utf-8", ".js": "text/javascript", ".css": "text/css", ".json": "application/json", ".svg": "image/svg+xml", ".png": "image/png", ".webmanifest": "application/manifest+json" };
const POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; manifest-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const BLOCK_MS = 400;

async function file(path, response) {
  const name = path === "/service-worker.js" ? "service-worker.js" : path.startsWith("/assets/") ? normalize(path.slice(8)) : "index.html";
  try {
    const bytes = await readFile(join(WEB, name));
    response.writeHead(200, { "content-type": TYPES[extname(name)] ?? "text/plain", "content-security-policy": POLICY, "cache-control": "no-cache" });
    response.end(bytes);
  } catch {
    response.writeHead(404).end();
  }
}

async function body(request) {
  let text = "";
  for await (const part of request) text += part;
  return text ? JSON.parse(text) : {};
}

/** Serves until `close` is called. `state` may be changed while it runs: `role`, `empty`, `broken`, `blind`, `recording`, and `system` for what the server says of itself. */
export async function serve({ port = 0, role = "nurse" } = {}) {
  const state = { role, signedIn: true, empty: false, broken: null, blind: false, recording: true, readers: new Set() };
  const server = createServer(async (request, response) => {
    const url = new URL(request.url, "http://stand-in");
    if (url.pathname === "/healthz") return response.end("ok\n");
    if (!url.pathname.startsWith("/api/")) return file(url.pathname, response);
    const { status, json } = answer(state, request.method, url, await body(request));
    response.writeHead(status, { "content-type": status < 400 ? "application/json" : "application/problem+json" });
    return response.end(json === undefined ? undefined : JSON.stringify(json));
  });
  server.on("upgrade", (request, socket) => {
    const reader = feed(state, request, socket);
    state.readers.add(reader);
  });
  await new Promise((ready) => server.listen(port, "127.0.0.1", ready));
  const close = () => {
    for (const reader of state.readers) reader.stop();
    server.closeAllConnections();
    server.close();
  };
  return { url: `http://127.0.0.1:${server.address().port}`, state, close };
}

function feed(state, request, socket) {
  const url = new URL(request.url, "http://stand-in");
  let waves = url.searchParams.get("waves"),
    seq = 0,
    next = Date.now();
  const wire = accept(request, socket, (text) => {
    const message = JSON.parse(text);
    if (message.t === "want") waves = message.waves;
  }, () => stop());
  wire.text({ t: "hello", cursor: "a1", now: new Date().toISOString(), resumed: true });
  const patient = url.searchParams.get("patient");
  const lanes = PEOPLE.filter((p) => p.given && !p.silent).flatMap((p) => {
    const n = Number(p.bed),
      own = { device: uuid(5, n), patient: uuid(3, n) };
    const make = [ecg(p.hr), pleth(p.hr), resp(p.rr)];
    return LANES.map(([channel, , , unit, rate, param], i) => ({ ...own, channel, unit, rate, param, sample: make[i] }));
  });
  const wave = setInterval(() => {
    if (state.blind) return;
    for (; next + BLOCK_MS < Date.now(); next += BLOCK_MS) {
      for (const lane of lanes) {
        const wanted = waves === "board" ? lane.param === "ecg" : waves === "patient" && lane.patient === patient;
        if (wanted) wire.bytes(frame(lane, next, Math.round((lane.rate * BLOCK_MS) / 1000)));
      }
    }
  }, 100);
  const beat = setInterval(() => {
    if (state.blind) return;
    const now = new Date().toISOString();
    const sway = Math.round(Math.sin(seq / 3));
    const moving = PEOPLE.filter((p) => p.given && !p.silent);
    wire.text({ t: "delta", cursor: `b${seq}`, at: now, sent: { device_at: now, received_at: now }, alarms: seq === 0 ? ALARMS.filter((a) => a.state !== "ended") : undefined,
      numerics: moving.flatMap((p) => ["heart_rate", "saturation", "respiratory_rate"].filter((v) => v !== "saturation" || p.spo2 !== null).map((v) => ({ patient: uuid(3, Number(p.bed)), bed: uuid(4, Number(p.bed)), numeric: numeric(p, v, v === "heart_rate" ? sway : 0) }))),
      news2: moving.filter((p) => p.bed === "04").map((p) => ({ patient: uuid(3, 4), bed: uuid(4, 4), news2: news2(p) })) });
    wire.text({ t: "beat", now, seq: seq++, device_at: now, received_at: now, recording: state.recording, why: state.recording ? undefined : "disk_full" });
  }, 1000);
  const stop = () => {
    clearInterval(wave);
    clearInterval(beat);
    wire.close();
  };
  return { stop, text: wire.text };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { url } = await serve({ port: Number(process.argv[2] ?? 0), role: process.argv[3] ?? "nurse" });
  process.stdout.write(`${url}\n`);
}
