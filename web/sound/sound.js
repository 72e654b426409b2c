/** Whether this screen can be heard, and what it plays now. Silence is never quiet about itself: it shows, and it ends. */
import { computed, effect, signal } from "../html.js";
import { active, isBlind, isRecording, session } from "../feed/state.js";
import { second } from "../feed/clock.js";
import { lengthMs, play, repeatMs } from "./bursts.js";

/** Audio paused, as the standard's default: two minutes. */
export const PAUSE_MS = 120_000;
const RANK = ["high", "medium", "low"];
const SCOPE = "wardline.sound.scope";

const kept = (name) => {
  try {
    return localStorage.getItem(name);
  } catch {
    return null;
  }
};
/** A browser keeps a page mute until somebody has touched it. */
export const allowed = signal(false);
/** Until when the sound is paused, in this page's own milliseconds; a screen may pause itself and nobody else. */
export const pausedUntil = signal(0);
/** `mine` or `all`: whose alarms sound here. */
export const scope = signal(kept(SCOPE) ?? "");

const isWall = () => Boolean(document.documentElement.dataset.wall);
/** A wall and the person in charge hear everybody's alarms; others hear theirs, unless they chose otherwise. */
export const hearing = computed(() => {
  if (isWall()) return "all";
  if (scope.value) return scope.value;
  return session.value?.user.role === "nurse" || session.value?.user.role === "physician" ? "mine" : "all";
});
export const pauseLeft = computed(() => {
  second.value;
  return Math.max(0, pausedUntil.value - performance.now());
});

/** What should be sounding: the most urgent unanswered alarm that this screen is for, or the loss of the whole system. */
export const loudest = computed(() => {
  if (!session.value) return null;
  if (isBlind.value || !isRecording.value) return "high";
  const heard = active.value.filter((a) => hearing.value === "all" || a.mine);
  return RANK.find((priority) => heard.some((a) => a.priority === priority)) ?? null;
});

let context = null;
let cut = null;
let timer = 0;
let playing = null;

function next() {
  clearTimeout(timer);
  if (!allowed.value || !playing) return;
  cut = play(context, playing);
  shake(playing);
  timer = setTimeout(next, repeatMs(playing));
}

/** A phone in a pocket says it to the hand: as many beats as there are marks in the sign of the priority. */
const BEATS_MS = { high: [300, 120, 300, 120, 300], medium: [220, 120, 220], low: [160] };
const shake = (priority) => navigator.vibrate?.(BEATS_MS[priority]);

function tune() {
  const wanted = allowed.value && pauseLeft.value === 0 ? loudest.value : null;
  if (wanted === playing) return;
  const more = playing === null || RANK.indexOf(wanted) < RANK.indexOf(playing);
  playing = wanted;
  if (!wanted || more) cut?.();
  if (wanted) next();
  else {
    clearTimeout(timer);
    navigator.vibrate?.(0);
  }
}

/** Asks for sound. Must be called from a touch or a key: nothing else may switch it on. */
export async function allow() {
  context ??= new AudioContext();
  await context.resume().catch(() => {});
  allowed.value = context.state === "running";
  context.onstatechange = () => {
    allowed.value = context.state === "running";
  };
}

/** Pauses the sound of this screen for two minutes. A new alarm of any priority ends the pause. */
export function pause() {
  pausedUntil.value = performance.now() + PAUSE_MS;
}
export function resume() {
  pausedUntil.value = 0;
}
/** Plays one burst, so that somebody can hear whether the room can hear it. */
export async function test(priority = "medium") {
  await allow();
  if (!allowed.value) return;
  const stop = play(context, priority);
  setTimeout(stop, lengthMs(priority) + 200);
}
export function hear(whose) {
  scope.value = whose;
  try {
    localStorage.setItem(SCOPE, whose);
  } catch {
    // A browser that keeps nothing still hears it now.
  }
}

/** Starts listening to the ward. The first touch or key anywhere also asks for permission. */
export function start() {
  let known = new Set();
  effect(() => {
    const list = active.value;
    const fresh = list.some((a) => !known.has(`${a.id}/${a.step}`));
    known = new Set(list.map((a) => `${a.id}/${a.step}`));
    if (fresh && pausedUntil.peek() > performance.now()) pausedUntil.value = 0;
  });
  effect(tune);
  for (const touch of ["pointerdown", "pointerup", "keydown"]) addEventListener(touch, () => allowed.peek() || allow(), { capture: true });
}
