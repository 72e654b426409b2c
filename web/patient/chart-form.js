/** What a nurse observes and no device measures: consciousness, oxygen, breaths counted. Saving completes the score in front of the eyes. */
import { html, useState } from "../html.js";
import { Choice, Field } from "../components/field.js";
import { Segments } from "../components/segments.js";
import { sayProblem } from "../components/state-panel.js";
import { now } from "../feed/clock.js";
import { hhmm } from "../format/time.js";
import { t } from "../i18n/words.js";

const LEVELS = ["alert", "new_confusion", "voice", "pain", "unresponsive"];
const GIVEN_BY = ["nasal_cannula", "simple_mask", "venturi_mask", "reservoir_mask", "high_flow", "cpap", "other"];
const BREATHS_MAX = 120,
  FLOW_MAX = 80;
const BLANK = { consciousness: null, air: null, flow: "", by: "nasal_cannula", breaths: "", note: "" };

/** What the form says as the server wants it, or the sentence that says what is wrong. */
function observed(form) {
  const result = {};
  if (form.consciousness) result.consciousness = form.consciousness;
  if (form.air === "air") result.oxygen = { kind: "air" };
  if (form.air === "added") {
    const flow = form.flow === "" ? null : Number(form.flow.replace(",", "."));
    if (flow !== null && !(flow > 0 && flow <= FLOW_MAX)) return [null, t("chart.flow_range", { max: FLOW_MAX })];
    result.oxygen = { kind: "added", by: form.by, ...(flow === null ? {} : { flow_l_per_min: flow }) };
  }
  if (form.breaths !== "") {
    const breaths = Number(form.breaths);
    if (!Number.isInteger(breaths) || breaths < 0 || breaths > BREATHS_MAX) return [null, t("chart.breaths_range", { max: BREATHS_MAX })];
    result.breaths_per_min = breaths;
  }
  if (Object.keys(result).length === 0) return [null, t("chart.nothing")];
  if (form.note.trim()) result.note = form.note.trim();
  return [result, ""];
}

export function ChartForm({ page, save }) {
  const [form, setForm] = useState(BLANK),
    [said, say] = useState(""),
    [busy, setBusy] = useState(false);
  const change = (name) => (value) => setForm({ ...form, [name]: value });
  const typed = (name) => (event) => change(name)(event.target.value);
  const missing = page.news2?.missing ?? [];
  const monitor = page.numerics.find((n) => n.vital === "respiratory_rate");
  const submit = async (event) => {
    event.preventDefault();
    const [body, wrong] = observed(form);
    if (wrong) return say(wrong);
    setBusy(true);
    try {
      await save(body);
      setForm(BLANK);
      say(t("chart.saved", { at: hhmm(now()) }));
    } catch (problem) {
      say(sayProblem(problem));
    }
    return setBusy(false);
  };
  const where = page.bed ? t("chart.save_for_bed", { bed: page.bed.name }) : t("chart.save");
  return html`<form class="panel chart" aria-label=${t("chart.title")} onSubmit=${submit}>
    <h2>${t("chart.title")}</h2>
    <fieldset><legend class="label">${t("chart.consciousness")}</legend>
      <${Segments} label=${t("chart.consciousness")} options=${LEVELS.map((l) => [l, t(`consciousness.${l}`)])} chosen=${form.consciousness} act=${change("consciousness")} /></fieldset>
    <fieldset><legend class="label">${t("chart.oxygen")}</legend>
      <${Segments} label=${t("chart.oxygen")} options=${[["air", t("oxygen.air")], ["added", t("oxygen.added")]]} chosen=${form.air} act=${change("air")} /></fieldset>
    ${form.air === "added" && html`<div class="pair">
      <${Field} label=${t("chart.flow")}><input inputmode="decimal" value=${form.flow} onInput=${typed("flow")} /></${Field}>
      <${Choice} label=${t("chart.given_by")} value=${form.by} options=${GIVEN_BY.map((by) => [by, t(`oxygen.${by}`)])} act=${change("by")} />
    </div>`}
    <div class="pair">
      <${Field} label=${t("chart.breaths")}><input inputmode="numeric" value=${form.breaths} onInput=${typed("breaths")} placeholder=${monitor?.text ? t("chart.monitor_says", { value: monitor.text }) : ""} /></${Field}>
      <${Field} label=${t("chart.note")}><input value=${form.note} onInput=${typed("note")} maxlength="500" /></${Field}>
    </div>
    <div class="row wrap"><button class="primary" type="submit" disabled=${busy}>${where}</button>
      <span class="small dim grow" role="status">${said || (missing.includes("consciousness") ? t("chart.consciousness_missing") : "")}</span></div>
  </form>`;
}
