/** A patient's own page: today in whole sentences, three numbers, how they feel, and who can see this and who did. No scores, no alarms. */
import { html, useEffect, useState } from "../html.js";
import { signOut } from "../api/act.js";
import { get } from "../api/http.js";
import { Failed, Loading } from "../components/state-panel.js";
import { heard, now } from "../feed/clock.js";
import { session } from "../feed/state.js";
import { t } from "../i18n/words.js";
import { go } from "../router.js";
import { forgetShared } from "../session.js";
import { isRole } from "../shell/role.js";
import { Feeling } from "./feeling.js";
import { NewLink } from "./new-link.js";
import { NextDose } from "./next-dose.js";
import { OwnNumber } from "./own-number.js";
import { SharedWithMe, Sharing } from "./sharing.js";
import { Sight } from "./sight.js";
import { voice } from "./voice.js";

const REFRESH_MS = 5000;
/** Each look of somebody else is written down, and a list of every five seconds tells the patient nothing. */
const REFRESH_SHARED_MS = 30_000;
/** How often a page that is shared looks whether its time is over; it needs no network for that. */
const OVER_MS = 1000;
/** The server's word for what a patient shared and shares no more. */
const SHARE_OVER = "/problems/share-over";
const LARGER = "wardline.larger";

const remembered = () => {
  try {
    return localStorage.getItem(LARGER) === "1";
  } catch {
    return false;
  }
};

export function Own() {
  const [own, setOwn] = useState(null),
    [problem, setProblem] = useState(null),
    [larger, setLarger] = useState(remembered);
  const show = (found) => { heard(Date.parse(found.now)); setOwn(found); setProblem(null); };
  // What is shared no more is not shown a moment longer.
  const load = () => get("/own").then(show, (caught) => { if (caught.status === 403) setOwn(null); setProblem(caught); });
  useEffect(() => {
    document.title = t("title", { screen: t("screen.own") });
    load();
    const timer = setInterval(() => document.hidden || load(), isRole("family") ? REFRESH_SHARED_MS : REFRESH_MS);
    // Who comes back to a page that is shared sees first whether it still is.
    const turned = () => {
      if (!isRole("family")) return;
      setOwn(null);
      setProblem(null);
      if (!document.hidden) load();
    };
    document.addEventListener("visibilitychange", turned);
    return () => {
      clearInterval(timer);
      document.removeEventListener("visibilitychange", turned);
    };
  }, []);
  useEffect(() => {
    if (!own?.shared_until) return undefined;
    const timer = setInterval(() => {
      if (now() < Date.parse(own.shared_until)) return;
      setOwn(null);
      setProblem({ status: 403, kind: SHARE_OVER });
    }, OVER_MS);
    return () => clearInterval(timer);
  }, [own?.shared_until]);
  const leave = async () => {
    await signOut().catch(() => null);
    session.value = null;
    forgetShared();
    go("/sign-in");
  };
  const enlarge = () => {
    setLarger(!larger);
    try {
      localStorage.setItem(LARGER, larger ? "0" : "1");
    } catch {
      // Chosen again next time.
    }
  };
  return html`<div class="own" data-theme="light" data-larger=${larger ? "" : undefined}>
    <header class="row own-bar"><b class="grow">${t("product")}</b><button type="button" class="plain" aria-pressed=${String(larger)} onClick=${enlarge}>${t("own.as_text")}</button><button type="button" class="plain" onClick=${leave}>${t("own.sign_out")}</button></header>
    <main id="content" tabindex="-1">
      ${problem?.kind === SHARE_OVER && !own && html`<div class="state" data-state="forbidden" role="status"><h1>${t("own.shared_over")}</h1><p class="dim">${t("own.shared_over_text")}</p></div>`}
      ${problem && problem.kind !== SHARE_OVER && !own && html`<${Failed} problem=${problem} again=${load} what=${t("own.the_page")} />`}
      ${!own && !problem && html`<${Loading} />`}
      ${own && html`<${Page} own=${own} show=${show} stale=${problem} />`}
    </main></div>`;
}

/** Which greeting fits the hour of the ward. */
export function greeting(hour) {
  if (hour < 5) return "own.night";
  if (hour < 12) return "own.morning";
  if (hour < 18) return "own.afternoon";
  return "own.evening";
}

/** Today in one sentence, without a verdict. */
function sentence(numbers, say) {
  const told = numbers.filter((n) => n.place || n.with_place);
  if (numbers.length === 0) return say("sentence.none");
  const out = told.filter((n) => [n.place, n.with_place].some((place) => place && place !== "in")).length;
  if (out > 0) return say("sentence_some", { n: out });
  return say(told.length > 0 ? "sentence.all_in" : "sentence.unknown");
}

function Page({ own, show, stale }) {
  const shared = own.shared_until,
    say = voice(own);
  return html`<h1>${shared ? t("own.shared_title", { name: own.given_name }) : t(greeting(new Date(own.now).getHours()), { name: own.given_name })}</h1>
    ${shared && html`<${SharedWithMe} own=${own} />`}
    <p class="own-day" data-day>${sentence(own.numbers, say)}${own.bed && html` <span class="dim">${t("own.where", { bed: own.bed.name, unit: own.care_unit?.name ?? "" })}.</span>`}</p>
    ${stale && html`<p class="own-card" role="status">${t("state.unreachable_text")}</p>`}
    ${!own.recording && html`<p class="own-card" role="status">${say("not_recording")}</p>`}
    <${NewLink} looks=${own.looks} say=${say} />
    ${own.numbers.length === 0 ? html`<section class="own-card"><h2>${t("own.empty")}</h2><p class="dim">${say("empty_text")}</p></section>` : html`<div class="own-numbers">${own.numbers.map((n) => html`<${OwnNumber} key=${n.vital} number=${n} say=${say} />`)}</div>`}
    <${NextDose} dose=${own.next_dose} say=${say} />
    ${!shared && html`<${Feeling} own=${own} show=${show} /><${Sight} own=${own} /><${Sharing} own=${own} show=${show} />`}
    <footer class="own-foot">${!shared && html`<p data-help><b>${t("own.help")}</b> ${say("help_text")} ${own.nurse ? t("own.help_nurse", { name: own.nurse.name }) : ""}</p>`}
      <p class="small dim" data-own-login>${t("own.signs_in", { login: session.value?.user.login ?? "" })}</p>
      <p class="small faint">${session.value?.product?.intended_use ?? t("sign_in.not_a_device")}</p></footer>`;
}
