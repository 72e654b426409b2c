/** Over a strip: whose, when, and how it is drawn; a step back or on, and the printer. */
import { html } from "../html.js";
import { Segments } from "../components/segments.js";
import { dateAndTime, hhmmss } from "../format/time.js";
import { number } from "../format/number.js";
import { t } from "../i18n/words.js";
import { kept, set } from "../router.js";
import { Title } from "../shell/shell.js";

export function Tools({ record, view, name, lengths, speeds, gains }) {
  const { page, known, signals, from, to } = record;
  const step = (by) => set({ at: Math.round(record.at + by * view.len_s * 500) });
  const toggle = (channel) => {
    const on = signals.map((s) => s.channel),
      next = on.includes(channel) ? on.filter((c) => c !== channel) : known.map((w) => w.channel).filter((c) => on.includes(c) || c === channel);
    if (next.length) set({ leads: next.length === known.length ? null : next.join(",") });
  };
  const at = { from: dateAndTime(from), to: hhmmss(to) };
  return html`<div class="screen-only strip-head"><${Title} title=${page.bed ? t("patient.title", { bed: page.bed.name, name }) : name} note=${t("strip.when", at)}>
      <a class="button" href=${`/patients/${page.patient.id}${kept()}`}>${t("strip.to_patient")}</a>
      <button type="button" class="primary" data-print onClick=${() => print()}>${t("strip.print")}</button>
    </${Title}>
    <div class="row wrap strip-tools">
      <span class="row"><button type="button" data-step="back" aria-label=${t("strip.back")} onClick=${() => step(-1)}>←</button><button type="button" data-step="on" aria-label=${t("strip.on")} onClick=${() => step(1)}>→</button></span>
      <${Segments} label=${t("strip.length")} options=${lengths.map((s) => [s, t("time.s", { s })])} chosen=${view.len_s} act=${(v) => set({ len: v === lengths[0] ? null : v })} />
      <${Segments} label=${t("strip.speed")} options=${speeds.map((v) => [v, t("strip.mm_s", { n: number(v) })])} chosen=${view.speed} act=${(v) => set({ speed: v === 25 ? null : v })} />
      <${Segments} label=${t("strip.gain")} options=${gains.map((v) => [v, t("strip.mm_mv", { n: v })])} chosen=${view.gain} act=${(v) => set({ gain: v === 10 ? null : v })} />
      <span class="row wrap" role="group" aria-label=${t("strip.leads")}>${known.map((w) => html`<button key=${w.channel} type="button" aria-pressed=${String(signals.some((s) => s.channel === w.channel))} onClick=${() => toggle(w.channel)}>${w.lead ?? w.label}</button>`)}</span>
    </div></div>`;
}
