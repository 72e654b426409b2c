/** Who is here: asked once at the start, again after signing in, and forgotten when the server says so. */
import { get, onSignedOut } from "./api/http.js";
import { session, unit } from "./feed/state.js";
import * as socket from "./feed/socket.js";
import { address, go, kept, params, route } from "./router.js";
import { home } from "./shell/role.js";

const OPEN = new Set(["sign-in", "invite"]);

/** Asks who is signed in; without anybody it leads to the door and remembers where they wanted to go. */
export async function load() {
  onSignedOut(toTheDoor);
  try {
    session.value = await get("/session");
  } catch (problem) {
    if (problem.status !== 401) throw problem;
    if (!OPEN.has(route.value.name)) toTheDoor();
  }
}

function toTheDoor() {
  if (OPEN.has(route.value.name)) return;
  socket.stop();
  session.value = null;
  unit.value = null;
  const { pathname, search } = address.value;
  const next = pathname === "/" ? "" : `${kept() ? "&" : "?"}next=${encodeURIComponent(pathname + search)}`;
  go(`/sign-in${kept()}${next}`, { replace: true });
}

/** After signing in: to where somebody wanted to go, else to their first screen. */
export async function enter() {
  const next = params.value.get("next"),
    here = next?.startsWith("/") && !next.startsWith("//") ? next : null;
  const theme = kept();
  session.value = await get("/session");
  go(here ?? `${home()}${theme}`, { replace: true });
}
