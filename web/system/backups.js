/** Backups: how old the newest is, whether it was ever restored, and both at one click for whoever looks after the server. */
import { html, useState } from "../html.js";
import { backUp, rehearse } from "../api/act.js";
import { Pairs } from "../components/drawer.js";
import { sayProblem } from "../components/state-panel.js";
import { now } from "../feed/clock.js";
import { ms, span, when } from "../format/time.js";
import { t } from "../i18n/words.js";
import { isRole } from "../shell/role.js";
import { bytes, count } from "./quantity.js";

const ago = (at) => t("time.ago", { span: span(Math.max(0, now() - ms(at))) });

export function Backups({ backup, again }) {
  const [said, setSaid] = useState("");
  if (!backup) return html`<section class="panel" data-backups="none"><h2>${t("system.backups")}</h2><p class="small dim">${t("system.backups_nowhere")}</p></section>`;
  const act = (deed) => () => { setSaid(""); deed().then(again, (problem) => setSaid(sayProblem(problem))); };
  const busy = Boolean(backup.under_way);
  return html`<section class="panel" data-backups=${backup.count} data-rehearsed=${backup.rehearsed_of ?? undefined}><h2>${t("system.backups")}</h2>
    <${Pairs} list=${[
      [t("system.backup_last"), backup.last_at ? html`<b>${ago(backup.last_at)}</b>` : t("system.backup_none")],
      backup.last_at && [t("system.backup_of"), when(backup.last_at, now())],
      backup.last_at && [t("system.size"), bytes(backup.last_bytes)],
      [t("system.backups_kept"), count(backup.count)],
      [t("system.rehearsed"), backup.rehearsed_at ? ago(backup.rehearsed_at) : html`<b>${t("system.rehearsed_never")}</b>`],
      backup.problem && [t("system.backup_problem"), html`<b>${backup.problem}</b>`],
    ]} />
    ${isRole("it") && html`<div class="row wrap"><button type="button" disabled=${busy} data-back-up onClick=${act(backUp)}>${t("system.back_up")}</button>
      <button type="button" disabled=${busy || !backup.last_at} data-rehearse onClick=${act(rehearse)}>${t("system.rehearse")}</button></div>`}
    <p class="small dim" role="status">${busy ? t(`system.under_way_${backup.under_way}`) : ""}</p>${said && html`<p class="small" role="alert">${said}</p>`}</section>`;
}
