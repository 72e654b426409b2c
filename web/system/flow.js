/** The picture of the flow: six stages with their live rates, what waits before each, and the acknowledgement's way back. */
import { html } from "../html.js";
import { fixed } from "../format/number.js";
import { t, word } from "../i18n/words.js";
import { isRole } from "../shell/role.js";
import { bytes, count } from "./quantity.js";
import { Stage } from "./stage.js";

const ms = (us) => fixed(us / 1000, us < 10_000 ? 1 : 0);
/** The number of connections, whether told as one number or by kind. */
export const connections = (s) => (typeof s.connections === "object" && s.connections !== null ? (s.connections.devices ?? s.connections.mqtt ?? Object.values(s.connections).reduce((a, b) => a + b, 0)) : (s.connections ?? 0));
export const letters = (n) => (isRole("it") ? html`<a href="/devices?view=dead">${t("system.letters", { n: count(n) })}</a>` : t("system.letters", { n: count(n) }));
const refused = (n) => (isRole("it") ? html`<a href="/devices?view=refused">${t("system.refused_n", { n: count(n) })}</a>` : t("system.refused_n", { n: count(n) }));

/** What a counter grew by in a second, from one look to the next. */
export function rates(past, pick) {
  const grown = (now, before) => Math.max(0, pick(now) - pick(before)) / Math.max(0.001, (now.at - before.at) / 1000);
  return past.slice(1).map((now, i) => grown(now, past[i]));
}

export function Flow({ system, past }) {
  const { journal, rates: flow, counters, engine, screens } = system;
  const connected = connections(system),
    recording = journal.status === "recording";
  const series = (pick) => past.map(pick);
  const entries = rates(past, (s) => s.journal.entries ?? 0),
    records = rates(past, (s) => s.engine?.records ?? 0);
  const waits = journal.queue_groups ? t("system.queue", { n: count(journal.queue_groups), size: bytes(journal.queue_bytes) }) : t("system.queue_none");
  return html`<ol class="flow" aria-label=${t("system.flow")}>
    <${Stage} name=${t("system.devices")} what=${t("system.devices_text")} value=${count(connected)} unit=${t("system.connected", { n: connected })} past=${series(connections)} note=${system.quarantined ? t("system.quarantined_n", { n: system.quarantined }) : t("system.wire")} />
    <${Stage} name=${t("system.transport")} what=${t("system.transport_text")} value=${count(flow.messages_per_s)} unit=${t("system.messages_per_s")} past=${series((s) => s.rates.messages_per_s)} note=${refused(counters.refused)} />
    <${Stage} name=${t("system.ingest")} what=${t("system.ingest_text")} value=${count(flow.readings_per_s)} unit=${t("system.readings_per_s")} past=${series((s) => s.rates.readings_per_s)} note=${counters.dead_letters ? letters(counters.dead_letters) : t("system.no_letters")} />
    <${Stage} name=${t("system.journal")} what=${t("system.journal_text")} value=${recording ? count(entries.at(-1) ?? 0) : word("journal", journal.status)} unit=${recording ? t("system.durable") : ""} loud=${!recording} past=${entries}
      note=${html`${t("system.fsync", { p50: ms(journal.fsync_us_p50), p99: ms(journal.fsync_us_p99) })}<br />${waits}`} />
    <${Stage} name=${t("system.engine")} what=${t("system.engine_text")} value=${count(records.at(-1) ?? 0)} unit=${t("system.messages_per_s")} past=${records} note=${engine ? html`${t("system.alarms_stand", { n: count(engine.alarms_standing) })}<br />${engine.behind_bytes ? t("system.behind", { size: bytes(engine.behind_bytes) }) : t("system.wait_free")}` : ""} />
    <${Stage} name=${t("system.screens")} what=${t("system.screens_text")} value=${count(screens?.open ?? 0)} unit=${t("system.open_pages", { n: screens?.open ?? 0 })} past=${series((s) => s.screens?.open ?? 0)} note=${t("system.feed")} last=${true} />
    <li class="back ack"><span>${t("system.ack")}</span></li>
  </ol>`;
}
