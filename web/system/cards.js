/** What an engineer looks after: journal, storage, certificates, what is held and unread, and the program itself. */
import { html } from "../html.js";
import { Pairs } from "../components/drawer.js";
import { now } from "../feed/clock.js";
import { session } from "../feed/state.js";
import { day, ms as millis, span, when } from "../format/time.js";
import { fixed } from "../format/number.js";
import { t, word } from "../i18n/words.js";
import { isRole } from "../shell/role.js";
import { Backups } from "./backups.js";
import { Damage } from "./damage.js";
import { letters } from "./flow.js";
import { bytes, count } from "./quantity.js";

const DAY_MS = 86_400_000;
/** Growth over less than this says nothing of a day. */
const GROWTH_MIN_MS = 5 * 60_000;

const ms = (us) => t("system.ms", { ms: fixed(us / 1000, us < 10_000 ? 1 : 0) });

/** Bytes a day that the journal grows by, from the history's first minute to its last; nothing while that is too short. */
export function growth(history) {
  const points = history?.points ?? [];
  if (points.length < 2) return null;
  const [first, last] = [points[0], points.at(-1)],
    over = last.at_ms - first.at_ms;
  return over < GROWTH_MIN_MS ? null : Math.max(0, last.journal_bytes - first.journal_bytes) * (DAY_MS / over);
}

export function Cards({ system, history, again }) {
  const { journal, counters, engine, screens } = system;
  const grows = growth(history);
  return html`<div class="cards">
    <section class="panel"><h2>${t("system.journal_title")}</h2><${Pairs} list=${[[t("system.state"), html`<b>${word("journal", journal.status)}</b>`], [t("system.why"), journal.why && word("why", journal.why)], [t("system.size"), bytes(journal.bytes)],
      grows !== null && [t("system.growth"), t("system.growth_day", { size: bytes(grows) })], [t("system.last_sync"), journal.commits === undefined ? null : t("system.synced", { n: count(journal.commits) })],
      [t("system.sync_half"), ms(journal.fsync_us_p50)], [t("system.sync_most"), ms(journal.fsync_us_p99)], journal.lost > 0 && [t("system.lost"), html`<b>${count(journal.lost)}</b>`],
      engine && [t("system.checkpoint"), bytes(engine.since_checkpoint_bytes)]]} /></section>
    <${Storage} storage=${system.storage ?? {}} kept=${system.retention} holds=${system.holds ?? 0} />
    <${Damage} damage=${system.damage} />
    <${Backups} backup=${system.backup} again=${again} />
    <${Certificates} list=${system.certificates ?? []} />
    <section class="panel"><h2>${t("system.held")}</h2><${Pairs} list=${[[t("system.unread"), counters.dead_letters ? letters(counters.dead_letters) : t("system.no_letters_yet")], [word("counter", "refused"), isRole("it") && counters.refused ? html`<a href="/devices?view=refused">${count(counters.refused)}</a>` : count(counters.refused)],
      system.quarantined !== undefined && [t("system.quarantined"), t("system.quarantined_n", { n: system.quarantined })], screens && [t("system.sign_ins_refused"), count(screens.sign_ins_refused)], screens && [t("system.faults"), count(screens.faults)]]} /></section>
    <section class="panel"><h2>${t("system.counters")}</h2><${Pairs} list=${Object.entries(counters).map(([name, n]) => [word("counter", name), count(n)])} /></section>
    <section class="panel"><h2>${t("system.about")}</h2><${Pairs} list=${[[t("system.version"), system.version], [t("system.started"), system.started_at && when(system.started_at, now())], [t("system.uptime"), span(system.uptime_s * 1000)], [t("system.org"), session.value.org?.name]]} />
      <p class="small faint">${session.value.product?.intended_use ?? t("sign_in.not_a_device")}</p></section>
  </div>`;
}

/** Each part of the data as a share of the disk; how long the rest lasts, if all of it goes on growing and being thinned as it was. */
function Storage({ storage, kept, holds }) {
  const { total_bytes: total, free_bytes: free } = storage;
  if (!total) return html`<section class="panel"><h2>${t("system.storage")}</h2><p class="small dim">${t("system.no_room")}</p></section>`;
  const parts = [["system.journal", storage.journal_bytes], ["system.series", storage.series_bytes], ["system.records", storage.records_bytes]];
  const lasts = storage.full_in_s;
  return html`<section class="panel" data-storage=${storage.used_percent}><h2>${t("system.storage")}</h2>
    <ul class="lines">${parts.map(([name, size]) => html`<li key=${name}><div class="row"><span class="grow">${t(name)}</span><span>${bytes(size)}</span></div><${Share} part=${size / total} /></li>`)}</ul>
    <p class="small dim">${t("system.free", { free: bytes(free), total: bytes(total) })}${storage.used_percent === undefined ? "" : `, ${t("system.used", { n: storage.used_percent })}`}${lasts ? `, ${t("system.full_in", { span: span(lasts * 1000) })}` : ""}</p>
    ${storage.alarm && html`<p class="strong" data-disk-alarm=${storage.alarm}>${t(`banner.disk_${storage.alarm}`, { n: storage.used_percent })} ${t("system.disk_since", { at: when(storage.alarm_since, now()) })}</p>`}
    ${kept?.blocks > 0 && html`<p class="small dim" data-thinned=${kept.blocks}>${t("system.thinned", { n: count(kept.blocks), size: bytes(kept.saved_bytes) })}, ${day(kept.oldest_at, now())} – ${day(kept.newest_at, now())}</p>`}
    ${kept?.faults > 0 && html`<p class="strong">${t("system.thinned_faults", { n: count(kept.faults) })}</p>`}
    ${kept?.over_bytes > 0 && html`<p class="strong">${t("system.thinning_over", { size: bytes(kept.over_bytes) })}</p>`}
    ${kept?.problem && html`<p class="strong">${t("system.thinning_failed", { why: kept.problem })}</p>`}
    ${holds > 0 && html`<p class="small dim" data-holds=${holds}>${t("system.holds", { n: holds })}</p>`}</section>`;
}

const Share = ({ part }) => html`<svg class="share" width="100%" height="4" viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true"><rect class="bar-most" width="100" height="4" /><rect class="bar-half" width=${Math.min(100, Math.max(0.5, part * 100))} height="4" /></svg>`;

function Certificates({ list }) {
  const at = now();
  return html`<section class="panel"><h2>${t("system.certificates")}</h2>
    ${list.length === 0 && html`<p class="small dim">${t("system.certificates_good")}</p>`}
    <ul class="lines">${list.map((it) => html`<li key=${it.device} class="row" data-certificate=${it.label} data-ended=${it.has_ended ? "" : undefined}><a class="grow clip" href=${`/devices?open=${it.device}`}>${it.label}</a>
      <span class=${it.has_ended ? "chip loud" : "small faint"}>${it.has_ended ? t("system.certificates_ended", { at: day(it.not_after, at) }) : t("system.certificates_ends", { span: span(millis(it.not_after) - at) })}</span></li>`)}</ul></section>`;
}
