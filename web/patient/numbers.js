/** The numbers of a patient at the size of a bedside monitor, in the order in which a ward reads them. */
import { html } from "../html.js";
import { Numeric } from "../components/numeric.js";
import { joined } from "../format/vital.js";
import { t } from "../i18n/words.js";

const ORDER = ["heart_rate", "saturation", "respiratory_rate", "systolic_pressure", "temperature", "pulse_rate", "glucose"];
/** A battery is a device's vital sign, not a patient's. */
const ELSEWHERE = new Set(["battery_level"]);
const place = (n) => (ORDER.indexOf(n.vital) + 1 || ORDER.length + 1);

export function Numbers({ numerics }) {
  const list = joined(numerics).filter((n) => !ELSEWHERE.has(n.vital)).sort((a, b) => place(a) - place(b));
  return html`<section class="numbers" aria-label=${t("numeric.title")}>
    ${list.map((n) => html`<${Numeric} key=${n.vital} numeric=${n} size="xl" />`)}
    ${list.length === 0 && html`<p class="dim small">${t("numeric.none")}</p>`}
  </section>`;
}
