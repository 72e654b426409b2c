/** How long each part of the way takes: half of all, and ninety-nine of a hundred. */
import { html } from "../html.js";
import { fixed } from "../format/number.js";
import { t, word } from "../i18n/words.js";

/** Names such as `receive_to_durable_ms_p50`, put together by what they measure. */
function grouped(latencies) {
  const rows = new Map();
  for (const [name, value] of Object.entries(latencies)) {
    const found = /^(.*)_ms_(p\d+)$/.exec(name);
    if (!found) continue;
    const row = rows.get(found[1]) ?? {};
    row[found[2]] = value;
    rows.set(found[1], row);
  }
  return [...rows];
}

const text = (ms) => (ms === null || ms === undefined ? t("system.no_figure") : t("system.ms", { ms: ms < 10 ? fixed(ms, 1) : Math.round(ms) }));

export function Latencies({ latencies }) {
  const rows = grouped(latencies);
  if (rows.length === 0) return null;
  const most = Math.max(...rows.map(([, r]) => r.p99 ?? r.p50 ?? 0), 1e-9);
  return html`<section class="panel" aria-label=${t("system.latencies")}>
    <div class="row wrap"><h2 class="grow">${t("system.latencies")}</h2><span class="small faint">${t("system.late_rule")}</span></div>
    <table class="latencies"><thead><tr><th>${t("system.part")}</th><th class="num">${t("system.half")}</th><th class="num">${t("system.most")}</th><th class="bar-cell"><span class="hidden">${t("system.compared")}</span></th></tr></thead>
      <tbody>${rows.map(([name, row]) => html`<tr key=${name}><td>${word("latency", name)}</td><td class="num strong">${text(row.p50)}</td><td class="num">${text(row.p99)}</td>
        <td class="bar-cell"><svg width="100%" height="10" preserveAspectRatio="none" viewBox="0 0 100 10" aria-hidden="true"><rect class="bar-most" width=${(100 * (row.p99 ?? 0)) / most} height="10" /><rect class="bar-half" width=${(100 * (row.p50 ?? 0)) / most} height="10" /></svg></td></tr>`)}</tbody></table>
  </section>`;
}
