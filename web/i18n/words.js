/** Every word a person reads comes from a file of words; this finds them, fills their blanks and counts in the reader's grammar. */

/** The languages that have a file of words, each with the region whose dates and numbers it writes. */
const LOCALES = { en: "en-GB", de: "de-DE", es: "es-ES" };
export const LANGUAGES = Object.keys(LOCALES);
const KEY = "wardline.language";
let words = {};
let english = {};
let chosen = "en";
let plural = new Intl.PluralRules(chosen);

export const language = () => chosen;
/** For dates and numbers, such as `en-GB`. */
export const locale = () => LOCALES[chosen];
/** The English words, by which a sentence of the server is recognised. */
export const original = () => english;

/** What somebody chose on this device, else the first of the browser's languages that has words, else English. */
export function preferred(asked = globalThis.navigator?.languages ?? []) {
  let kept = null;
  try {
    kept = localStorage.getItem(KEY);
  } catch {
    // Then the browser's own choice counts.
  }
  return [kept, ...asked.map((tag) => tag.slice(0, 2).toLowerCase())].find((tag) => LANGUAGES.includes(tag)) ?? "en";
}

/** Keeps another language for this device; the page begins anew in it. */
export function choose(wanted) {
  try {
    localStorage.setItem(KEY, wanted);
  } catch {
    // Nothing to keep it in: the browser's language stays.
  }
  location.reload();
}

async function file(name) {
  const version = new URL(import.meta.url).search;
  return (await fetch(new URL(`./${name}.json${version}`, import.meta.url))).json();
}

/** Loads the words of a language. The first paint waits for it: a screen without words is not a screen. */
export async function loadWords(wanted = "en") {
  const [base, own] = await Promise.all([file("en"), wanted === "en" ? null : file(wanted).catch(() => null)]);
  use(own ? wanted : "en", base, own);
}

/** Takes the words of a language; what it lacks is said in English rather than not at all. */
export function use(name, base, own) {
  english = base;
  words = own ?? base;
  chosen = name;
  plural = new Intl.PluralRules(name);
}

const within = (tree, key) => key.split(".").reduce((at, part) => (at === undefined ? undefined : at[part]), tree);
const find = (key) => within(words, key) ?? within(english, key);

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
export const has = (key) => typeof (find(key)?.other ?? find(key)) === "string";

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
