/** The line of a bed that says what is wrong. Unanswered it fills and flashes; answered it is outlined, still, and counts down. */
import { html, useEffect } from "../html.js";
import { ms } from "../format/time.js";
import { t } from "../i18n/words.js";
import { Age, Left } from "./age.js";
import { AlarmMark, oneBeat } from "./alarm-mark.js";

export function Strip({ alarm, more = 0, note, size = 20, short = false, wordless = false }) {
  const flashes = alarm?.state === "active";
  useEffect(() => {
    if (flashes) oneBeat();
  }, [flashes, alarm?.id]);
  if (!alarm) return html`<div class="strip"><span class="clip">${note ?? t("alarm.none")}</span></div>`;
  const asleep = alarm.state === "acknowledged";
  return html`<div class="strip" data-priority=${alarm.priority} data-state=${alarm.state}>
    <${AlarmMark} priority=${alarm.priority} size=${size} hollow=${asleep} />
    ${!wordless && html`<span class="strip-word">${t(`priority.${alarm.priority}`)}</span>`}
    <span class="clip" title=${`${alarm.title} ${alarm.detail ?? ""}`}>${short ? withoutValue(alarm.title) : alarm.title}<span class="strip-limit"> ${alarm.detail}</span></span>
    ${alarm.no_signal && html`<span class="strip-tag">${t("alarm.no_signal")}</span>`}
    ${more > 0 && html`<span class="strip-tag" title=${t("alarm.more", { n: more })}>+${more}</span>`}
    <time title=${asleep ? t("alarm.until_title") : t("alarm.since_title")}>
      ${asleep && alarm.quiet_until ? html`${t("alarm.ack_short")} <${Left} until=${alarm.quiet_until} />` : html`<${Age} since=${alarm.raised_at ?? alarm.since} />`}
    </time>
  </div>`;
}

/** «SpO₂ low 84 %» as «SpO₂ low», where the number stands large beneath. */
const withoutValue = (title) => title.replace(/\s+[\d.,]+(\s*\S{1,5})?$/, "");

/** Who has the alarm, or who was told of it, in one phrase. */
export function held(alarm) {
  if (alarm.state === "acknowledged") return t("alarm.has_it", { name: nameOf(alarm.acknowledged_by) });
  if (alarm.unanswered) return t("alarm.unanswered");
  const told = alarm.told ?? [];
  if (told.length === 0) return t("alarm.told_nobody");
  if (told.length === 1) return t("alarm.told_one", { name: told[0].name });
  return t("alarm.told_many", { n: told.length });
}

/** The name in a field that holds a person, or a name already. */
export const nameOf = (person) => (person && typeof person === "object" ? person.name : person) ?? t("who.somebody");

/** The address of the strip of an alarm: the seconds around the moment at which it was raised. */
export const stripOf = (alarm) => `/patients/${alarm.patient}/strip?alarm=${alarm.id}&at=${ms(alarm.raised_at ?? alarm.since)}`;
