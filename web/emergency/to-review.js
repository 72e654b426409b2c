/** For whoever runs a care unit: pages that were opened there in an emergency, by whom and why, until somebody has looked at each. */
import { html, useEffect, useState } from "../html.js";
import { reviewEmergency } from "../api/act.js";
import { get } from "../api/http.js";
import { sayProblem } from "../components/state-panel.js";
import { now } from "../feed/clock.js";
import { toReview } from "../feed/state.js";
import { hhmm, when } from "../format/time.js";
import { t, word } from "../i18n/words.js";
import { kept } from "../router.js";

export function ToReview({ unit }) {
  const [items, setItems] = useState([]),
    [said, say] = useState("");
  const show = (found) => {
    setItems(found.items);
    say("");
  };
  const waiting = toReview.value;
  useEffect(() => {
    get(`/care-units/${unit}/emergencies`).then(show, (problem) => say(sayProblem(problem)));
  }, [unit, waiting]);
  const review = (id) => reviewEmergency(id).then(show, (problem) => say(sayProblem(problem)));
  const open = items.filter((it) => !it.reviewed_at),
    past = items.filter((it) => it.reviewed_at);
  if (items.length === 0) return said ? html`<p class="small" role="alert">${said}</p>` : null;
  return html`<section class="panel stack" aria-label=${t("emergency.to_review")} data-to-review=${open.length}>
    <h2>${t("emergency.to_review")}</h2>
    ${said && html`<p class="small" role="alert">${said}</p>`}
    <ul class="lines">${open.map((it) => html`<${Item} key=${it.id} it=${it} review=${review} />`)}</ul>
    ${past.length > 0 && html`<details><summary>${t("emergency.reviewed_n", { n: past.length })}</summary><ul class="lines">${past.map((it) => html`<${Item} key=${it.id} it=${it} />`)}</ul></details>`}
  </section>`;
}

function Item({ it, review }) {
  const where = it.bed ? t("emergency.in_bed", { name: it.patient.name, bed: it.bed.name }) : it.patient.name;
  return html`<li class="row wrap" data-emergency=${it.id}>
    <div class="grow"><p><b>${it.by.name}</b> <span class="small faint">${word("role", it.by.role)}</span>: <a href=${`/patients/${it.patient.id}${kept()}`}>${where}</a></p>
      <p><span class="chip">${t(`emergency.reasons.${it.reason}`)}</span>${it.words && html` <q>${it.words}</q>`}</p></div>
    <span class="small faint">${when(it.opened_at, now())}${it.is_open ? `, ${t("emergency.open_until", { at: hhmm(it.until) })}` : ""}</span>
    ${review && (it.is_mine ? html`<span class="small dim">${t("emergency.own")}</span>` : html`<button type="button" data-review aria-label=${`${t("emergency.review")}: ${it.by.name}, ${where}`} onClick=${() => review(it.id)}>${t("emergency.review")}</button>`)}
    ${it.reviewed_at && html`<span class="small faint">${t("emergency.reviewed", { name: it.reviewed_by, at: when(it.reviewed_at, now()) })}</span>`}</li>`;
}
