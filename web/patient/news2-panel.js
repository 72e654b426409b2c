/** NEWS2 with its seven inputs, each with value, age and points; a sum only when all seven are there. */
import { html } from "../html.js";
import { Covered, share } from "../components/covered.js";
import { now, second } from "../feed/clock.js";
import { ms, span, when } from "../format/time.js";
import { t, word } from "../i18n/words.js";
import { inputLines, whyNow } from "./score-story.js";

/** What the ledger of gaps knows better than the last message of a device. */
const BEHIND = new Set(["our_fault", "device_off", "out_of_range", "network", "refused", "silent", "damaged", "no_device"]);

const HOUR_S = 3600,
  DAY_S = 24 * HOUR_S;

export function News2Panel({ news2, story }) {
  if (!news2) return null;
  const { total, risk, parts, last_total: last } = news2;
  const threes = parts.filter((p) => p.points === 3).length;
  const complete = total !== null && total !== undefined;
  return html`<section class="panel" aria-label=${t("news2.name")} data-news2=${complete ? total : "incomplete"}>
    <div class="row news-head"><h2>${t("news2.name")}</h2>
      ${complete ? html`<span class="total">${total}<small> ${t(`news2.risk.${risk}`)}</small></span>` : html`<span class="total none">${t("news2.incomplete_big")}</span>`}
    </div>
    <p class="small dim news-say">${complete ? t(`news2.response.${risk}`) : say(news2, threes)}${last && !complete ? ` ${t("news2.last", { total: last.total, at: when(last.at, now()) })}` : ""}</p>
    <div class="news">${parts.map((p) => html`<${Part} key=${p.input} part=${p} scale=${news2.scale} story=${story} />`)}</div>
    ${story?.covered && html`<div class="small news-day"><${Covered} covered=${story.covered} lines=${inputLines(story)} text=${dayText(story.covered)} /></div>`}
  </section>`;
}

/** A share of the day is one only once a day is over since the first score. */
const dayText = (covered) => (covered.percent !== null && covered.promised_s > DAY_S - HOUR_S ? t("news2.covered_day", { percent: share(covered.percent) }) : undefined);

function say(news2, threes) {
  const missing = (news2.missing ?? []).map((input) => t(`news2.input.${input}`)).join(", ");
  const red = threes > 0 ? `${t("news2.threes", { n: threes })} ` : "";
  return red + t("news2.missing", { names: missing, n: (news2.missing ?? []).length });
}

function Part({ part, scale, story }) {
  second.value;
  const age = part.taken_at ? now() - ms(part.taken_at) : null;
  const there = part.points !== null && part.points !== undefined;
  const name = part.input === "saturation" ? t("news2.saturation_scale", { scale: scale ?? 1 }) : t(`news2.input.${part.input}`);
  const text = part.value_text ? [part.value_text, part.unit && !part.value_text.includes(part.unit) ? part.unit : ""].filter(Boolean).join(" ") : null;
  const why = there ? null : whyNow(story, part.input),
    behind = BEHIND.has(why) ? word("missing", why) : null;
  const told = behind ?? (part.reason ? word("missing", part.reason) : t("missing.not_charted"));
  return html`<div data-points=${there ? part.points : "none"} data-input=${part.input} data-why=${why ?? undefined}>
    <span>${name}</span>
    <span class=${there ? "strong" : "faint"}>${text ?? told}</span>
    <span class=${`small ${part.state === "aged" ? "aged" : "faint"}`} title=${part.state === "aged" ? t("news2.input_aged") : undefined}>${ageText(part, age)}${text && behind ? `, ${behind}` : ""}</span>
    <span class="pts"><i title=${there ? t("news2.points") : t("news2.input_missing")}>${there ? part.points : "?"}</i></span>
  </div>`;
}

function ageText(part, age) {
  if (age === null) return "";
  if (part.state === "live" && age < 15_000) return t("numeric.live");
  return span(age);
}
