/** Every word a person reads comes from a file of words; this finds them, fills their blanks and counts in the reader's grammar. */
const words = {};
let plural = new Intl.PluralRules("en");

/** Loads the words of a language. The first paint waits for it: a screen without words is not a screen. */
export async function loadWords(language = "en") {
  const version = new URL(import.meta.url).search;
  const answer = await fetch(new URL(`./${language}.json${version}`, import.meta.url));
  Object.assign(words, await answer.json());
  plural = new Intl.PluralRules(language);
}

function find(key) {
  return key.split(".").reduce((at, part) => (at === undefined ? undefined : at[part]), words);
}

function sentence(key, blanks) {
  const found = find(key);
  if (found !== null && typeof found === "object") return found[plural.select(blanks.n)] ?? found.other;
  return found;
}

/** The words for a key. A key without words shows itself, so that a test can see it. */
export function t(key, blanks = {}) {
  const text = sentence(key, blanks) ?? key;
  return text.replace(/\{(\w+)\}/g, (whole, name) => blanks[name] ?? whole);
}

/** Whether there are words for a key; for names that come from the server and may be newer than this screen. */
export const has = (key) => typeof find(key) === "string";

/** The word for a value of a server's list, or the value itself in plain letters. */
export const word = (group, value) => (has(`${group}.${value}`) ? t(`${group}.${value}`) : String(value ?? "").replaceAll("_", " "));

/** Like `t`, with elements in the blanks: gives an array of texts and elements. */
export function rich(key, blanks) {
  const parts = (sentence(key, blanks) ?? key).split(/(\{\w+\})/);
  return parts.map((part) => {
    const name = /^\{(\w+)\}$/.exec(part)?.[1];
    return name ? (blanks[name] ?? part) : part;
  });
}
