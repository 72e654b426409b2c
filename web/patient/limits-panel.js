/** The personal limits: which number alarms below and above what, after which delay, how urgently; and a form that changes them. */
import { html, useState } from "../html.js";
import { sayProblem } from "../components/state-panel.js";
import { now } from "../feed/clock.js";
import { number, typed } from "../format/number.js";
import { when } from "../format/time.js";
import { entered, shown } from "../format/units.js";
import { fullName, unit } from "../format/vital.js";
import { t } from "../i18n/words.js";
import { isRole } from "../shell/role.js";
import { LimitSide } from "./limit-side.js";

export const bound = (vital, side, sign) => (side ? `${sign} ${number(shown(vital, side.limit))}` : "–");

export function LimitsPanel({ page, save, clear }) {
  const [open, setOpen] = useState(null);
  const sets = page.limits ?? [];
  const may = !isRole("it");
  return html`<section class="limits" aria-label=${t("limits.title")}>
    ${sets.length === 0 && html`<p class="small dim">${t("limits.none")}</p>`}
    <ul class="lines">${sets.map((set) => html`<li key=${set.vital}>
      <div class="row"><span class="grow">${fullName(set.vital)} <span class="faint small">${unit(set.vital, set.unit)}</span><${From} from=${set.from} /></span>
        <b>${bound(set.vital, set.low, "<")}</b><b>${bound(set.vital, set.high, ">")}</b>
        <button type="button" class="plain" disabled=${!may} aria-expanded=${String(open === set.vital)} aria-label=${t("limits.change_of", { name: fullName(set.vital) })}
          onClick=${() => setOpen(open === set.vital ? null : set.vital)}>${t("act.change")}</button></div>
      ${open === set.vital && html`<${LimitForm} set=${set} page=${page} close=${() => setOpen(null)} save=${save} clear=${clear} />`}
    </li>`)}</ul>
  </section>`;
}

/** Whose limits these are, and who set them when. */
function From({ from }) {
  if (!from) return null;
  const whose = [t(`limits.from.${from.layer}`, { unit: from.care_unit?.name ?? "" }), from.band && t(`band.${from.band}`)].filter(Boolean).join(", ");
  return html`<span class="small faint limit-from">${from.by ? t("limits.set_by", { whose, name: from.by, at: from.at ? when(from.at, now()) : "" }) : whose}</span>`;
}

/** A side as the form holds it, in the reader's unit and language. */
export const asForm = (vital, side) => (side ? { on: true, limit: number(shown(vital, side.limit)), clears_at: number(shown(vital, side.clears_at ?? side.limit)), delay_s: String(side.delay_s ?? 10), priority: side.priority ?? "medium" } : { on: false, limit: "", clears_at: "", delay_s: "10", priority: "medium" });

/** A side as the server wants it, `null` when it is off, or nothing when a number is not one. */
export function asLimit(vital, side) {
  if (!side.on) return null;
  const limit = entered(vital, typed(side.limit)),
    clears = entered(vital, typed(side.clears_at === "" ? side.limit : side.clears_at)),
    delay = typed(side.delay_s);
  if (side.limit === "" || ![limit, clears, delay].every(Number.isFinite) || delay < 0) return undefined;
  return { limit, clears_at: clears, delay_s: delay, priority: side.priority };
}

function LimitForm({ set, page, close, save, clear }) {
  const [low, setLow] = useState(asForm(set.vital, set.low)),
    [high, setHigh] = useState(asForm(set.vital, set.high)),
    [said, say] = useState(""),
    [busy, setBusy] = useState(false);
  const asUnit = () => clear(set.vital).then(close, (problem) => say(sayProblem(problem)));
  const submit = async (event) => {
    event.preventDefault();
    const limits = { low: asLimit(set.vital, low), high: asLimit(set.vital, high) };
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
    <div class="row wrap"><button class="primary" disabled=${busy}>${whose}</button>${set.from?.layer === "patient" && clear && html`<button type="button" data-clear disabled=${busy} onClick=${asUnit}>${t("settings.clear")}</button>`}<button type="button" class="plain" onClick=${close}>${t("act.cancel")}</button><span class="small" role="alert">${said}</span></div>
  </form>`;
}
