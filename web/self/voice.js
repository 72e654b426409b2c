/** In which person an own page speaks: to a patient in a bed here, to one who lies in none, or about the patient to somebody with whom it is shared. */
import { has, t } from "../i18n/words.js";

const person = (own) => (own.shared_until ? "theirs" : own.bed ? null : "away");

/** Gives a function like `t`, with keys of `own`; words that are the same for everybody stand there once. */
export function voice(own) {
  const group = person(own);
  return (key, blanks = {}) => {
    const said = `own.${group}.${key}`;
    return t(group && has(said) ? said : `own.${key}`, { name: own.given_name, ...blanks });
  };
}
