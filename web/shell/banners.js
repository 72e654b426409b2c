/** The banners: connection lost, not recording, the disk fills, data late, no sound. They stand over every screen and say what to do. */
import { html, useEffect, useMemo } from "../html.js";
import { Banner } from "../components/banner.js";
import { Age } from "../components/age.js";
import { beat, beatAge, disk, isBlind, isLate, isRecording, link, toReview } from "../feed/state.js";
import { start } from "../feed/socket.js";
import * as waves from "../feed/waves.js";
import { now, second } from "../feed/clock.js";
import { span } from "../format/time.js";
import { whoMeanwhile } from "./unreachable.js";
import { t, word } from "../i18n/words.js";
import { go, kept, params } from "../router.js";
import { isRole } from "./role.js";

/** A reconnect of a moment is not worth a banner. */
const MOMENT_MS = 1500;

export function Banners() {
  second.value;
  const lost = link.value.state === "lost" && now() - link.value.since > MOMENT_MS;
  const blind = isBlind.value;
  useEffect(() => {
    document.documentElement.toggleAttribute("data-blind", blind || !isRecording.value);
    waves.pause(blind);
  });
  const opened = isRole("charge_nurse") && params.value.get("wall") !== "1" ? toReview.value : 0;
  return html`<${Spoken} />
  <div class="banners">
    ${!isRecording.value && html`<${Banner} key="recording" priority="high" title=${t("banner.not_recording")}>${beat.value.why ? `${word("why", beat.value.why)} ` : ""}${t("banner.not_recording_text")}</${Banner}>`}
    ${lost && html`<${Banner} key="lost" priority=${blind ? "high" : "medium"} title=${t("banner.lost")} action=${t("act.again")} act=${start}>
      ${t("banner.lost_text")} <${Age} since=${link.value.since} />. ${whoMeanwhile()}</${Banner}>`}
    ${!lost && blind && html`<${Banner} key="blind" priority="high" title=${t("banner.blind", { span: span(beatAge.value) })}>${t("banner.blind_text")}</${Banner}>`}
    ${!lost && !blind && isLate.value && html`<${Banner} key="late" priority="medium" title=${t("banner.late", { span: span(beatAge.value) })}>${t("banner.late_text")}</${Banner}>`}
    ${disk.value && html`<${Banner} key="disk" priority=${disk.value.alarm === "almost_full" ? "medium" : "low"} isSilent title=${diskTitle(disk.value)} action=${t("banner.disk_look")} act=${() => go(`/system${kept()}`)}>
      ${diskText(disk.value)}</${Banner}>`}
    ${opened > 0 && html`<${Banner} key="opened" title=${t("emergency.opened_n", { n: opened })} action=${t("emergency.look")} act=${() => go(`/staff${kept()}`)}>${t("emergency.opened_text")}</${Banner}>`}
  </div>`;
}

const diskTitle = (it) => t(`banner.disk_${it.alarm}`, { n: it.used_percent });
const diskText = (it) => `${it.full_in_s ? `${t("banner.disk_full_in", { span: span(it.full_in_s * 1000) })} ` : ""}${t("banner.disk_text")}`;

/** Says once for each level that the disk fills, not again with each percent: a region that is there before its words is the one that is read out. */
function Spoken() {
  const level = disk.value?.alarm ?? null;
  const words = useMemo(() => level && `${diskTitle(disk.peek())} ${diskText(disk.peek())}`, [level]);
  return html`<p class="hidden" role="status" aria-atomic="true" data-spoken>${words}</p>`;
}
