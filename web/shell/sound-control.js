/** Whether this screen can be heard, in sight at all times: on, paused with its countdown, or waiting for a touch. */
import { html } from "../html.js";
import { Segments } from "../components/segments.js";
import { countdown } from "../format/time.js";
import { t } from "../i18n/words.js";
import { allow, allowed, hear, hearing, pause, pauseLeft, resume, test } from "../sound/sound.js";
import { Icon } from "./icon.js";
import { Popover } from "./popover.js";

/** One phrase for the state of the sound. */
export function soundText() {
  if (!allowed.value) return t("sound.tap");
  if (pauseLeft.value > 0) return t("sound.paused", { left: countdown(pauseLeft.value) });
  return hearing.value === "mine" ? t("sound.on_mine") : t("sound.on_all");
}

const state = () => (!allowed.value ? "off" : pauseLeft.value > 0 ? "paused" : "on");

export function SoundControl() {
  if (!allowed.value) return html`<button type="button" class="sound-ask" onClick=${allow}><span class="dot" data-sound="off"></span>${t("sound.tap")}</button>`;
  return html`<${Popover} className="sound" label=${t("sound.label", { state: soundText() })}
    button=${html`<span class="dot" data-sound=${state()}></span><span class="sound-icon"><${Icon} name="sound" size=${18} /></span><span class="sound-text" data-sound=${state()}>${soundText()}</span>`}>
    ${() => html`<${SoundChoices} />`}
  </${Popover}>`;
}

/** Pause, whose alarms, and a test of each burst. */
export function SoundChoices() {
  const paused = pauseLeft.value > 0;
  return html`<h2>${t("sound.title")}</h2>
    ${!allowed.value ? html`<button type="button" class="primary" onClick=${allow}>${t("sound.tap")}</button>`
      : paused ? html`<button type="button" class="primary" onClick=${resume}>${t("sound.resume")}</button>` : html`<button type="button" class="primary" onClick=${pause}>${t("sound.pause")}</button>`}
    <p class="small faint">${t("sound.pause_note")}</p>
    <div class="stack"><span class="small dim">${t("sound.whose")}</span>
      <${Segments} label=${t("sound.whose")} options=${[["mine", t("sound.mine")], ["all", t("sound.all")]]} chosen=${hearing.value} act=${hear} /></div>
    <div class="stack"><span class="small dim">${t("sound.test")}</span>
      <div class="row wrap">${["high", "medium", "low"].map((p) => html`<button key=${p} type="button" onClick=${() => test(p)}>${t(`priority.${p}`)}</button>`)}</div></div>`;
}
