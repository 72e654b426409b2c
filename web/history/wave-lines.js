/** Waveforms of a range: no trace of days fits on a screen, so each is a band that is hatched where it lacks. */
import { html } from "../html.js";
import { lack, share } from "../components/covered.js";
import { when } from "../format/time.js";
import { now } from "../feed/clock.js";
import { t, word } from "../i18n/words.js";
import { gaps } from "./line-data.js";

const PARAM = [[/ecg|lead/i, "ecg"], [/pleth|spo/i, "spo2"], [/resp|breath/i, "resp"], [/press|art|abp/i, "bp"]];
const paramOf = (channel) => PARAM.find(([pattern]) => pattern.test(`${channel.channel} ${channel.label}`))?.[1] ?? "ecg";

/** A gap that takes so much of the band has room for its reason. */
const NAMED_PART = 0.12;

export function WaveLines({ channels, from, to }) {
  const waves = channels.filter((c) => c.is_waveform && c.percent !== null);
  if (waves.length === 0) return null;
  return html`<section class="stack" aria-label=${t("history.waves")} data-waves=${waves.length}>
    <h2>${t("history.waves")}</h2>
    ${waves.map((c, i) => html`<${Wave} key=${`${c.device.id} ${c.channel} ${i}`} channel=${c} from=${from} to=${to} />`)}
  </section>`;
}

function Wave({ channel, from, to }) {
  const at = (time) => ((Math.min(Math.max(time, from), to) - from) / (to - from)) * 100,
    percent = share(channel.percent);
  const piece = (start, end) => ({ left: `${at(start)}%`, width: `${at(end) - at(start)}%` });
  const lacks = gaps(channel, channel, from, Math.min(to, now()));
  return html`<div class="wave-line" data-param=${paramOf(channel)} data-wave=${channel.channel} data-covered=${channel.percent}>
    <b class="clip">${channel.label}</b>
    <div class="wave-band" role="img" aria-label=${t("history.wave_spoken", { name: channel.label, percent, n: channel.gaps.length })}>
      ${channel.on_ms.map(([start, stop]) => html`<span key=${start} class="there" style=${piece(start, stop)}></span>`)}
      ${lacks.map((gap) => html`<span key=${gap.from} class="hatched" title=${`${word("missing", gap.reason)} ${when(gap.from, now())}`} style=${piece(gap.from, gap.to)}>${(gap.to - gap.from) / (to - from) > NAMED_PART && html`<small>${word("missing", gap.reason)}</small>`}</span>`)}
    </div>
    <p class="small faint">${channel.device.name}, <b>${t("history.covered", { percent })}</b>${channel.lacking.length > 0 && ` (${channel.lacking.slice(0, 3).map(lack).join(", ")})`}${channel.is_coarse && `, ${t("history.coarse")}`}</p>
  </div>`;
}
