/** One patient: identity first, live signals and numbers left, the story right, then the score with its inputs, charting, alarms and limits. */
import { html, useEffect, useState } from "../html.js";
import * as act from "../api/act.js";
import { get, query } from "../api/http.js";
import { Failed, Loading } from "../components/state-panel.js";
import { byUrgency, alarms as live, board, closedPage, dropped, patient as shown } from "../feed/state.js";
import { heard } from "../feed/clock.js";
import { fill } from "../feed/past.js";
import { t } from "../i18n/words.js";
import { route } from "../router.js";
import { answer } from "../alarms/answering.js";
import { undoable } from "../shell/undo.js";
import { fullName } from "../format/vital.js";
import { Closed, isClosed } from "../emergency/closed.js";
import { OpenFor } from "../emergency/open-for.js";
import { AlarmList } from "./alarm-list.js";
import { ChartForm } from "./chart-form.js";
import { Identity } from "./identity.js";
import { Lanes } from "./lanes.js";
import { StillOn } from "./leaving.js";
import { News2Panel } from "./news2-panel.js";
import { Numbers } from "./numbers.js";
import { Record } from "./record.js";
import { useScoreStory } from "./score-story.js";
import { Standing } from "./standing.js";
import { Trends } from "./trends.js";

/** Long enough for the widest lane. */
const PREFILL_MS = 30_000;

export function Patient() {
  const { id } = route.value;
  const [problem, setProblem] = useState(null);
  const load = async () => {
    try {
      const page = await get(`/patients/${id}`);
      heard(page.now ? Date.parse(page.now) : NaN);
      if (route.peek().id !== id) return;
      if (shown.peek()?.patient.id !== id) prefill(page);
      shown.value = page;
      closedPage.value = null;
      setProblem(null);
    } catch (caught) {
      if (isClosed(caught)) {
        closedPage.value = id;
        shown.value = null;
      }
      setProblem(caught);
    }
  };
  // A fresh picture of the unit means that the old one could not be continued; this page is then as old as that.
  const picture = board.value;
  useEffect(() => {
    load();
  }, [id, picture]);
  const lack = dropped.value;
  useEffect(() => {
    if (!lack || !shown.peek()) return undefined;
    return prefill(shown.peek());
  }, [lack]);
  useEffect(() => () => {
    shown.value = null;
    closedPage.value = null;
  }, [id]);
  const page = shown.value?.patient.id === id ? shown.value : null;
  const name = page ? `${page.patient.given_name} ${page.patient.family_name}` : "";
  useEffect(() => {
    document.title = t("title", { screen: name ? t("patient.title", { name, bed: page.bed?.name ?? "" }) : t("screen.patient") });
  }, [name]);
  if (isClosed(problem)) return html`<${Closed} key=${id} patient=${id} then=${load} />`;
  if (problem && !page) return html`<${Failed} problem=${problem} again=${load} what=${t("patient.the_page")} />`;
  if (!page) return html`<${Loading} />`;
  return html`<${Page} page=${page} name=${name} load=${load} />`;
}

const prefill = (page) => fill(page.waves.map((w) => ({ patient: page.patient.id, device: w.device, channel: w.channel })), PREFILL_MS);

/** The alarms that are over; asked again when one more has ended. */
function usePast(id, unit, standing) {
  const [past, setPast] = useState([]);
  useEffect(() => {
    if (!unit) return;
    get(`/alarms${query({ scope: "care_unit", care_unit: unit, patient: id, state: "ended", limit: 200 })}`)
      .then((list) => setPast(list.items.filter((a) => a.patient === id)), () => setPast([]));
  }, [id, unit, standing]);
  return past;
}

const merged = (fresh, past) => [...fresh, ...past.filter((a) => !fresh.some((f) => f.id === a.id))];

function Page({ page, name, load }) {
  const { patient } = page;
  const mine = page.alarms.map((a) => live.value.get(a.id) ?? a);
  const standing = mine.filter((a) => a.state !== "ended").sort(byUrgency);
  const after = async (deed) => {
    await deed;
    await load();
  };
  const asWas = (text, deed) => undoable(text, () => after(deed()), t("undo.as_was"));
  const setNurse = async (staff) => {
    const before = page.nurse?.id ?? null;
    await after(act.setNurse(page.bed.id, staff));
    asWas(t("undo.nurse", { bed: page.bed.name }), () => act.setNurse(page.bed.id, before));
  };
  const setScale = async (scale) => {
    const before = patient.spo2_scale;
    await after(act.setScale(patient.id, scale));
    asWas(t("undo.scale", { scale, name }), () => act.setScale(patient.id, before));
  };
  const setLimits = async (vital, limits) => {
    const { low, high, is_default: usual } = page.limits.find((l) => l.vital === vital);
    await after(act.setLimits(patient.id, vital, limits));
    asWas(t("undo.limits", { vital: fullName(vital), name }), () => (usual ? act.clearLimits(patient.id, vital) : act.setLimits(patient.id, vital, { low, high })));
  };
  const clearLimits = async (vital) => {
    const { low, high } = page.limits.find((l) => l.vital === vital);
    await after(act.clearLimits(patient.id, vital));
    asWas(t("undo.limits", { vital: fullName(vital), name }), () => act.setLimits(patient.id, vital, { low, high }));
  };
  const past = usePast(patient.id, page.care_unit?.id, standing.length),
    story = useScoreStory(patient.id);
  return html`<div class="patient" data-patient=${patient.id}>
    ${page.open_until && html`<${OpenFor} until=${page.open_until} close=${load} />`}
    <${Identity} page=${page} name=${name} setNurse=${setNurse} setScale=${setScale} moved=${load} />
    <${StillOn} page=${page} name=${name} takeOff=${(device) => after(act.associate(device, null))} />
    ${standing.map((alarm) => html`<${Standing} key=${alarm.id} alarm=${alarm} answer=${answer} />`)}
    <div class="now">
      <div class="live">
        <${Lanes} waves=${page.waves} name=${name} />
        <${Numbers} numerics=${page.numerics} />
      </div>
      <${Trends} id=${patient.id} numerics=${page.numerics} limits=${page.limits} />
    </div>
    <div class="below">
      <${News2Panel} news2=${page.news2} story=${story} />
      <${ChartForm} page=${page} save=${(observed) => after(act.chart(patient.id, observed))} />
      <${AlarmList} alarms=${merged(mine, past)} />
    </div>
    <${Record} page=${page} setLimits=${setLimits} clearLimits=${clearLimits} planDose=${(words, due) => after(act.planDose(patient.id, words, due))} clearDose=${() => after(act.clearDose(patient.id))} standing=${standing.map((a) => a.id).join()} />
  </div>`;
}
