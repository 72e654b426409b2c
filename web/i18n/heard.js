/** What the server says in English sentences, such as «SpO₂ low 84 %», in the reader's language. A sentence that nobody has translated stays as it is. */
import { decimalMark, number } from "../format/number.js";
import { glucoseIn } from "../format/units.js";
import { language, original, t } from "./words.js";

/** The fields of an answer that hold such sentences; all others are names, codes or what a person wrote. */
const SENTENCES = new Set(["title", "detail", "hint", "end", "measured_by", "missing", "reason", "value_text"]);
const DEPTH_MAX = 3;
let patterns = null;

/** The English phrases as patterns, the most telling first, so that «NEWS2 red score» is not taken for «NEWS2» and a number. */
function compiled() {
  if (patterns) return patterns;
  const escaped = (text) => text.replace(/[.*+?^$()|[\]\\]/g, "\\$&");
  patterns = Object.entries(original().heard ?? {}).map(([key, text]) => {
    const names = [...text.matchAll(/\{(\w+)\}/g)].map((m) => m[1]);
    const source = text.split(/\{(\w+)\}/).map((part, i) => (i % 2 ? blank(part) : escaped(part))).join("");
    return { key, names, pattern: new RegExp(`^${source}$`), weight: text.replace(/\{\w+\}/g, "").length };
  });
  patterns.sort((a, b) => b.weight - a.weight);
  return patterns;
}

/** A blank for a number takes only a number, so that a phrase is not recognised in the wrong sentence. */
const blank = (name) => (name === "value" || name === "n" || name === "m" ? "(-?\\d+(?:\\.\\d+)?)" : name === "span" ? "(\\d+(?:\\.\\d+)? (?:s|min|h))" : "(.+?)");

/** A sentence of the server in the reader's language, with numbers as they are written there. */
export function heard(text, depth = 0) {
  if (typeof text !== "string" || text === "" || depth > DEPTH_MAX) return text;
  const there = glucoseIn(text);
  if (language() === "en") return there;
  if (/^-?\d+(\.\d+)?$/.test(there)) return there.replace(".", decimalMark());
  for (const { key, names, pattern } of compiled()) {
    const found = pattern.exec(there);
    if (!found) continue;
    return t(`heard.${key}`, Object.fromEntries(names.map((name, i) => [name, filled(name, found[i + 1], depth)])));
  }
  return there;
}

function filled(name, text, depth) {
  if (/^-?\d+(\.\d+)?$/.test(text)) return number(Number(text), 2);
  if (name === "span") return text.replace(/^\d+\.\d+/, (n) => number(Number(n), 1));
  return heard(text, depth + 1);
}

/** For `JSON.parse`: sentences are put into the reader's language as they arrive, so that no screen has to think of it. */
export const reviver = (key, value) => (typeof value === "string" && SENTENCES.has(key) ? heard(value) : value);
