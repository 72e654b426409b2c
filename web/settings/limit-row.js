/** The limits of one number for one age: what holds, whose it is, and the form that changes it. */
import { html, useState } from "../html.js";
import { sayProblem } from "../components/state-panel.js";
import { now } from "../feed/clock.js";
import { when } from "../format/time.js";
import { fullName, unit as unitOf } from "../format/vital.js";
import { t } from "../i18n/words.js";
import { LimitSide } from "../patient/limit-side.js";
import { asForm, asLimit, bound } from "../patient/limits-panel.js";

const COLUMNS = 5;

const Bound = ({ vital, side, sign }) => (side ? html`<b title=${t("settings.sounds", { s: side.delay_s, priority: t(`priority.${side.priority}`) })}>${bound(vital, side, sign)}</b>` : html`<span class="faint">${t("settings.not_set")}</span>`);

/** From where: somebody of the unit with the time, all ages, or the program. */
function From({ found }) {
  if (!found || found.layer === "built_in") return html`<span class="faint">${t("settings.built_in")}</span>`;
  const { from } = found.set,
    who = t("settings.set_by", { name: from.by ?? "", at: from.at ? when(from.at, now()) : "" });
  return found.layer === "all" ? html`<span class="dim">${t("settings.from_all")}</span> <span class="small faint">${who}</span>` : html`<span>${who}</span>`;
}

export function LimitRow({ vital, found, band, unit, may, open, toggle, save, clear }) {
  const own = found?.layer === "own";
  return html`<tr data-vital=${vital} data-layer=${found?.layer ?? "none"}>
      <td class="full"><b>${fullName(vital)}</b> <span class="small faint">${unitOf(vital)}</span></td>
      <td class="num"><${Bound} vital=${vital} side=${found?.set.low} sign="<" /></td><td class="num"><${Bound} vital=${vital} side=${found?.set.high} sign=">" /></td>
      <td><${From} found=${found} /></td>
      <td class="acts"><button type="button" class="plain" disabled=${!may} title=${may ? undefined : t("settings.refused")} aria-expanded=${String(open)} aria-label=${t("limits.change_of", { name: fullName(vital) })} onClick=${toggle}>${t("act.change")}</button></td>
    </tr>
    ${open && may && html`<tr class="form-row"><td colspan=${COLUMNS}><${LimitForm} vital=${vital} set=${found?.set} own=${own} band=${band} unit=${unit} close=${toggle} save=${save} clear=${clear} /></td></tr>`}`;
}

function LimitForm({ vital, set, own, band, unit, close, save, clear }) {
  const [low, setLow] = useState(asForm(vital, set?.low)),
    [high, setHigh] = useState(asForm(vital, set?.high)),
    [said, say] = useState(""),
    [busy, setBusy] = useState(false);
  const attempt = async (deed) => {
    setBusy(true);
    try {
      await deed();
      return close();
    } catch (problem) {
      say(sayProblem(problem));
    }
    return setBusy(false);
  };
  const submit = (event) => {
    event.preventDefault();
    const wanted = { low: asLimit(vital, low), high: asLimit(vital, high) };
    if (wanted.low === undefined || wanted.high === undefined) return say(t("limits.not_numbers"));
    if (wanted.low && wanted.high && wanted.low.limit >= wanted.high.limit) return say(t("limits.crossed"));
    return attempt(() => save(vital, wanted));
  };
  return html`<form class="stack limit-form" onSubmit=${submit} aria-label=${t("limits.change_of", { name: fullName(vital) })}>
    <${LimitSide} name=${t("limits.low")} side=${low} change=${setLow} unit=${unitOf(vital)} />
    <${LimitSide} name=${t("limits.high")} side=${high} change=${setHigh} unit=${unitOf(vital)} />
    <div class="row wrap"><button class="primary" type="submit" disabled=${busy}>${t("settings.save", { unit, band: t(`band.${band ?? "all"}`) })}</button>
      ${own && html`<button type="button" disabled=${busy} onClick=${() => attempt(() => clear(vital))}>${t("settings.clear")}</button>`}
      <button type="button" class="plain" onClick=${close}>${t("act.cancel")}</button><span class="small" role="alert">${said}</span></div>
  </form>`;
}
