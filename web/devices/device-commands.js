/** What a device can be told: planned first, with what will happen and on whom; then given, agreed to, and believed when it reports. */
import { html, useEffect, useState } from "../html.js";
import { get, post, remove } from "../api/http.js";
import { Left } from "../components/age.js";
import { Field } from "../components/field.js";
import { sayProblem } from "../components/state-panel.js";
import { now } from "../feed/clock.js";
import { when } from "../format/time.js";
import { t } from "../i18n/words.js";
import { session } from "../feed/state.js";
import { isRole } from "../shell/role.js";

const REFRESH_MS = 1000;

export function DeviceCommands({ device, changed }) {
  const [found, setFound] = useState(null),
    [chosen, choose] = useState(null),
    [said, say] = useState("");
  const path = `/devices/${device.id}/commands`;
  const load = () => get(path).then(setFound, () => {});
  const open = found?.commands.some((c) => !c.is_over);
  useEffect(() => {
    choose(null);
    load();
  }, [device.id]);
  useEffect(() => {
    if (!open) return;
    const timer = setInterval(() => document.hidden || load(), REFRESH_MS);
    return () => clearInterval(timer);
  }, [open, device.id]);
  if (!found || (found.kinds.length === 0 && found.commands.length === 0)) return null;
  const attempt = (deed) => deed.then(() => { say(""); choose(null); load(); changed(); }, (problem) => say(sayProblem(problem)));
  const may = isRole("it", "charge_nurse");
  return html`<section data-commands><h3>${t("commands.title")}</h3>
    ${device.gateway && html`<p class="small dim">${t("commands.by_gateway", { name: device.gateway.name })}</p>`}
    ${!may && html`<p class="small dim">${t("commands.refused_role")}</p>`}
    ${may && html`<div class="row wrap">${found.kinds.map((k) => html`<${Kind} key=${k.name} kind=${k} device=${device} chosen=${chosen?.name === k.name} choose=${() => choose(k)} />`)}</div>`}
    ${chosen && html`<${Plan} key=${chosen.name} kind=${chosen} path=${path} give=${(wish) => attempt(post(path, wish))} leave=${() => choose(null)} />`}
    <p class="small" role="alert">${said}</p>
    <ul class="lines">${found.commands.slice(0, 6).map((c) => html`<${Command} key=${c.id} command=${c} agree=${() => attempt(post(`${path}/${c.id}/second`))} withdraw=${() => attempt(remove(`${path}/${c.id}`))} />`)}</ul>
  </section>`;
}

/** A command that may not be given now says why beside it. */
function Kind({ kind, device, chosen, choose }) {
  const why = device.lifecycle !== "in_service" ? t("commands.not_in_service") : kind.on_patient === "never" && device.patient ? t("commands.waits_patient") : null;
  return html`<span class="stack tight"><button type="button" data-command-kind=${kind.name} aria-pressed=${String(chosen)} disabled=${Boolean(why)} title=${why ?? undefined} onClick=${choose}>${kind.words}</button>${why && html`<span class="small faint">${why}</span>`}</span>`;
}

function Plan({ kind, path, give, leave }) {
  const [args, setArgs] = useState(Object.fromEntries(kind.args.map((a) => [a.name, String(a.min)]))),
    [plan, setPlan] = useState(null),
    [said, say] = useState("");
  const wish = { name: kind.name, args: Object.fromEntries(Object.entries(args).map(([name, value]) => [name, Number(value)])) };
  useEffect(() => {
    setPlan(null);
    post(`${path}/plan`, wish).then((p) => { setPlan(p); say(""); }, (problem) => say(sayProblem(problem)));
  }, [JSON.stringify(wish)]);
  const whom = plan?.patient ? t("commands.on_patient", { name: plan.patient, bed: plan.bed ?? "" }) : t(plan?.is_on_patient ? "commands.on_a_patient" : "commands.on_nobody");
  return html`<form class="stack side-form" onSubmit=${(e) => { e.preventDefault(); give({ ...wish, on: plan.on }); }} aria-label=${kind.words}>
    ${kind.args.map((a) => html`<${Field} key=${a.name} label=${`${a.words} (${a.min}–${a.max} ${a.unit})`}><input type="number" name=${a.name} min=${a.min} max=${a.max} value=${args[a.name]} onInput=${(e) => setArgs({ ...args, [a.name]: e.target.value })} required /></${Field}>`)}
    ${plan && html`<div class="stack tight" data-plan><p><b>${plan.what}</b>, ${plan.device}. ${whom}</p>
      <p class="small dim">${t(plan.needs_second ? "commands.needs_second" : plan.connected ? "commands.at_once" : "commands.when_connected")}</p></div>`}
    <p class="small" role="alert">${said}</p>
    <div class="row wrap"><button class="primary" type="submit" disabled=${!plan}>${t(plan?.needs_second ? "commands.ask" : "commands.give", { what: plan?.what ?? kind.words })}</button><button type="button" onClick=${leave}>${t("act.cancel")}</button></div>
  </form>`;
}

function Command({ command: c, agree, withdraw }) {
  const mine = c.by.id === session.value.user.id;
  const waits = c.phase === "waits_for_second";
  return html`<li class="row wrap" data-phase=${c.phase}><span class="grow whole stack tight"><span>${c.what}</span><span class="small dim">${when(c.at, now())}, ${c.by.full_name ?? c.by.name ?? ""}${c.patient ? `, ${c.patient}` : ""}${c.answer ? `: ${c.answer}` : ""}</span>
      ${c.seconded_by && html`<span class="small faint">${t("commands.agreed_by", { name: c.seconded_by.full_name ?? c.seconded_by.name ?? "" })}</span>`}</span>
    <span class=${`chip ${c.is_over ? "" : "loud"}`}>${t(`commands.phase.${c.phase}`)}</span>${!c.is_over && html`<span class="small faint"><${Left} until=${c.expires_at} /></span>`}
    ${waits && !isRole("it") && html`<button type="button" class="small primary" data-agree disabled=${mine} title=${mine ? t("commands.not_yourself") : undefined} onClick=${agree}>${t("commands.agree")}</button>`}
    ${waits && mine && html`<button type="button" class="small" onClick=${withdraw}>${t("commands.withdraw")}</button>`}</li>`;
}
