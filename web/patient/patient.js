/** One patient: identity first, live signals and numbers left, the story right, then the score with its inputs, charting, alarms and limits. */
import { html, useEffect, useState } from "../html.js";
import * as act from "../api/act.js";
import { get, query } from "../api/http.js";
import { Failed, Loading } from "../components/state-panel.js";
import { byUrgency, alarms as live, board, dropped, patient as shown, takeAlarms } from "../feed/state.js";
import { heard, now } from "../feed/clock.js";
import * as waves from "../feed/waves.js";
import { t } from "../i18n/words.js";
import { route } from "../router.js";
import { AlarmList } from "./alarm-list.js";
import { ChartForm } from "./chart-form.js";
import { ChartedList } from "./charted-list.js";
import { DeviceList } from "./device-list.js";
import { Identity } from "./identity.js";
import { Lanes } from "./lanes.js";
import { LimitsPanel } from "./limits-panel.js";
import { News2Panel } from "./news2-panel.js";
import { Numbers } from "./numbers.js";
import { Standing } from "./standing.js";
import { Trends } from "./trends.js";

/** Long enough for the widest lane. */
const PREFILL_MS = 15_000;
/** The record is readable a moment after the feed has shown it; by then the seam between the two can be closed. */
const PREFILL_AGAIN_MS = 3000;

export function Patient() {
  const { id } = route.value;
  const [problem, setProblem] = useState(null);
  const load = async () => {
    try {
      const page = await get(`/patients/${id}`);
      heard(page.now ? Date.parse(page.now) : NaN);
      if (route.peek().id !== id) return;
      if (shown.peek()?.patient.id !== id) {
        prefill(page);
        setTimeout(prefill, PREFILL_AGAIN_MS, page);
      }
      shown.value = page;
      setProblem(null);
    } catch (caught) {
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
    const timer = setTimeout(prefill, PREFILL_AGAIN_MS, shown.peek());
    return () => clearTimeout(timer);
  }, [lack]);
  useEffect(() => () => {
    shown.value = null;
  }, [id]);
  const page = shown.value?.patient.id === id ? shown.value : null;
  const name = page ? `${page.patient.given_name} ${page.patient.family_name}` : "";
  useEffect(() => {
    document.title = t("title", { screen: name ? t("patient.title", { name, bed: page.bed?.name ?? "" }) : t("screen.patient") });
  }, [name]);
  if (problem && !page) return html`<${Failed} problem=${problem} again=${load} what=${t("patient.the_page")} />`;
  if (!page) return html`<${Loading} />`;
  return html`<${Page} page=${page} name=${name} load=${load} />`;
}

/** What the lanes show before the feed's first block: the last seconds of the record. */
async function prefill(page) {
  const to = now(),
    from = to - PREFILL_MS;
  await Promise.all(page.waves.map(async (w) => {
    const answer = await get(`/patients/${page.patient.id}/waves${query({ channel: w.channel, from: new Date(from).toISOString(), to: new Date(to).toISOString() })}`).catch(() => null);
    if (answer) waves.prefill(waves.key(w.device, w.channel), answer.spans);
  }));
}

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
  const past = usePast(patient.id, page.care_unit?.id, standing.length);
  const answer = async (alarm, seconds) => takeAlarms([await act.acknowledge(alarm.id, seconds)]);
  return html`<div class="patient" data-patient=${patient.id}>
    <${Identity} page=${page} name=${name} setNurse=${(staff) => after(act.setNurse(page.bed.id, staff))} setScale=${(scale) => after(act.setScale(patient.id, scale))} />
    ${standing.map((alarm) => html`<${Standing} key=${alarm.id} alarm=${alarm} answer=${answer} />`)}
    <div class="now">
      <div class="live">
        <${Lanes} waves=${page.waves} name=${name} />
        <${Numbers} numerics=${page.numerics} />
      </div>
      <${Trends} id=${patient.id} numerics=${page.numerics} limits=${page.limits} />
    </div>
    <div class="below">
      <${News2Panel} news2=${page.news2} />
      <${ChartForm} page=${page} save=${(observed) => after(act.chart(patient.id, observed))} />
      <${AlarmList} alarms=${merged(mine, past)} />
      <${LimitsPanel} page=${page} save=${(vital, limits) => after(act.setLimits(patient.id, vital, limits))} />
      <${ChartedList} charting=${page.charting ?? []} />
      <${DeviceList} devices=${page.devices ?? []} />
    </div>
  </div>`;
}
