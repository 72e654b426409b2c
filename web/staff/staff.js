/** Staff: who looks after whom in this shift and what is handed over, the people who work here, and their logins. */
import { html, useEffect } from "../html.js";
import { Segments } from "../components/segments.js";
import { Failed } from "../components/state-panel.js";
import { unit } from "../feed/state.js";
import { t } from "../i18n/words.js";
import { params, set } from "../router.js";
import { isRole, unitName } from "../shell/role.js";
import { Title } from "../shell/shell.js";
import { Logins } from "./logins.js";
import { People } from "./people.js";
import { Shift } from "./shift.js";

/** Those who keep the machines running hold no shift. */
const first = () => (isRole("it") ? "logins" : "shift");

export function Staff() {
  const view = params.value.get("view") ?? first();
  useEffect(() => {
    document.title = t("title", { screen: t("screen.staff") });
  }, []);
  const options = [["shift", t("staff.shift")], ["people", t("staff.list")], ["logins", t("staff.logins")]].filter(([name]) => (name === "logins" ? isRole("it") : name !== "shift" || !isRole("it")));
  return html`<${Title} title=${t("screen.staff")} note=${view === "shift" ? unitName() : ""}>
      <${Segments} label=${t("staff.view")} options=${options} chosen=${view} act=${(v) => set({ view: v === first() ? null : v, open: null })} />
    </${Title}>
    ${view === "shift" && (isRole("it") ? html`<${Failed} problem=${{ status: 403 }} />` : unit.value && html`<${Shift} key=${unit.value.id} unit=${unit.value.id} />`)}
    ${view === "people" && html`<${People} />`}
    ${view === "logins" && (isRole("it") ? html`<${Logins} />` : html`<${Failed} problem=${{ status: 403, detail: t("staff.logins_refused") }} />`)}`;
}
