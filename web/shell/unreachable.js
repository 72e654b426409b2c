/** The whole screen when the ward cannot be reached at all: that alarms do not arrive here, and who gets them meanwhile. */
import { html, useEffect } from "../html.js";
import { dateAndTime } from "../format/time.js";
import { t } from "../i18n/words.js";
import { Logo } from "./icon.js";
import { meanwhile } from "./installed.js";

const AGAIN_MS = 5000;

/** Where alarms go while this device is away: they climb by themselves, whoever is listening. */
export function whoMeanwhile(known = meanwhile()) {
  if (!known) return t("offline.somebody");
  return known.charge ? t("offline.charge", { name: known.charge, unit: known.unit }) : t("offline.unit", { unit: known.unit });
}

export function Unreachable({ again }) {
  const known = meanwhile();
  useEffect(() => {
    document.title = t("title", { screen: t("offline.title") });
    const timer = setInterval(again, AGAIN_MS);
    addEventListener("online", again);
    return () => {
      clearInterval(timer);
      removeEventListener("online", again);
    };
  }, []);
  return html`<main class="door" id="content"><div class="door-panel panel offline" role="alert">
    <p class="door-name"><${Logo} size=${28} /><span>${t("product")}</span></p>
    <h1>${t("offline.title")}</h1>
    <p>${t("offline.text")}</p>
    <p><b>${whoMeanwhile(known)}</b></p>
    <button type="button" class="primary" onClick=${again}>${t("act.again")}</button>
    <p class="small faint">${known ? t("offline.known", { at: dateAndTime(known.at) }) : t("offline.tries")}</p>
  </div></main>`;
}
