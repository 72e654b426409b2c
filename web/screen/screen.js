/** What belongs to this screen and not to a person: how large a millimetre is on it, how it looks, whose alarms it sounds for. */
import { html, useEffect } from "../html.js";
import { Segments } from "../components/segments.js";
import { GLUCOSE, glucose, readGlucoseIn } from "../format/units.js";
import { t } from "../i18n/words.js";
import { Language, Theme } from "../shell/me.js";
import { Title } from "../shell/shell.js";
import { SoundChoices } from "../shell/sound-control.js";
import { Ruler } from "./ruler.js";

export function ThisScreen() {
  useEffect(() => {
    document.title = t("title", { screen: t("screen.screen") });
  }, []);
  return html`<${Title} title=${t("screen.screen")} note=${t("this_screen.note")} />
    <div class="this-screen">
      <${Ruler} />
      <section class="panel stack" aria-label=${t("this_screen.look")}><h2>${t("this_screen.look")}</h2><${Theme} /></section>
      <section class="panel stack" aria-label=${t("this_screen.words")}><h2>${t("this_screen.words")}</h2><${Language} />
        <div class="stack"><span class="small dim">${t("this_screen.glucose")}</span><${Segments} label=${t("this_screen.glucose")} options=${GLUCOSE.map((unit) => [unit, unit])} chosen=${glucose.value} act=${(unit) => { readGlucoseIn(unit); location.reload(); }} /></div></section>
      <section class="panel stack" aria-label=${t("sound.title")}><${SoundChoices} /></section>
    </div>`;
}
