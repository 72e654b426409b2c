/** The keyboard: everything a pointer can do, from one hand's reach. */
import { html, signal, useEffect, useRef } from "../html.js";
import { t } from "../i18n/words.js";
import { go } from "../router.js";
import { allow, allowed, pause, pauseLeft, resume } from "../sound/sound.js";
import { pathOf, screens } from "./role.js";
import { undo } from "./undo.js";

const GOES = { w: "ward", m: "mine", a: "alarms", t: "staff", d: "devices", p: "places", u: "audit", e: "settings", s: "system" };
const CHORD_MS = 1200;
const help = signal(false);
let chord = -Infinity;

export const showKeys = () => {
  help.value = true;
};

const typing = (target) => target.closest?.("input, select, textarea, [contenteditable]");

/** Everything that arrows walk through, in the order in which it is seen. */
const rows = () => [...document.querySelectorAll("[data-row]")].filter((row) => row.offsetParent !== null);

function walk(by) {
  const all = rows();
  if (!all.length) return;
  const here = all.indexOf(document.activeElement.closest?.("[data-row]"));
  const next = all[here < 0 ? (by > 0 ? 0 : all.length - 1) : Math.max(0, Math.min(all.length - 1, here + by))];
  next.focus();
  next.scrollIntoView({ block: "nearest" });
}

/** How many rows stand side by side: on a board an arrow down goes down a line. */
function across() {
  const all = rows();
  if (all.length < 2) return 1;
  const top = (row) => Math.round((row.closest("[data-cell]") ?? row).getBoundingClientRect().top);
  const first = top(all[0]);
  return Math.max(1, all.filter((row) => top(row) === first).length);
}

function answer() {
  const inRow = document.activeElement.closest?.("tr, .sector, .alarm-top, .drawer")?.querySelector("[data-answer]");
  (inRow ?? document.querySelector(".drawer [data-answer]") ?? document.querySelector("[data-answer]"))?.focus();
}

/** The strip of the alarm that the focus is on, else of the first one here. */
function toStrip() {
  const near = document.activeElement.closest?.("tr, .alarm-top, .drawer, li")?.querySelector('a[href*="/strip?"]');
  (near ?? document.querySelector('main a[href*="/strip?"]'))?.click();
}

const ACTS = {
  "/": () => document.querySelector(".search input")?.focus(),
  "?": showKeys,
  j: () => walk(across()), k: () => walk(-across()),
  ArrowDown: () => walk(across()), ArrowUp: () => walk(-across()),
  ArrowRight: () => walk(1), ArrowLeft: () => walk(-1),
  a: answer,
  t: toStrip,
  u: undo,
  "[": () => document.querySelector("[data-step=back]")?.click(),
  "]": () => document.querySelector("[data-step=on]")?.click(),
  m: () => (!allowed.value ? allow() : pauseLeft.value > 0 ? resume() : pause()),
  g: () => {
    chord = performance.now();
  },
};

function press(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || typing(event.target)) return;
  if (performance.now() - chord < CHORD_MS && GOES[event.key]) {
    chord = -Infinity;
    event.preventDefault();
    if (screens().includes(GOES[event.key])) go(pathOf(GOES[event.key]));
    return;
  }
  const arrow = event.key.startsWith("Arrow");
  if (arrow && !event.target.closest?.("[data-row]")) return;
  const act = ACTS[event.key];
  if (!act) return;
  event.preventDefault();
  act();
}

export const start = () => addEventListener("keydown", press);

/** The map of the keyboard, opened by `?`. */
export function KeyHelp() {
  const box = useRef(null);
  useEffect(() => {
    if (help.value && !box.current.open) box.current.showModal();
  }, [help.value]);
  if (!help.value) return null;
  const close = () => {
    help.value = false;
  };
  const lines = [["/", "search"], ["j k ↑ ↓ ← →", "walk"], ["Enter", "open"], ["a", "answer"], ["t", "strip"], ["u", "undo"], ["[ ]", "step"], ["m", "sound"], ...Object.entries(GOES).filter(([, screen]) => screens().includes(screen)).map(([key, screen]) => [`g ${key}`, `screen.${screen}`]), ["Esc", "close"]];
  return html`<dialog class="panel keys" ref=${box} onClose=${close} aria-label=${t("me.keys")}>
    <h2>${t("me.keys")}</h2>
    <dl class="pairs">${lines.map(([key, name]) => html`<dt key=${name}><kbd>${key}</kbd></dt><dd>${name.startsWith("screen.") ? t(`screen.${name.slice(7)}`) : t(`keys.${name}`)}</dd>`)}</dl>
    <form method="dialog"><button class="primary">${t("act.close")}</button></form>
  </dialog>`;
}
