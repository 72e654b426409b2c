/** What people said of a line's readings, the originals struck through, and the form that withdraws or corrects some. */
import { html, useEffect, useState } from "../html.js";
import { get, post, query } from "../api/http.js";
import { Choice, Field } from "../components/field.js";
import { sayProblem } from "../components/state-panel.js";
import { TimeField } from "../components/time-field.js";
import { now } from "../feed/clock.js";
import { number } from "../format/number.js";
import { hhmmss, ms, until, when } from "../format/time.js";
import { t, word } from "../i18n/words.js";

const MIN = 60_000;
const REASONS = ["wrong_patient", "sensor_off", "artefact", "mistyped", "other"];
/** Originals that one line of text has room for. */
const SHOWN = 5;
/** More than any device measures. */
const DIGITS = 6;

const reading = (it) => (it.value === null ? word("missing", (it.missing ?? "unknown").replaceAll("-", "_")) : `${number(it.value, DIGITS)} ${it.unit}`);

export function Corrections({ line, items, from, to, again }) {
  const own = (items ?? []).filter((it) => it.device === line.device.id && it.channel === line.channel);
  return html`${own.length > 0 && html`<ul class="lines small corrections" data-corrections=${own.length}>${own.map((it) => html`<${Said} key=${it.id} it=${it} again=${again} />`)}</ul>`}
    <${Correct} line=${line} from=${from} to=${to} again=${again} />`;
}

function Said({ it, again }) {
  const [refused, refuse] = useState("");
  const undo = () => post(`/devices/${it.device}/corrections/${it.id}/undo`, {}).then(again, (problem) => refuse(sayProblem(problem)));
  const span = it.to_ms - it.from_ms <= 1 ? when(it.from_ms, now()) : t("trend.span", { from: when(it.from_ms, now()), to: until(it.from_ms, it.to_ms, now()) }),
    originals = it.originals.slice(0, SHOWN),
    by = t("corrections.by", { name: it.by ?? t("who.somebody"), at: when(ms(it.known_at), now()), why: [t(`corrections.why.${it.why}`), it.words].filter(Boolean).join(": ") });
  const holds = it.kind !== "taken_back" && !it.undone_by;
  return html`<li class="row wrap" data-correction=${it.kind} title=${it.originals.map((o) => `${hhmmss(o.at_ms)} ${reading(o)}`).join("\n")}>
    <span class="grow"><b>${t(`corrections.kind.${it.undone_by ? "undone" : it.kind}`)}</b>, ${span}${it.kind !== "taken_back" && html`: ${originals.map((o) => html`<s key=${o.at_ms}>${reading(o)}</s> `)}${it.originals.length > SHOWN && "… "}`}${it.value !== null && html` <b>${reading(it)}</b>`}${" "}
      <span class="faint">${by}</span></span>
    ${holds && html`<button type="button" data-undo onClick=${undo}>${t("corrections.undo")}</button>`}
    ${refused && html`<span class="strong" role="alert">${refused}</span>`}</li>`;
}

/** The readings of a minute as they came. */
function useReadings(line, minute, isOne) {
  const [readings, setReadings] = useState([]);
  useEffect(() => {
    let isLatest = true;
    if (isOne && minute !== null) {
      const asked = query({ channel: line.channel, from: minute, to: minute + MIN });
      get(`/devices/${line.device.id}/receipts${asked}`).then((found) => isLatest && setReadings(found.items), () => isLatest && setReadings([]));
    }
    return () => { isLatest = false; };
  }, [line.device.id, line.channel, minute, isOne]);
  return readings;
}

const whole = (at) => Math.floor(at / MIN) * MIN;

function Correct({ line, from, to, again }) {
  const [isOpen, open] = useState(false);
  const name = t("corrections.title_of", { name: line.label });
  return html`<details class="small" open=${isOpen} onToggle=${(event) => open(event.target.open)}><summary data-correct=${line.channel}>${t("corrections.title")}</summary>
    ${isOpen && html`<${Form} name=${name} line=${line} from=${from} to=${to} done=${() => { open(false); again(); }} />`}</details>`;
}

function Form({ name, line, from, to, done }) {
  const last = whole(Math.min(to, now()) - MIN);
  const [what, choose] = useState("one"),
    [minute, setMinute] = useState(last),
    [span, setSpan] = useState([whole(from), last]),
    [picked, pick] = useState(""),
    [value, setValue] = useState(""),
    [why, setWhy] = useState(REASONS[0]),
    [words, setWords] = useState(""),
    [refused, refuse] = useState("");
  const isOne = what !== "span",
    readings = useReadings(line, minute, isOne),
    chosen = readings.find((it) => String(it.at_ms) === picked) ?? readings[0];
  const submit = (event) => {
    event.preventDefault();
    if (isOne && !chosen) return refuse(t("corrections.no_reading"));
    if (what === "replace" && !Number.isFinite(parseFloat(value.replace(",", ".")))) return refuse(t("corrections.no_value"));
    if (why === "other" && !words.trim()) return refuse(t("corrections.no_words"));
    const place = isOne ? { at: String(Math.floor(chosen.at_ms)) } : { from: String(span[0]), to: String(span[1]) },
      now_it_is = what === "replace" ? { value: parseFloat(value.replace(",", ".")), unit: chosen.unit } : {};
    return post(`/devices/${line.device.id}/corrections`, { channel: line.channel, ...place, ...now_it_is, why, words: words.trim() }).then(done, (problem) => refuse(sayProblem(problem)));
  };
  return html`<form class="pair" aria-label=${name} onSubmit=${submit}>
    <${Choice} label=${t("corrections.what")} name="what" value=${what} options=${["one", "replace", "span"].map((it) => [it, t(`corrections.what_${it}`)])} act=${choose} />
    ${isOne ? html`<${TimeField} label=${t("corrections.minute")} name="minute" value=${minute} max=${now()} whole=${false} act=${setMinute} />
      <${Choice} label=${t("corrections.reading")} name="reading" value=${chosen ? String(chosen.at_ms) : ""} options=${readings.length > 0 ? readings.map((it) => [String(it.at_ms), `${hhmmss(it.at_ms)}: ${reading(it)}`]) : [["", t("corrections.no_reading")]]} act=${pick} />` : html`<${TimeField} label=${t("corrections.from")} name="from" value=${span[0]} max=${now()} whole=${false} act=${(at) => setSpan([at, span[1]])} />
      <${TimeField} label=${t("corrections.to")} name="to" value=${span[1]} max=${now()} whole=${false} act=${(at) => setSpan([span[0], at])} />`}
    ${what === "replace" && html`<${Field} label=${t("corrections.value", { unit: chosen?.unit ?? line.unit })}><input name="value" inputmode="decimal" value=${value} onInput=${(event) => setValue(event.target.value)} /></${Field}>`}
    <${Choice} label=${t("corrections.reason")} name="why" value=${why} options=${REASONS.map((it) => [it, t(`corrections.why.${it}`)])} act=${setWhy} />
    <${Field} label=${t("corrections.words")}><input name="words" maxlength="200" value=${words} onInput=${(event) => setWords(event.target.value)} /></${Field}>
    <div class="row wrap"><button type="submit">${t(what === "replace" ? "corrections.correct" : "corrections.withdraw")}</button><span class="strong" role="alert">${refused}</span><span class="dim grow">${t("corrections.stays")}</span></div>
  </form>`;
}
