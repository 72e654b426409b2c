/** The way between screens: a rail on the left, tabs at the bottom of a phone. Only what one's role uses is there. */
import { html } from "../html.js";
import { counts } from "../feed/state.js";
import { t } from "../i18n/words.js";
import { route } from "../router.js";
import { Icon, Logo } from "./icon.js";
import { pathOf, screens } from "./role.js";

/** The screen of the rail that a route belongs to. */
const HOME_OF = { claim: "devices", patient: "ward", history: "ward", strip: "ward" };

export function Rail() {
  const here = HOME_OF[route.value.name] ?? route.value.name;
  return html`<nav class="rail" aria-label=${t("shell.main")}>
    <a class="logo" href=${pathOf(screens()[0])} aria-label=${t("shell.home")}><${Logo} /></a>
    ${screens().map((screen) => html`<a key=${screen} href=${pathOf(screen)} aria-current=${screen === here ? "page" : undefined}>
      <${Icon} name=${screen} /><span>${t(`screen.${screen}`)}</span>${screen === "alarms" && html`<${TabCount} />`}
    </a>`)}
  </nav>`;
}

/** On a phone the tab says how many alarms nobody has. */
function TabCount() {
  const { high, medium, low } = counts.value,
    n = high + medium + low;
  if (!n) return null;
  return html`<span class="tab-count" aria-label=${t("alarm.unanswered_n", { n })}>${n}</span>`;
}
