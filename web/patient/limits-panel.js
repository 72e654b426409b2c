/** The personal limits: which number alarms below and above what, after which delay, how urgently; and a form that changes them. */
import { html, useState } from "../html.js";
import { sayProblem } from "../components/state-panel.js";
import { fullName, unit } from "../format/vital.js";
import { t } from "../i18n/words.js";
import { isRole } from "../shell/role.js";
import { LimitSide } from "./limit-side.js";

const bound = (side, sign) => (side ? `${sign} ${side.limit}` : "–");

export function LimitsPanel({ page, save }) {
  const [open, setOpen] = useState(null);
  const sets = page.limits ?? [];
  const may = !isRole("it");
  return html`<section class="panel limits" aria-label=${t("limits.title")}>
    <h2>${t("limits.title")}</h2>
    ${sets.length === 0 && html`<p class="small dim">${t("limits.none")}</p>`}
    <ul class="lines">${sets.map((set) => html`<li key=${set.vital}>
      <div class="row"><span class="grow">${fullName(set.vital)} <span class="faint small">${unit(set.vital, set.unit)}</span></span>
        <b>${bound(set.low, "<")}</b><b>${bound(set.high, ">")}</b>
        <button type="button" class="plain" disabled=${!may} aria-expanded=${String(open === set.vital)} aria-label=${t("limits.change_of", { name: fullName(set.vital) })}
          onClick=${() => setOpen(open === set.vital ? null : set.vital)}>${t("act.change")}</button></div>
      ${open === set.vital && html`<${LimitForm} set=${set} page=${page} close=${() => setOpen(null)} save=${save} />`}
    </li>`)}</ul>
  </section>`;
}

const asForm = (side) => (side ? { on: true, limit: String(side.limit), clears_at: String(side.clears_at ?? side.limit), delay_s: String(side.delay_s ?? 10), priority: side.priority ?? "medium" } : { on: false, limit: "", clears_at: "", delay_s: "10", priority: "medium" });

/** A side as the server wants it, `null` when it is off, or nothing when a number is not one. */
function asLimit(side) {
  if (!side.on) return null;
  const limit = Number(side.limit),
    clears = Number(side.clears_at === "" ? side.limit : side.clears_at),
    delay = Number(side.delay_s);
  if (side.limit === "" || ![limit, clears, delay].every(Number.isFinite) || delay < 0) return undefined;
  return { limit, clears_at: clears, delay_s: delay, priority: side.priority };
}

function LimitForm({ set, page, close, save }) {
  const [low, setLow] = useState(asForm(set.low)),
    [high, setHigh] = useState(asForm(set.high)),
    [said, say] = useState(""),
    [busy, setBusy] = useState(false);
  const submit = async (event) => {
    event.preventDefault();
    const limits = { low: asLimit(low), high: asLimit(high) };
    if (limits.low === undefined || limits.high === undefined) return say(t("limits.not_numbers"));
    if (limits.low && limits.high && limits.low.limit >= limits.high.limit) return say(t("limits.crossed"));
    setBusy(true);
    try {
      await save(set.vital, limits);
      return close();
    } catch (problem) {
      say(sayProblem(problem));
    }
    return setBusy(false);
  };
  const whose = t("limits.save_for", { name: page.patient.family_name, bed: page.bed?.name ?? "" });
  return html`<form class="stack limit-form" onSubmit=${submit} aria-label=${t("limits.change_of", { name: fullName(set.vital) })}>
    <${LimitSide} name=${t("limits.low")} side=${low} change=${setLow} unit=${unit(set.vital, set.unit)} />
    <${LimitSide} name=${t("limits.high")} side=${high} change=${setHigh} unit=${unit(set.vital, set.unit)} />
    <div class="row wrap"><button class="primary" disabled=${busy}>${whose}</button><button type="button" class="plain" onClick=${close}>${t("act.cancel")}</button><span class="small" role="alert">${said}</span></div>
  </form>`;
}
