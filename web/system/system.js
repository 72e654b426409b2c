/** System: the way of a reading from device to screen, with what flows through each stage now, what waits, how long each takes, and the last day. */
import { html, useEffect, useRef, useState } from "../html.js";
import { get } from "../api/http.js";
import { Failed, Loading } from "../components/state-panel.js";
import { span } from "../format/time.js";
import { has, language, t } from "../i18n/words.js";
import { Title } from "../shell/shell.js";
import { Cards } from "./cards.js";
import { Desk } from "../demo/desk.js";
import { Flow } from "./flow.js";
import { History } from "./history.js";
import { Latencies } from "./latencies.js";

const REFRESH_MS = 1000;
const HISTORY_MS = 60_000;
/** What the sparklines remember: two minutes. */
const KEPT = 120;

export function System() {
  const [system, setSystem] = useState(null),
    [history, setHistory] = useState(null),
    [problem, setProblem] = useState(null);
  const past = useRef([]);
  const load = () => get("/system").then((s) => { past.current = [...past.current, { ...s, at: performance.now() }].slice(-KEPT); setSystem(s); setProblem(null); }, setProblem);
  const look = () => get("/system/history").then(setHistory, () => setHistory((known) => known || false));
  useEffect(() => {
    document.title = t("title", { screen: t("screen.system") });
    load();
    look();
    const timers = [setInterval(() => document.hidden || load(), REFRESH_MS), setInterval(() => document.hidden || look(), HISTORY_MS)];
    return () => timers.forEach(clearInterval);
  }, []);
  if (problem && !system) return html`<${Title} title=${t("screen.system")} /><${Failed} problem=${problem} again=${load} what=${t("system.the_state")} />`;
  if (!system) return html`<${Loading} />`;
  return html`<${Title} title=${t("screen.system")} note=${t("system.running", { version: system.version, span: span(system.uptime_s * 1000) })} />
    ${problem && html`<p class="small dim" role="status">${t("system.stale")}</p>`}
    <div class="system">
      <${Troubles} list=${system.troubles ?? []} />
      <${Desk} />
      <${Flow} system=${system} past=${past.current} />
      <${Latencies} latencies=${system.latencies ?? {}} />
      <${History} history=${history} />
      <${Cards} system=${system} history=${history} again=${load} />
    </div>`;
}

/** What a person has to look after now, the worst first: in the reader's language where it has words for it, else in the server's, which have figures. */
const Troubles = ({ list }) => list.length > 0 && html`<section class="panel shout" role="status" data-troubles=${list.length}><h2>${t("system.troubles", { n: list.length })}</h2><ul>${list.map((it) => html`<li key=${it.code} data-trouble=${it.code}>${language() !== "en" && has(`trouble.${it.code}`) ? t(`trouble.${it.code}`) : coded(it.words)}</li>`)}</ul></section>`;

/** What stands between backticks is typed as it is. */
const coded = (text) => text.split("`").map((part, i) => (i % 2 ? html`<code>${part}</code>` : part));
