/** The start of every page: words, who is here, then the screen that the address names. */
import { html, render, useErrorBoundary, useEffect, useState } from "./html.js";
import { Failed, Loading } from "./components/state-panel.js";
import { session } from "./feed/state.js";
import { language, loadWords, preferred, t } from "./i18n/words.js";
import * as router from "./router.js";
import { load } from "./session.js";
import * as installed from "./shell/installed.js";
import { Unreachable } from "./shell/unreachable.js";
import * as announce from "./shell/announce.js";
import * as keys from "./shell/keys.js";
import { home, readsOwn, seesPatients } from "./shell/role.js";
import { Shell } from "./shell/shell.js";
import * as sound from "./sound/sound.js";
import * as units from "./units.js";
import { Ward } from "./ward/ward.js";

/** The board is the first screen for nearly everybody and comes with the page; the others are fetched when they are opened. */
const SCREENS = {
  patient: () => import("./patient/patient.js").then((m) => m.Patient),
  history: () => import("./history/history.js").then((m) => m.History),
  mine: () => import("./mine/mine.js").then((m) => m.Mine),
  strip: () => import("./strip/strip.js").then((m) => m.Strip),
  alarms: () => import("./alarms/alarms.js").then((m) => m.Alarms),
  devices: () => import("./devices/devices.js").then((m) => m.Devices),
  claim: () => import("./devices/claim.js").then((m) => m.ClaimDevice),
  screen: () => import("./screen/screen.js").then((m) => m.ThisScreen),
  system: () => import("./system/system.js").then((m) => m.System),
  places: () => import("./places/places.js").then((m) => m.Places),
  staff: () => import("./staff/staff.js").then((m) => m.Staff),
  audit: () => import("./audit/audit.js").then((m) => m.Audit),
  settings: () => import("./settings/settings.js").then((m) => m.Settings),
  own: () => import("./self/own.js").then((m) => m.Own),
  "sign-in": () => import("./sign-in/sign-in.js").then((m) => m.SignIn),
  invite: () => import("./sign-in/invite.js").then((m) => m.Invite),
};
/** Screens of patients; a role that sees none is told so without asking the server for them. */
const OF_PATIENTS = new Set(["ward", "mine", "patient", "strip", "alarms"]);
const loaded = new Map([["ward", Ward]]);

function Screen({ name }) {
  const [, again] = useState(0),
    [problem, setProblem] = useState(null);
  const [broken, reset] = useErrorBoundary();
  useEffect(() => {
    if (loaded.has(name) || !SCREENS[name]) return;
    SCREENS[name]().then(
      (screen) => {
        loaded.set(name, screen);
        again((n) => n + 1);
      },
      () => setProblem({ status: 0 }));
  }, [name]);
  if (broken) return html`<${Failed} problem=${{ status: 500, detail: t("state.screen_broke") }} again=${reset} what=${t("state.screen")} />`;
  if (problem) return html`<${Failed} problem=${problem} again=${() => location.reload()} />`;
  if (!loaded.has(name) && !SCREENS[name]) return html`<${Failed} problem=${{ status: 404 }} />`;
  const Found = loaded.get(name);
  return Found ? html`<${Found} />` : html`<${Loading} />`;
}

function App() {
  const { name, unit } = router.route.value;
  const here = session.value !== null;
  const nowhere = here && name === "ward" && !unit;
  useEffect(() => {
    if (nowhere && home() !== "/ward/") router.go(`${home()}${router.kept()}`, { replace: true });
  }, [nowhere]);
  if (name === "sign-in" || name === "invite") return html`<${Screen} key=${name} name=${name} />`;
  if (!here) return null;
  // A patient's own page has no rail and no alarms around it, and nobody else has one.
  if (readsOwn() || name === "own") return html`<${Screen} key="own" name=${readsOwn() ? "own" : "nowhere"} />`;
  if (OF_PATIENTS.has(name) && !nowhere && !seesPatients()) return html`<${Shell}><${Failed} problem=${{ status: 403 }} what=${t("state.screen")} /></${Shell}>`;
  return html`<${Shell}><${Screen} key=${name} name=${name} /></${Shell}>`;
}

const root = document.getElementById("app");

/** Begins anew once the ward answers; until then what is on the screen stays. */
const reached = () => fetch("/healthz", { cache: "no-store" }).then((answer) => answer.ok && location.reload(), () => null);

async function begin() {
  await loadWords(preferred());
  document.documentElement.lang = language();
  root.replaceChildren();
  router.start();
  try {
    await load();
  } catch (problem) {
    if (problem.status === 0) {
      render(html`<${Unreachable} again=${reached} />`, root);
      return;
    }
    render(html`<main class="door"><${Failed} problem=${problem} again=${() => location.reload()} /></main>`, root);
    return;
  }
  units.start();
  sound.start();
  announce.start();
  keys.start();
  installed.start();
  render(html`<${App} />`, root);
}

begin();
