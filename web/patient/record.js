/** Below the present: the patient's record in tabs. Which of them is open stands in the address. */
import { html } from "../html.js";
import { Tabs } from "../components/tabs.js";
import { t } from "../i18n/words.js";
import { params, set } from "../router.js";
import { ChartedList } from "./charted-list.js";
import { DeviceList } from "./device-list.js";
import { DosePanel } from "./dose-panel.js";
import { InvitePatient } from "../self/invite-patient.js";
import { LimitsPanel } from "./limits-panel.js";
import { Timeline } from "./timeline.js";

export function Record({ page, setLimits, clearLimits, planDose, clearDose, standing }) {
  const tabs = [["timeline", t("timeline.title")], ["limits", t("limits.title")], ["charted", t("chart.charted"), page.charting?.length], ["medication", t("dose.tab"), page.next_dose ? 1 : 0], ["devices", t("patient.devices"), page.devices?.length], ["sharing", t("patient.sharing")]];
  const asked = params.value.get("tab"),
    chosen = tabs.some(([name]) => name === asked) ? asked : tabs[0][0];
  const changed = `${standing}/${page.charting?.[0]?.written_at ?? ""}/${(page.devices ?? []).length}`;
  return html`<${Tabs} id="record" label=${t("patient.record")} tabs=${tabs} chosen=${chosen} act=${(name) => set({ tab: name === tabs[0][0] ? null : name })}>
    ${chosen === "timeline" && html`<${Timeline} id=${page.patient.id} changed=${changed} />`}
    ${chosen === "limits" && html`<${LimitsPanel} page=${page} save=${setLimits} clear=${clearLimits} />`}
    ${chosen === "charted" && html`<${ChartedList} charting=${page.charting ?? []} />`}
    ${chosen === "medication" && html`<${DosePanel} page=${page} plan=${planDose} clear=${clearDose} />`}
    ${chosen === "devices" && html`<${DeviceList} devices=${page.devices ?? []} />`}
    ${chosen === "sharing" && html`<${InvitePatient} patient=${page.patient.id} />`}
  </${Tabs}>`;
}
