/** Keeps the shell on the device and remembers, for the time without a connection, who gets the alarms meanwhile. Names of staff and of the unit only. */
import { effect } from "../html.js";
import { board, session } from "../feed/state.js";
import { now } from "../feed/clock.js";

const KEY = "wardline.meanwhile";
/** Screens that a phone should be able to open its shell for; the others are kept once they were opened. */
const SOON = ["/assets/alarms/alarms.js", "/assets/patient/patient.js"];

/** `{ unit, charge, at }` as last seen, or `null`. */
export function meanwhile() {
  try {
    return JSON.parse(localStorage.getItem(KEY) ?? "null");
  } catch {
    return null;
  }
}

function remember() {
  effect(() => {
    const here = board.value;
    if (!here || !session.value) return;
    try {
      localStorage.setItem(KEY, JSON.stringify({ unit: here.care_unit.name, charge: here.charge?.name ?? null, at: now() }));
    } catch {
      // Then the page without a connection says it in general words.
    }
  });
}

export function start() {
  remember();
  if (!("serviceWorker" in navigator) || !isSecureContext) return;
  addEventListener("load", register, { once: true });
  if (document.readyState === "complete") register();
}

async function register() {
  try {
    await navigator.serviceWorker.register("/service-worker.js", { scope: "/" });
    const { active } = await navigator.serviceWorker.ready;
    const loaded = performance.getEntriesByType("resource").map((e) => new URL(e.name).pathname).filter((path) => path.startsWith("/assets/"));
    active?.postMessage({ keep: [...new Set([...loaded, ...SOON])] });
  } catch {
    // A browser that keeps nothing works all the same while there is a connection.
  }
}
