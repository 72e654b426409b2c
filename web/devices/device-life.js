/** The life of a device, told from today backwards: who moved it, on whom it was, its certificates and commands. */
import { html, useEffect, useState } from "../html.js";
import { get, query } from "../api/http.js";
import { Life } from "../components/drawer.js";
import { now } from "../feed/clock.js";
import { when } from "../format/time.js";
import { has, t } from "../i18n/words.js";

const PAGE = 12;

const by = (line) => line.by.full_name ?? line.by.name ?? t("device_life.by_itself");

function told(line) {
  const what = has(`device_life.${line.what}`) ? t(`device_life.${line.what}`, { detail: line.detail ?? "", patient: line.patient?.name ?? t("device_life.a_patient"), place: line.place?.name ?? "" }) : line.what.replaceAll("_", " ");
  const reason = ["quarantined", "retired", "in_service", "provisioned", "ordered"].includes(line.what) && line.detail ? ` ${t("device_life.because", { why: line.detail })}` : "";
  return `${what}${reason}`;
}

export function DeviceLife({ device, changed }) {
  const [page, setPage] = useState(null);
  const load = (cursor, before) => get(`/devices/${device}/life${query({ limit: PAGE, cursor })}`).then((p) => setPage({ items: [...before, ...p.items], next: p.next }), () => {});
  useEffect(() => {
    load(null, []);
  }, [device, changed]);
  if (!page) return null;
  return html`<section data-life><h3>${t("devices.life")}</h3>
    ${page.items.length === 0 ? html`<p class="small dim">${t("device_life.none")}</p>` : html`<${Life} events=${page.items.map((line) => ({ at: when(line.at, now()), kind: line.by_person ? "person" : "machine", text: told(line), proof: by(line) }))} />`}
    ${page.next && html`<button type="button" onClick=${() => load(page.next, page.items)}>${t("act.more")}</button>`}</section>`;
}
