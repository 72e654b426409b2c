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

/** The same by HTTPS, for whoever has no MQTT client. */
export function curl(device, files) {
  const name = plain(device.label),
    [channel, unit, value] = FIRST[device.profile] ?? FIRST_USUAL;
  const message = JSON.stringify([{ n: channel, u: unit, v: value }]);
  return [`curl -i --cacert ca.pem --cert ${name}.crt.pem --key ${name}.key.pem`,
    `  -H 'content-type: application/senml+json' -d '${message}'`,
    `  ${files.https.url}/v1/num`].join(" \\\n");
}

export function CertificateFiles({ device, files }) {
  const [copied, setCopied] = useState(null);
  const name = plain(device.label);
  const links = useMemo(() => {
    const url = (text) => URL.createObjectURL(new Blob([text], { type: "application/x-pem-file" }));
    return [[`${name}.crt.pem`, url(files.certificate_pem), "certificate"], [`${name}.key.pem`, url(files.key_pem), "key"], ["ca.pem", url(files.ca_pem), "ca"]];
  }, [files]);
  useEffect(() => () => links.forEach(([, url]) => URL.revokeObjectURL(url)), [links]);
  const lines = { mqtt: command(device, files), ...(files.https ? { https: curl(device, files) } : {}) };
  const copy = (door) => navigator.clipboard?.writeText(lines[door]).then(() => setCopied(door), () => setCopied(null));
  return html`<section class="stack certificate" aria-label=${t("devices.files")}>
    <h3>${t("devices.files")}</h3>
    <p class="small dim">${t("devices.key_once")}</p>
    <div class="row wrap">${links.map(([file, url, kind]) => html`<a key=${file} class=${`button ${kind === "key" ? "primary-link" : ""}`} href=${url} download=${file} data-file=${kind}>${t(`devices.file.${kind}`)}</a>`)}</div>
    <${Pairs} list=${[[t("devices.valid_until"), when(files.not_after, now())], [t("devices.broker"), html`<span class="mono">${files.mqtt.host}:${files.mqtt.port}</span>`], [t("devices.topic"), html`<span class="mono">${files.mqtt.topic_prefix}</span>`],
      [t("devices.https"), files.https && html`<span class="mono" data-https>${files.https.url}</span>`], [t("refusals.fingerprint"), files.fingerprint && html`<span class="mono">${files.fingerprint}</span>`]]} />
    <h3>${t("devices.try_it")}</h3>
    ${Object.entries(lines).map(([door, line]) => html`<div key=${door} class="stack"><p class="small dim">${t(`devices.by_${door}`)}</p><pre class="raw" tabindex="0" data-command=${door}>${line}</pre>
      <div class="row"><button type="button" onClick=${() => copy(door)}>${t("act.copy")}</button><span class="small dim" role="status">${copied === door ? t("act.copied") : ""}</span></div></div>`)}
  </section>`;
}
