/** The settings of a device as fields of their kinds; where its profile names none, as the map that its maker describes. */
import { html, useState } from "../html.js";
import { Choice, Field } from "../components/field.js";
import { t } from "../i18n/words.js";

/** A value in words: «5 s», «on». */
export function valueWords(setting, value) {
  if (typeof value === "boolean") return t(value ? "configuration.on" : "configuration.off");
  const plain = typeof value === "object" ? JSON.stringify(value) : String(value);
  return setting?.unit ? `${plain} ${setting.unit}` : plain;
}

/** `change(config)` is told each valid map, `judge(sound)` whether what stands there is one. */
export function ConfigurationForm({ settings, config, change, judge }) {
  if (settings.length === 0) return html`<${Raw} config=${config} change=${change} judge=${judge} />`;
  const put = (name, value) => {
    const next = { ...config };
    if (value === undefined) delete next[name];
    else next[name] = value;
    change(next);
  };
  return settings.map((s) => html`<${Setting} key=${s.name} setting=${s} value=${config[s.name]} put=${(value) => put(s.name, value)} />`);
}

/** One setting; an empty field leaves it as the device has it. */
function Setting({ setting: s, value, put }) {
  const alone = ["", t("configuration.left_alone")];
  if (s.kind === "number") {
    const typed = (event) => put(event.target.value === "" ? undefined : Number(event.target.value));
    return html`<${Field} label=${`${s.words} (${s.min}–${s.max}${s.unit ? ` ${s.unit}` : ""})`}><input type="number" name=${s.name} min=${s.min} max=${s.max} step="1" value=${value ?? ""} placeholder=${t("configuration.left_alone")} onInput=${typed} /></${Field}>`;
  }
  const options = s.kind === "switch" ? [alone, ["true", t("configuration.on")], ["false", t("configuration.off")]] : [alone, ...s.choices.map((c) => [c, c])];
  const choose = (chosen) => put(chosen === "" ? undefined : s.kind === "switch" ? chosen === "true" : chosen);
  return html`<${Choice} label=${s.words} name=${s.name} value=${value === undefined ? "" : String(value)} options=${options} act=${choose} />`;
}

/** A map in JSON, refused before it is sent if it is none. */
function Raw({ config, change, judge }) {
  const [text, setText] = useState(JSON.stringify(config, null, 2)),
    [why, setWhy] = useState("");
  const typed = (event) => {
    setText(event.target.value);
    let read = null;
    try {
      read = JSON.parse(event.target.value);
    } catch {
      // Said below.
    }
    const sound = read !== null && typeof read === "object" && !Array.isArray(read);
    setWhy(sound ? "" : t("configuration.no_map"));
    judge(sound);
    if (sound) change(read);
  };
  return html`<${Field} label=${t("configuration.raw")} why=${t("configuration.raw_note")}><textarea class="mono" name="config" aria-invalid=${why ? "true" : undefined} aria-describedby="config-why" rows="8" spellcheck="false" value=${text} onInput=${typed}></textarea></${Field}><p id="config-why" class="why" role="alert">${why}</p>`;
}
