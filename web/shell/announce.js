/** Says new alarms to those who listen to the screen, one at a time, the most urgent first. */
import { html, signal, effect } from "../html.js";
import { active, byUrgency } from "../feed/state.js";
import { t } from "../i18n/words.js";

const EACH_MS = 4000;
const said = signal("");
let known = null;
let waiting = [];
let timer = 0;

function next() {
  // What was answered or is over by now needs no saying.
  waiting = waiting.filter((a) => active.peek().some((b) => b.id === a.id)).sort(byUrgency);
  const alarm = waiting.shift();
  said.value = alarm
    ? t("alarm.spoken", { priority: t(`priority.spoken.${alarm.priority}`), bed: alarm.bed_name ?? t("who.no_bed"), title: alarm.title, detail: alarm.detail ?? "" })
    : "";
  timer = alarm ? setTimeout(next, EACH_MS) : 0;
}

export function start() {
  effect(() => {
    const names = new Set(active.value.map((a) => `${a.id}/${a.step}`));
    const fresh = known === null ? [] : active.value.filter((a) => !known.has(`${a.id}/${a.step}`));
    known = names;
    waiting.push(...fresh);
    if (waiting.length && !timer) next();
  });
}

export const Announcer = () => html`<p class="hidden" role="alert" aria-atomic="true">${said}</p>`;
