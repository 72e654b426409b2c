/** System: the way of a reading from device to screen, with what flows through each stage now and how long each takes. */
import { html, useEffect, useRef, useState } from "../html.js";
import { get } from "../api/http.js";
import { Pairs } from "../components/drawer.js";
import { Failed, Loading } from "../components/state-panel.js";
import { session } from "../feed/state.js";
import { span } from "../format/time.js";
import { t, word } from "../i18n/words.js";
import { Title } from "../shell/shell.js";
import { isRole } from "../shell/role.js";
import { Latencies } from "./latencies.js";
import { count, bytes } from "./quantity.js";
import { Stage } from "./stage.js";

const REFRESH_MS = 1000;
/** What the sparklines remember: two minutes. */
const KEPT = 120;

export function System() {
  const [system, setSystem] = useState(null),
    [problem, setProblem] = useState(null);
  const past = useRef([]);
  const load = () => get("/system").then((s) => { past.current = [...past.current, s].slice(-KEPT); setSystem(s); setProblem(null); }, setProblem);
  useEffect(() => {
    document.title = t("title", { screen: t("screen.system") });
    load();
    const timer = setInterval(() => document.hidden || load(), REFRESH_MS);
    return () => clearInterval(timer);
  }, []);
  if (problem && !system) return html`<${Title} title=${t("screen.system")} /><${Failed} problem=${problem} again=${load} what=${t("system.the_state")} />`;
  if (!system) return html`<${Loading} />`;
  return html`<${Title} title=${t("screen.system")} note=${t("system.running", { version: system.version, span: span(system.uptime_s * 1000) })} />
    ${problem && html`<p class="small dim" role="status">${t("system.stale")}</p>`}
    <${Board} system=${system} past=${past.current} />`;
}

function Board({ system, past }) {
  const { journal, rates, counters } = system;
  const connected = connections(system);
  const series = (pick) => past.map(pick);
  const recording = journal.status === "recording";
  return html`<div class="system">
    <ol class="flow" aria-label=${t("system.flow")}>
      <${Stage} name=${t("system.devices")} what=${t("system.devices_text")} value=${count(connected)} unit=${t("system.connected", { n: connected })} past=${series(connections)} note=${t("system.wire")} />
      <${Stage} name=${t("system.ingest")} what=${t("system.ingest_text")} value=${count(rates.messages_per_s)} unit=${t("system.messages_per_s")} past=${series((s) => s.rates.messages_per_s)}
        note=${counters.dead_letters ? letters(counters.dead_letters) : t("system.no_letters")} />
      <${Stage} name=${t("system.journal")} what=${t("system.journal_text")} value=${word("journal", journal.status)} unit="" loud=${!recording} past=${series((s) => s.journal.fsync_us_p50)}
        note=${t("system.fsync", { p50: ms(journal.fsync_us_p50), p99: ms(journal.fsync_us_p99) })} />
      <${Stage} name=${t("system.engine")} what=${t("system.engine_text")} value=${count(rates.readings_per_s)} unit=${t("system.readings_per_s")} past=${series((s) => s.rates.readings_per_s)}
        note=${t("system.stored", { n: count(counters.stored) })} last=${true} />
      <li class="back ack"><span>${t("system.ack")}</span></li>
    </ol>
    <${Latencies} latencies=${system.latencies ?? {}} />
    <div class="cards">
      <section class="panel"><h2>${t("system.counters")}</h2><${Pairs} list=${Object.entries(counters).map(([name, n]) => [word("counter", name), count(n)])} /></section>
      <section class="panel"><h2>${t("system.journal")}</h2><${Pairs} list=${[[t("system.state"), word("journal", journal.status)], [t("system.why"), journal.why && word("why", journal.why)], [t("system.size"), bytes(journal.bytes)],
        [t("system.sync_half"), t("system.ms", { ms: ms(journal.fsync_us_p50) })], [t("system.sync_most"), t("system.ms", { ms: ms(journal.fsync_us_p99) })]]} /></section>
      <section class="panel"><h2>${t("system.about")}</h2><${Pairs} list=${[[t("system.version"), system.version], [t("system.uptime"), span(system.uptime_s * 1000)], [t("system.org"), session.value.org?.name]]} />
        <p class="small faint">${session.value.product?.intended_use ?? t("sign_in.not_a_device")}</p></section>
    </div>
  </div>`;
}

const ms = (us) => (us / 1000).toFixed(us < 10_000 ? 1 : 0);
/** The number of connections, whether told as one number or by kind. */
const connections = (s) => (typeof s.connections === "object" && s.connections !== null ? (s.connections.devices ?? s.connections.mqtt ?? Object.values(s.connections).reduce((a, b) => a + b, 0)) : (s.connections ?? 0));
const letters = (n) => (isRole("it") ? html`<a href="/devices?view=dead">${t("system.letters", { n })}</a>` : t("system.letters", { n }));
