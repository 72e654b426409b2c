/** The ward's time as the server keeps it. A screen's own clock may be wrong, and a demonstration may run faster than life. */
import { signal } from "../html.js";

const SAMPLES_MAX = 30;
let samples = [];
let base = { local: performance.now(), server: Date.now() };
let rate = 1;

/** Server time now, in milliseconds since 1970. */
export const now = () => base.server + (performance.now() - base.local) * rate;

/** Ticks once a second; whoever shows an age listens to it. */
export const second = signal(now());

/** Takes a server time that has arrived. The quickest of the last messages is the truest: delay only ever makes us slow. */
export function heard(serverMs) {
  if (!Number.isFinite(serverMs)) return;
  const at = { local: performance.now(), server: serverMs };
  samples.push(at);
  if (samples.length > SAMPLES_MAX) samples.shift();
  const first = samples[0],
    span = at.local - first.local;
  if (span > 4000) {
    const seen = (at.server - first.server) / span;
    rate = Math.abs(seen - 1) < 0.05 ? 1 : seen;
  }
  const ahead = (sample) => sample.server + (at.local - sample.local) * rate;
  const best = rate === 1 ? Math.max(...samples.map(ahead)) : at.server;
  base = { local: at.local, server: best };
}

/** Forgets what it knew; after sleep or a new connection the old differences no longer hold. */
export function forget() {
  samples = [];
  rate = 1;
}

setInterval(() => {
  second.value = now();
}, 1000);
