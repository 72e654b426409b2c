/** Who is here: asked once at the start, again after signing in, and forgotten when the server says so. */
import { get, onSignedOut } from "./api/http.js";
import { session, unit } from "./feed/state.js";
import * as socket from "./feed/socket.js";
import { address, go, kept, params, route } from "./router.js";
import { home } from "./shell/role.js";

const OPEN = new Set(["sign-in", "invite"]);
/** Set in this browser while somebody reads in it what a patient shares with them. */
const SHARED = "wardline.shared";

const remember = () => {
  try {
    if (session.value.user.role === "family") localStorage.setItem(SHARED, "1");
    else localStorage.removeItem(SHARED);
  } catch {
    // Then the door says it in general words.
  }
};
/** Whoever leaves by themselves need not be told that they are out. */
export const forgetShared = () => {
  try {
    localStorage.removeItem(SHARED);
  } catch {
    // Nothing was kept.
  }
};
const readShared = () => {
  try {
    return localStorage.getItem(SHARED) === "1";
  } catch {
    return false;
  }
};

/** Asks who is signed in; without anybody it leads to the door and remembers where they wanted to go. */
export async function load() {
  onSignedOut(toTheDoor);
  try {
    session.value = await get("/session");
    remember();
  } catch (problem) {
    if (problem.status !== 401) throw problem;
    if (!OPEN.has(route.value.name)) toTheDoor();
  }
}

function toTheDoor() {
  if (OPEN.has(route.value.name)) return undefined;
  const shared = readShared() || session.peek()?.user.role === "family";
  socket.stop();
  session.value = null;
  unit.value = null;
  // Nobody is sent away without a word: what was shared may have been taken back.
  if (shared) return go("/sign-in?ended=shared", { replace: true });
  const { pathname, search } = address.value;
  const next = pathname === "/" ? "" : `${kept() ? "&" : "?"}next=${encodeURIComponent(pathname + search)}`;
  return go(`/sign-in${kept()}${next}`, { replace: true });
}

/** After signing in: to where somebody wanted to go, else to their first screen. */
export async function enter() {
  const next = params.value.get("next"),
    here = next?.startsWith("/") && !next.startsWith("//") ? next : null;
  const theme = kept();
  session.value = await get("/session");
  remember();
  go(here ?? `${home()}${theme}`, { replace: true });
}
