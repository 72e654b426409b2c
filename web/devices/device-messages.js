/** The messages of one device as they come, and what became of each; it stops when nobody looks. */
import { html, useEffect, useRef, useState } from "../html.js";
import { get, query } from "../api/http.js";
import { sayProblem } from "../components/state-panel.js";
import { hhmmss } from "../format/time.js";
import { has, t } from "../i18n/words.js";
import { isRole } from "../shell/role.js";
import { readable } from "./readable.js";

const EVERY_MS = 1000;
const SHOWN = 8;

export function DeviceMessages({ device }) {
  const [on, setOn] = useState(false),
    [messages, setMessages] = useState([]),
    [said, say] = useState("");
  const after = useRef(0);
  useEffect(() => {
    setOn(false);
    setMessages([]);
    after.current = 0;
  }, [device]);
  useEffect(() => {
    if (!on) return;
    const look = () => get(`/devices/${device}/messages${query({ after: after.current || "0" })}`).then((found) => {
      say("");
      if (found.begins) after.current = 0;
      if (found.messages.length === 0) return;
      after.current = found.messages.at(-1).number;
      setMessages((before) => [...found.messages.reverse(), ...before].slice(0, SHOWN));
    }, (problem) => { say(sayProblem(problem)); setOn(false); });
    look();
    const timer = setInterval(() => document.hidden || look(), EVERY_MS);
    return () => clearInterval(timer);
  }, [on, device]);
  if (!isRole("it")) return null;
  return html`<section data-messages><div class="row"><h3 class="grow">${t("messages.live")}</h3><button type="button" class="small" data-watch aria-pressed=${String(on)} onClick=${() => setOn(!on)}>${t(on ? "messages.pause" : "messages.watch")}</button></div>
    <p class="small dim">${t(on && messages.length === 0 ? "messages.waiting" : "messages.note")}</p><p class="small" role="alert">${said}</p>
    ${messages.map((m) => html`<div key=${m.number} class="message"><p class="small row wrap"><span>${hhmmss(Date.parse(m.at))}</span><span class="chip">${has(`messages.outcome.${m.outcome}`) ? t(`messages.outcome.${m.outcome}`) : m.outcome}</span><span class="faint">${t("letters.bytes", { n: m.size })}</span>${m.gateway && html`<span class="faint">${t("messages.by_gateway", { name: m.gateway.name })}</span>`}${m.gateway_at && html`<span class="faint">${t("messages.gateway_had", { time: hhmmss(Date.parse(m.gateway_at)) })}</span>`}</p>
      <pre class="raw" tabindex="0">${m.topic.replace(/^.*?\/(up|\$gw)\//, "…/$1/")}${"\n"}${readable(m.payload)}</pre></div>`)}
  </section>`;
}
