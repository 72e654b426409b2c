/** The seconds around an alarm, from the record: the first wave of the patient, as it was. */
import { html, useEffect, useState } from "../html.js";
import { get, query } from "../api/http.js";
import { Paper } from "../components/paper.js";
import { hhmmss, ms } from "../format/time.js";
import { t } from "../i18n/words.js";

const BEFORE_MS = 6000;
const AFTER_MS = 3000;

export function StripAt({ patient, at, href }) {
  const [strip, setStrip] = useState(null);
  useEffect(() => {
    let gone = false;
    const from = ms(at) - BEFORE_MS,
      to = ms(at) + AFTER_MS;
    const load = async () => {
      const page = await get(`/patients/${patient}`);
      const wave = page.waves.find((w) => w.param === "ecg") ?? page.waves[0];
      if (!wave) return;
      const answer = await get(`/patients/${patient}/waves${query({ channel: wave.channel, from: new Date(from).toISOString(), to: new Date(to).toISOString() })}`);
      if (!gone && answer.spans.length) setStrip({ wave, from, to, ...answer });
    };
    load().catch(() => !gone && setStrip(null));
    return () => {
      gone = true;
    };
  }, [patient, at]);
  if (!strip) return null;
  const name = strip.wave.lead ?? strip.wave.label;
  return html`<section class="strip-at"><h3>${t("alarm.strip", { name, from: hhmmss(strip.from), to: hhmmss(strip.to) })}</h3>
    <${Paper} spans=${strip.spans} gaps=${strip.gaps} from=${strip.from} to=${strip.to} mark=${ms(at)} param=${strip.wave.param} label=${t("alarm.strip", { name, from: hhmmss(strip.from), to: hhmmss(strip.to) })} />
    <p class="row"><a class="button" href=${href}>${t("alarm.to_strip")}</a></p></section>`;
}
