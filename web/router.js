/** The address is the state of a screen: this reads it, writes it, and follows links without loading the page again. */
import { computed, signal } from "./html.js";

export const address = signal(new URL(location.href));
export const params = computed(() => address.value.searchParams);

/** The screens by their path; the first that fits wins. */
const ROUTES = [
  ["sign-in", /^\/sign-in$/, []],
  ["invite", /^\/invite\/([^/]+)$/, ["token"]],
  ["ward", /^\/ward\/([^/]+)$/, ["unit"]],
  ["ward", /^\/(?:ward)?\/?$/, []],
  ["strip", /^\/patients\/([^/]+)\/strip$/, ["id"]],
  ["patient", /^\/patients\/([^/]+)$/, ["id"]],
  ["history", /^\/history\/(patients|devices|beds|rooms|care-units|sites)\/([^/]+)$/, ["kind", "id"]],
  ["mine", /^\/mine$/, []],
  ["alarms", /^\/alarms$/, []],
  ["devices", /^\/devices$/, []],
  ["claim", /^\/claim$/, []],
  ["screen", /^\/screen$/, []],
  ["system", /^\/system$/, []],
  ["places", /^\/places$/, []],
  ["staff", /^\/staff$/, []],
  ["audit", /^\/audit$/, []],
  ["settings", /^\/settings$/, []],
  ["own", /^\/own$/, []],
];

/** The name of the screen and what its path says, such as `{ name: "patient", id }`. */
export const route = computed(() => {
  for (const [name, pattern, names] of ROUTES) {
    const found = pattern.exec(address.value.pathname);
    if (found) return { name, ...Object.fromEntries(names.map((n, i) => [n, decodeURIComponent(found[i + 1])])) };
  }
  return { name: "nowhere" };
});

const show = () => {
  address.value = new URL(location.href);
};

/** Goes to another screen; `replace` leaves no way back to this one. */
export function go(path, { replace = false } = {}) {
  history[replace ? "replaceState" : "pushState"](null, "", path);
  show();
  if (!replace) scrollTo(0, 0);
}

/** Changes the query of this address; a value that is `null` or empty is taken out. */
export function set(values, { replace = true } = {}) {
  const next = new URL(address.value);
  for (const [name, value] of Object.entries(values)) {
    if (value === null || value === undefined || value === "") next.searchParams.delete(name);
    else next.searchParams.set(name, value);
  }
  history[replace ? "replaceState" : "pushState"](null, "", next);
  show();
}

/** What stays in the address from one screen to the next. */
export const kept = () => {
  const theme = params.value.get("theme");
  return theme ? `?theme=${encodeURIComponent(theme)}` : "";
};

export function start() {
  addEventListener("popstate", show);
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("a[href]");
    const plain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey && !event.defaultPrevented;
    if (!link || !plain || link.target || link.hasAttribute("download") || link.origin !== location.origin) return;
    if (link.pathname.startsWith("/api/") || (link.pathname === location.pathname && link.hash)) return;
    event.preventDefault();
    go(link.href);
  });
}
