/** Keeps the shell of the screens for when the ward cannot be reached, so that a phone says so instead of showing nothing. Never anything about a patient. */

/** Only the shell is kept, under names of its own; a change of this number forgets what older ones kept. */
const CACHE = "wardline-shell-1";
const SHELL = "/sign-in";
/** A server that has not answered within this is not going to help. */
const PATIENCE_MS = 4000;

/** Whether an address is part of the program. What the server says about the ward is below `/api/` and is never touched here. */
const isAsset = (url) => url.origin === location.origin && url.pathname.startsWith("/assets/");
const isPage = (request, url) => request.mode === "navigate" && url.origin === location.origin && !url.pathname.startsWith("/api/");

async function keep(name, answer) {
  // What cannot be kept, as on a full device, is still an answer.
  if (answer.ok && answer.type === "basic") await caches.open(CACHE).then((cache) => cache.put(name, answer.clone())).catch(() => null);
  return answer;
}

/** The server's own word first: a new version is never mixed with an old one. What was kept is for when there is no word. */
async function fresh(request, name) {
  const late = new AbortController(),
    timer = setTimeout(() => late.abort(), PATIENCE_MS);
  try {
    return await keep(name, await fetch(request, { signal: late.signal }));
  } catch (failed) {
    const kept = await (await caches.open(CACHE)).match(name, { ignoreVary: true });
    if (kept) return kept;
    throw failed;
  } finally {
    clearTimeout(timer);
  }
}

/** The shell and everything that it names: whole before this worker answers for any of it. */
async function keepShell() {
  const answer = await fetch(SHELL, { credentials: "omit" }),
    text = await answer.clone().text();
  await keep(SHELL, answer);
  const named = [...text.matchAll(/(?:href|src)="(\/assets\/[^"]+)"/g)].map((found) => found[1]);
  await Promise.all([...new Set(named)].map(async (path) => keep(path, await fetch(path))));
  await self.skipWaiting();
}

self.addEventListener("install", (event) => event.waitUntil(keepShell()));

self.addEventListener("activate", (event) => {
  const forget = async () => {
    for (const name of await caches.keys()) if (name !== CACHE) await caches.delete(name);
    await self.clients.claim();
  };
  event.waitUntil(forget());
});

self.addEventListener("fetch", (event) => {
  const { request } = event,
    url = new URL(request.url);
  if (request.method !== "GET") return;
  if (isAsset(url)) event.respondWith(fresh(request, url.pathname));
  // All pages are the one shell: what one of them is about is in its address and is asked from the server.
  else if (isPage(request, url)) event.respondWith(fresh(request, SHELL));
});

/** A page tells which parts it has loaded before this worker was there, so that all of them are kept. */
self.addEventListener("message", (event) => {
  if (event.data?.keep) event.waitUntil(Promise.all(event.data.keep.map((path) => new URL(path, location.origin)).filter(isAsset).map((url) => fetch(url).then((answer) => keep(url.pathname, answer)).catch(() => null))));
});
