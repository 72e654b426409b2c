/** Who this is, where, and in whose care: the first thing on the page, so that nobody treats the wrong person. */
import { html, useState } from "../html.js";
import { birth } from "../format/time.js";
import { sexLetter } from "../format/vital.js";
import { t } from "../i18n/words.js";
import { isRole } from "../shell/role.js";
import { Leaving, Where } from "./leaving.js";
import { NurseChoice } from "./nurse-choice.js";
import { Segments } from "../components/segments.js";
import { sayProblem } from "../components/state-panel.js";

const Fact = ({ name, children }) => html`<div class="fact"><span class="label">${name}</span>${children}</div>`;

export function Identity({ page, name, setNurse, setScale, moved }) {
  const { patient, bed, care_unit: unit, nurse, charge } = page;
  const where = bed ? t("patient.where", { bed: bed.name, unit: unit?.name ?? "", room: bed.room ?? "" }) : t("patient.no_bed");
  return html`<section class="panel identity" aria-label=${t("screen.patient")}>
    <div class="stack tight">
      <h1>${name}</h1>
      <${Where} page=${page} where=${where} />
      <p class="small faint">${t("patient.born", { years: patient.age_years ?? "", sex: sexLetter(patient.sex), born: patient.birth_date ? birth(patient.birth_date) : t("patient.birth_unknown"), number: patient.record_number })}</p>
      <${Leaving} page=${page} name=${name} done=${moved} />
    </div>
    <div class="facts">
      ${patient.here_for && html`<${Fact} name=${t("patient.here_for")}><span class="dim">${patient.here_for}</span></${Fact}>`}
      <${Fact} name=${t("patient.nurse")}>
        ${isRole("charge_nurse") && bed ? html`<${NurseChoice} nurse=${nurse} choose=${setNurse} />` : html`<span class=${nurse ? "dim" : "strong"}>${nurse?.name ?? t("ward.no_nurse")}</span>`}
      </${Fact}>
      <${Fact} name=${t("patient.charge")}><span class="dim">${charge?.name ?? t("who.nobody")}</span></${Fact}>
      ${page.shared_with?.length > 0 && html`<${Fact} name=${t("patient.shared_with")}><span class="dim" data-shared-with>${page.shared_with.join(", ")}</span></${Fact}>`}
      <${Fact} name=${t("patient.scale")}><${Scale} scale=${patient.spo2_scale} choose=${setScale} /></${Fact}>
    </div>
  </section>`;
}

/** Scale 2 is a prescription: only a physician orders it, and everybody sees which one counts. */
function Scale({ scale, choose }) {
  const [said, say] = useState("");
  if (!isRole("physician")) return html`<span class="dim">${t(`news2.scale_${scale ?? 1}`)}</span>`;
  const order = (next) => next !== scale && choose(next).then(() => say(""), (problem) => say(sayProblem(problem)));
  return html`<${Segments} label=${t("patient.scale")} options=${[[1, t("news2.scale_short_1")], [2, t("news2.scale_short_2")]]} chosen=${scale ?? 1} act=${order} />
    ${said && html`<span class="small" role="alert">${said}</span>`}`;
}
