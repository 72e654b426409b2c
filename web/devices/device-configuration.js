/** What a device shall be set to, beside what it reports; a change is looked over before it is set, and waits while somebody wears the device. */
import { html, useEffect, useState } from "../html.js";
import { configure } from "../api/act.js";
import { get } from "../api/http.js";
import { Pairs } from "../components/drawer.js";
import { Field } from "../components/field.js";
import { sayProblem } from "../components/state-panel.js";
import { now } from "../feed/clock.js";
import { when } from "../format/time.js";
import { t } from "../i18n/words.js";
import { isRole } from "../shell/role.js";
import { ConfigurationForm, valueWords } from "./configuration-form.js";

const REFRESH_MS = 5000;

/** The name of the next configuration: one more, where they are counted. */
const nextVersion = (wanted) => (/^\d{1,8}$/.test(wanted ?? "") ? String(Number(wanted) + 1) : wanted ? "" : "1");

export function DeviceConfiguration({ device, changed }) {
  const [found, setFound] = useState(null),
    [editing, edit] = useState(false),
    [problem, setProblem] = useState(null),
    [said, say] = useState("");
  const path = `/devices/${device.id}/configuration`;
  const load = () => get(path).then((read) => { setFound(read); setProblem(null); }, setProblem);
  useEffect(() => {
    edit(false);
    // What another device shall have is not this one's.
    setFound(null);
    load();
    const timer = setInterval(() => document.hidden || load(), REFRESH_MS);
    return () => clearInterval(timer);
  }, [device.id, device.patient?.id]);
  const unread = problem && html`<p class="small" role="alert" data-unread>${t("configuration.unread")} ${sayProblem(problem)} <button type="button" onClick=${load}>${t("act.again")}</button></p>`;
  if (!found) return problem && html`<section data-configuration><h3>${t("configuration.title")}</h3>${unread}</section>`;
  const set = (wish) => configure(device.id, wish).then((answer) => { setFound(answer); edit(false); say(""); changed(); }, (problem) => say(sayProblem(problem)));
  const may = isRole("it"),
    held = found.on_patient;
  return html`<section data-configuration data-state=${found.state}><h3>${t("configuration.title")}</h3>${unread}
    <p class="row wrap"><span class=${`chip ${["sent", "on_patient"].includes(found.state) ? "loud" : ""}`} data-config-state>${t(`configuration.state.${found.state}`)}</span>
      ${found.state !== "none" && html`<span class="small dim">${t(`configuration.because.${found.state}`, { reported: found.reported ?? t("configuration.nothing") })}</span>`}</p>
    ${found.state !== "none" && html`<${Pairs} list=${[[t("configuration.wanted"), html`<b>${found.wanted}</b>`], ...facts(found), [t("configuration.set"), found.set_at && t("configuration.set_by", { name: found.set_by?.full_name ?? found.set_by?.name ?? "", at: when(found.set_at, now()) })]]} />`}
    <${Pairs} list=${[[t("configuration.reported"), found.reported ?? t("configuration.nothing")], [t("configuration.reported_at"), found.reported && found.reported_at && when(found.reported_at, now())]]} />
    ${!may && html`<p class="small dim">${t("configuration.refused_role")}</p>`}
    ${may && !editing && html`<div class="row wrap"><button type="button" data-configure disabled=${held} title=${held ? t("configuration.waits_patient") : undefined} onClick=${() => edit(true)}>${t("configuration.change")}</button>${held && html`<span class="small faint" data-waits>${t("configuration.waits_patient")}</span>`}</div>`}
    ${editing && html`<${Edit} device=${device} found=${found} set=${set} said=${said} leave=${() => { edit(false); say(""); }} />`}
  </section>`;
}

/** Each thing that is set, by its words where the profile has any. */
function facts(found) {
  const config = found.config ?? {};
  const known = found.settings.filter((s) => s.name in config).map((s) => [s.words, valueWords(s, config[s.name])]);
  const others = Object.entries(config).filter(([name]) => !found.settings.some((s) => s.name === name));
  return [...known, ...others.map(([name, value]) => [name, html`<span class="mono">${JSON.stringify(value)}</span>`])];
}

/** First what is wished, then the same in words beside what it was; only that is set. */
function Edit({ device, found, set, said, leave }) {
  const [version, setVersion] = useState(nextVersion(found.wanted)),
    [config, setConfig] = useState(found.config ?? {}),
    [sound, setSound] = useState(true),
    [looking, look] = useState(false);
  const before = found.config ?? {};
  const names = [...new Set([...Object.keys(before), ...Object.keys(config)])].filter((name) => JSON.stringify(before[name]) !== JSON.stringify(config[name]));
  const words = (name) => found.settings.find((s) => s.name === name)?.words ?? name;
  const told = (name, from) => (name in from ? valueWords(found.settings.find((s) => s.name === name), from[name]) : t("configuration.left_alone"));
  const submit = (event) => {
    event.preventDefault();
    if (looking) set({ version: version.trim(), config });
    else look(true);
  };
  return html`<form class="stack side-form" onSubmit=${submit} aria-label=${t("configuration.change")}>
    ${!looking && html`<${ConfigurationForm} settings=${found.settings} config=${config} change=${(next) => setConfig(next)} judge=${setSound} />
      <${Field} label=${t("configuration.version")} why=${t("configuration.version_note")}><input name="version" value=${version} onInput=${(e) => setVersion(e.target.value)} required maxlength="64" /></${Field}>`}
    ${looking && html`<div class="stack tight" data-look><p><b>${t("configuration.look", { label: device.label, version: version.trim() })}</b></p>
      <ul class="lines">${names.map((name) => html`<li key=${name}>${words(name)}: <span class="dim">${told(name, before)}</span> → <b>${told(name, config)}</b></li>`)}</ul>
      ${names.length === 0 && html`<p class="small dim">${t("configuration.no_change")}</p>`}
      <p class="small dim">${t(device.connected ? "configuration.at_once" : "configuration.when_connected")}</p></div>`}
    <p class="small" role="alert">${said}</p>
    <div class="row wrap"><button class="primary" type="submit" disabled=${!sound || !version.trim()}>${t(looking ? "configuration.confirm" : "configuration.to_look")}</button>
      ${looking && html`<button type="button" onClick=${() => look(false)}>${t("configuration.back")}</button>`}<button type="button" onClick=${leave}>${t("act.cancel")}</button></div>
  </form>`;
}
