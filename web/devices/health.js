/** How a device does, in one of four words, with the reason: silent, to be watched, held back, or good. */
import { now } from "../feed/clock.js";
import { ms, span } from "../format/time.js";
import { t } from "../i18n/words.js";

export const RANK = { silent: 0, watch: 1, held: 2, good: 3 };
export const SIGNS = { silent: "○", watch: "◐", held: "⊘", good: "●" };
const SILENT_MS = 30_000;
const SOON_MS = 30 * 86_400_000;

/** The newest certificate that still stands, of a device that lists one or several. */
export const certificateOf = (d) => (d.certificates ?? []).filter((c) => !c.revoked_at).sort((a, b) => ms(b.not_after) - ms(a.not_after))[0] ?? null;
/** When it last said anything, if the server tells. */
export const heardAt = (d) => d.last_heard_at ?? null;

/** Whatever else it does, a device on somebody who left needs a hand. */
export function health(d) {
  const found = stateOf(d);
  if (!d.patient_left) return found;
  return { kind: found.kind === "good" ? "watch" : found.kind, why: [t("devices.on_who_left"), found.why].filter(Boolean).join(", ") };
}

function stateOf(d) {
  const heard = ms(heardAt(d)),
    certificate = certificateOf(d);
  if (d.lifecycle === "quarantined" || d.lifecycle === "retired") return { kind: "held", why: t(`lifecycle.${d.lifecycle}`) };
  if (d.lifecycle === "ordered") return { kind: "watch", why: t("devices.waits_claim") };
  if (!certificate) return { kind: "watch", why: t("devices.no_certificate") };
  if (certificate && ms(certificate.not_after) < now()) return { kind: "silent", why: t("devices.expired") };
  if (!d.connected) return { kind: d.lifecycle === "in_service" ? "silent" : "watch", why: heard === null ? t("devices.not_connected") : t("devices.silent_for", { span: span(now() - heard) }) };
  // A cuff that measures each quarter of an hour is not silent in between.
  if (heard !== null && now() - heard > Math.max(SILENT_MS, (d.silence_after_s ?? 0) * 1000)) return { kind: "silent", why: t("devices.silent_for", { span: span(now() - heard) }) };
  if (ms(certificate.not_after) - now() < SOON_MS) return { kind: "watch", why: t("devices.expires_in", { span: span(ms(certificate.not_after) - now()) }) };
  return { kind: "good", why: "" };
}
