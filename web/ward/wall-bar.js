/** The line over a wall screen: where, when, whether it can be heard in letters that are read across the room, and what stands. */
import { html, useEffect } from "../html.js";
import { Clock } from "../components/age.js";
import { t } from "../i18n/words.js";
import { set } from "../router.js";
import { Counts } from "../shell/counts.js";
import { unitName } from "../shell/role.js";
import { soundText } from "../shell/sound-control.js";
import { allow, allowed, pauseLeft, resume } from "../sound/sound.js";

function leave() {
  if (document.fullscreenElement) document.exitFullscreen().catch(() => null);
  set({ wall: null });
}

export function WallBar() {
  useEffect(() => {
    const escape = (event) => event.key === "Escape" && leave();
    addEventListener("keydown", escape);
    return () => removeEventListener("keydown", escape);
  }, []);
  const touch = () => (allowed.value ? resume() : allow());
  const mute = !allowed.value || pauseLeft.value > 0;
  return html`<div class="wallbar">
    <h1>${unitName()}</h1><${Clock} />
    ${mute
      ? html`<button type="button" class="silent" onClick=${touch}>${allowed.value ? soundText() : t("sound.wall_tap")}</button>`
      : html`<span class="wall-sound">${soundText()}</span>`}
    <button type="button" class="leave" onClick=${leave}>${t("ward.leave_wall")}</button>
    <${Counts} size=${40} />
  </div>`;
}
