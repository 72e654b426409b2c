/** Bytes that nobody could read, made visible: as text where they are text, else as a dump of hex beside the letters. */
const SHOWN_MAX = 4096;
const LINE = 16;

function bytesOf(base64) {
  return Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
}

/** Text of a base64 payload. */
export function readable(base64) {
  const bytes = bytesOf(base64).subarray(0, SHOWN_MAX);
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    if (!/[\u0000-\u0008\u000e-\u001f]/.test(text)) return text;
  } catch {
    // Not text: shown as bytes below.
  }
  const lines = [];
  for (let at = 0; at < bytes.length; at += LINE) {
    const part = [...bytes.subarray(at, at + LINE)];
    const hex = part.map((b) => b.toString(16).padStart(2, "0")).join(" ");
    const letters = part.map((b) => (b >= 32 && b < 127 ? String.fromCharCode(b) : ".")).join("");
    lines.push(`${at.toString(16).padStart(4, "0")}  ${hex.padEnd(LINE * 3)} ${letters}`);
  }
  return lines.join("\n");
}
