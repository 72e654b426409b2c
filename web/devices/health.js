/** How a device does, in one of four words, with the reason: silent, to be watched, held back, or good. */
import { now } from "../feed/clock.js";
import { ms, span } from "../format/time.js";
import { t } from "../i18n/words.js";

export const RANK = { silent: 0, watch: 1, held: 2, good: 3 };
export const SIGNS = { silent: "○", watch: "◐", held: "⊘", good: "●" };
const SILENT_MS = 30_000;
const BATTERY_LOW = 20;
const SOON_MS = 30 * 86_400_000;

/** The newest certificate that still stands, of a device that lists one or several. */
export const certificateOf = (d) => d.certificate ?? (d.certificates ?? []).filter((c) => !c.revoked_at).sort((a, b) => ms(b.not_after) - ms(a.not_after))[0] ?? null;
export const heardAt = (d) => d.last_heard_at ?? d.last_received_at ?? d.last_seen_at ?? d.heard_at ?? null;
export const patientOf = (d) => d.patient ?? d.association?.patient ?? null;
export const patientName = (d) => d.patient_name ?? patientOf(d)?.name ?? null;
const batteryOf = (d) => d.battery_percent ?? d.battery_level ?? d.battery ?? null;

export function health(d) {
  const heard = ms(heardAt(d)),
    certificate = certificateOf(d);
  if (d.lifecycle === "quarantined" || d.lifecycle === "retired") return { kind: "held", why: t(`lifecycle.${d.lifecycle}`) };
  if (!certificate) return { kind: "watch", why: t("devices.no_certificate") };
  if (certificate && ms(certificate.not_after) < now()) return { kind: "silent", why: t("devices.expired") };
  if (heard === null) return { kind: "watch", why: t("devices.never_heard") };
  if (d.connected === false || now() - heard > Math.max(SILENT_MS, (d.silence_after_s ?? 0) * 1000)) return { kind: "silent", why: t("devices.silent_for", { span: span(now() - heard) }) };
  const battery = Number(batteryOf(d) ?? 100);
  if (battery < BATTERY_LOW) return { kind: "watch", why: t("devices.battery", { battery }) };
  if (ms(certificate.not_after) - now() < SOON_MS) return { kind: "watch", why: t("devices.expires_in", { span: span(ms(certificate.not_after) - now()) }) };
  return { kind: "good", why: "" };
}
