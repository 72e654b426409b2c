/** Shows only one channel: any that a device of the range has, also one that is no vital. */
import { html, useRef } from "../html.js";
import { Choice } from "../components/field.js";
import { label } from "../format/vital.js";
import { t } from "../i18n/words.js";
import { params, set } from "../router.js";

/** `[channels, name]` for each kind of value; what several devices call differently and people the same is one. */
export function kinds(channels) {
  const byName = new Map();
  for (const c of channels) {
    const name = c.vital ? label(c.vital, c.label) : c.label;
    byName.set(name, new Set([...(byName.get(name) ?? []), c.channel]));
  }
  return [...byName].map(([name, names]) => [[...names].sort().join(","), name]).sort((a, b) => a[1].localeCompare(b[1]));
}

export function ChannelPick({ coverage, list }) {
  const chosen = params.value.get("channel") ?? "",
    whole = useRef([]);
  // What was chosen narrows the answer, and not the choice.
  const found = [...(coverage?.channels ?? []), ...(list?.items ?? []).flatMap((it) => it.channels)];
  const options = kinds(found);
  if (options.length > whole.current.length || !chosen) whole.current = options.length ? options : whole.current;
  if (whole.current.length === 0 && !chosen) return null;
  const known = whole.current.some(([channels]) => channels === chosen);
  return html`<${Choice} label=${t("history.channel")} name="channel" value=${chosen} options=${[["", t("history.all_channels")], ...whole.current, ...(chosen && !known ? [[chosen, chosen]] : [])]} act=${(channel) => set({ channel: channel || null }, { replace: false })} />`;
}
