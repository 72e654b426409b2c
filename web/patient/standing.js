/** An alarm that stands, over the numbers it is about: who was told, what comes next, and the answer in one touch. */
import { html, useState } from "../html.js";
import { MINUTES } from "../components/answer.js";
import { Left } from "../components/age.js";
import { sayProblem } from "../components/state-panel.js";
import { held, Strip, stripOf } from "../components/strip.js";
import { now } from "../feed/clock.js";
import { ms } from "../format/time.js";
import { rich, t } from "../i18n/words.js";

export function Standing({ alarm, answer }) {
  const [said, say] = useState(""),
    [busy, setBusy] = useState(false);
  const take = (minutes) => async () => {
    setBusy(true);
    await answer(alarm, minutes * 60).then(() => say(""), (problem) => say(sayProblem(problem)));
    setBusy(false);
  };
  const told = (alarm.told ?? []).map((p) => p.name).join(", ");
  return html`<section class="alarm-top alarm-card" data-priority=${alarm.priority} data-state=${alarm.state} data-alarm=${alarm.id} aria-label=${alarm.title}>
    <${Strip} alarm=${alarm} />
    <div class="row wrap answer">
      <span class="grow dim">${told && html`${t("alarm.told_names", { names: told })} `}<b>${told && alarm.state === "active" && !alarm.unanswered ? t("alarm.nobody_has_it") : held(alarm)}.</b>
        ${alarm.state === "active" && alarm.next_step_at && ms(alarm.next_step_at) > now() && html` ${rich("alarm.next_in", { left: html`<b><${Left} until=${alarm.next_step_at} /></b>` })}`}
        ${alarm.no_signal && html` ${t("alarm.no_signal_text")}`}</span>
      <span class="small" role="alert">${said}</span>
      ${MINUTES.map((m, i) => html`<button key=${m} type="button" class=${i === 0 ? "primary" : ""} data-answer=${i === 0 ? "" : undefined} disabled=${busy} onClick=${take(m)}>
        ${i > 0 ? t("time.min", { min: m }) : t(alarm.state === "acknowledged" ? "alarm.renew_for" : "alarm.i_have_it_for", { min: m })}</button>`)}
      ${alarm.patient && html`<a class="button" href=${stripOf(alarm)}>${t("alarm.to_strip")}</a>`}
      <a class="button plain" href=${`/alarms?open=${alarm.id}`}>${t("alarm.what_happened")}</a>
    </div>
  </section>`;
}
