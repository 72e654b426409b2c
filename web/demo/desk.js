/** The desk of a demonstration: makes things happen in the virtual hospital behind it, such as «arrest in bed 04». A hospital has none. */
import { html, useEffect, useState } from "../html.js";
import { get, post } from "../api/http.js";
import { Choice } from "../components/field.js";
import { sayProblem } from "../components/state-panel.js";
import { session } from "../feed/state.js";
import { t, word } from "../i18n/words.js";

/** What a fault needs beside its name, as the demo words it. */
const NEEDS = { "battery": { percent: 8 }, "battery-drain": { per_hour: 60 }, "clock-drift": { per_hour: 600 }, "clock-wrong": { ahead: "10min" }, "sensor-drift": { per_hour: 20 } };
const LASTS = ["", "30s", "2min", "10min", "1h"];
/** What is asked for at once rises at once, so that somebody who watches sees it. */
const RISES = "60s";

const plain = (name) => word("demo_word", name.replaceAll("-", "_"));
const ofBed = (b) => ({ unit: b.unit, bed: b.bed });

/** What is sent for a choice; the kind is the key of the word. */
export function order({ kind, what, where, lasts }) {
  const more = kind === "fault" ? { ...NEEDS[what], ...(lasts && { lasts }) } : kind === "illness" ? { rises_in: RISES, ...(lasts && { lasts }) } : {};
  return { [kind]: what, ...where, ...more };
}

/** Whom something may befall: each bed, and for a fault each room and care unit too. */
export function places(beds, kind) {
  const list = beds.map((b) => [`${b.unit} · ${b.bed}`, ofBed(b)]);
  if (kind !== "fault") return list;
  const seen = new Map(beds.map((b) => [`${b.unit} · ${b.room}`, { unit: b.unit, room: b.room }]));
  for (const b of beds) seen.set(b.unit, { unit: b.unit });
  return [...seen, ...list];
}

export function Desk() {
  const [has, setHas] = useState(null),
    [kind, setKind] = useState("illness"),
    [what, setWhat] = useState("arrest"),
    [place, setPlace] = useState(0),
    [lasts, setLasts] = useState(""),
    [said, say] = useState(""),
    [busy, setBusy] = useState(false);
  const isDemo = session.value?.product?.demo === true;
  useEffect(() => {
    if (isDemo) get("/demo/events").then(setHas, () => setHas(null));
  }, [isDemo]);
  if (!isDemo || !has) return null;
  const names = { illness: has.illnesses, fault: has.faults, treatment: has.treatments }[kind],
    where = places(has.beds, kind);
  const choose = (next) => {
    setKind(next);
    setWhat({ illness: "arrest", fault: "network-cut", treatment: "shock" }[next]);
    setPlace(0);
    say("");
  };
  const submit = async (event) => {
    event.preventDefault();
    setBusy(true);
    const [name, aim] = where[place] ?? where[0];
    try {
      await post("/demo/events", order({ kind, what, where: aim, lasts }));
      say(t("demo.done", { what: plain(what), where: name }));
    } catch (problem) {
      say(sayProblem(problem));
    }
    setBusy(false);
  };
  return html`<section class="panel" aria-label=${t("demo.title")} data-desk>
    <h2>${t("demo.title")}</h2>
    <p class="small dim">${t("demo.text", { title: has.title })}</p>
    <form class="row wrap" onSubmit=${submit}>
      <${Choice} label=${t("demo.kind")} value=${kind} options=${["illness", "fault", "treatment"].map((k) => [k, t(`demo.${k}`)])} act=${choose} />
      <${Choice} label=${t("demo.what")} value=${what} options=${names.map((n) => [n, plain(n)])} act=${setWhat} />
      <${Choice} label=${t("demo.where")} value=${String(place)} options=${where.map(([name], i) => [String(i), name])} act=${(i) => setPlace(Number(i))} />
      ${kind !== "treatment" && html`<${Choice} label=${t("demo.lasts")} value=${lasts} options=${LASTS.map((l) => [l, l || t("demo.for_good")])} act=${setLasts} />`}
      <button class="primary" type="submit" disabled=${busy}>${t("demo.act")}</button>
      <span class="small" role="status">${said}</span>
    </form>
  </section>`;
}
