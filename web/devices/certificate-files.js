/** A device's certificate and key as files, and the line that sends a first reading with them. The key is shown once and kept nowhere. */
import { html, useEffect, useMemo, useState } from "../html.js";
import { when } from "../format/time.js";
import { now } from "../feed/clock.js";
import { t } from "../i18n/words.js";
import { Pairs } from "../components/drawer.js";

/** A reading that each kind of device may send first: channel, unit, value. */
const FIRST = { "ecg-patch": ["MDC_ECG_HEART_RATE", "/min", 72], "blood-pressure-cuff": ["MDC_PRESS_BLD_NONINV_SYS", "mm[Hg]", 124] };
const FIRST_USUAL = ["MDC_PULS_OXIM_SAT_O2", "%", 97];

const plain = (label) => label.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "") || "device";

/** The command of a well-known client, ready to paste beside the three files. */
export function command(device, files) {
  const { mqtt } = files,
    name = plain(device.label),
    [channel, unit, value] = FIRST[device.profile] ?? FIRST_USUAL;
  const topic = `${mqtt.topic_prefix.replace(/\/+$/, "")}${/\/up$/.test(mqtt.topic_prefix.replace(/\/+$/, "")) ? "" : "/up"}/num`;
  const message = JSON.stringify([{ n: channel, u: unit, v: value }]);
  return [`mosquitto_pub -V 5 -q 1 -h ${mqtt.host} -p ${mqtt.port} -i ${mqtt.client_id}`,
    `  --cafile ca.pem --cert ${name}.crt.pem --key ${name}.key.pem`,
    `  -t '${topic}' -m '${message}'`].join(" \\\n");
}

export function CertificateFiles({ device, files }) {
  const [copied, setCopied] = useState(false);
  const name = plain(device.label);
  const links = useMemo(() => {
    const url = (text) => URL.createObjectURL(new Blob([text], { type: "application/x-pem-file" }));
    return [[`${name}.crt.pem`, url(files.certificate_pem), "certificate"], [`${name}.key.pem`, url(files.key_pem), "key"], ["ca.pem", url(files.ca_pem), "ca"]];
  }, [files]);
  useEffect(() => () => links.forEach(([, url]) => URL.revokeObjectURL(url)), [links]);
  const line = command(device, files);
  const copy = () => navigator.clipboard?.writeText(line).then(() => setCopied(true), () => setCopied(false));
  return html`<section class="stack certificate" aria-label=${t("devices.files")}>
    <h3>${t("devices.files")}</h3>
    <p class="small dim">${t("devices.key_once")}</p>
    <div class="row wrap">${links.map(([file, url, kind]) => html`<a key=${file} class=${`button ${kind === "key" ? "primary-link" : ""}`} href=${url} download=${file} data-file=${kind}>${t(`devices.file.${kind}`)}</a>`)}</div>
    <${Pairs} list=${[[t("devices.valid_until"), when(files.not_after, now())], [t("devices.broker"), html`<span class="mono">${files.mqtt.host}:${files.mqtt.port}</span>`], [t("devices.topic"), html`<span class="mono">${files.mqtt.topic_prefix}</span>`]]} />
    <h3>${t("devices.try_it")}</h3>
    <pre class="raw" tabindex="0" data-command>${line}</pre>
    <div class="row"><button type="button" onClick=${copy}>${t("act.copy")}</button><span class="small dim" role="status">${copied ? t("act.copied") : ""}</span></div>
  </section>`;
}
