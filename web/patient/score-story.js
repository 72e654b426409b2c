/** The last day of a patient's score: how much of it has a total, and why inputs lacked; asked for again every minute. */
import { useEffect, useState } from "../html.js";
import { get, query } from "../api/http.js";
import { now } from "../feed/clock.js";
import { span } from "../format/time.js";
import { t } from "../i18n/words.js";
import { lack } from "../components/covered.js";

const DAY = 86_400_000;
const AGAIN_MS = 60_000;

export function useScoreStory(id) {
  const [story, setStory] = useState(null);
  useEffect(() => {
    let gone = false;
    const look = () => {
      const to = now(),
        asked = { from: new Date(to - DAY).toISOString(), to: new Date(to).toISOString() };
      get(`/patients/${id}/scores${query(asked)}`).then((found) => gone || setStory(found), () => gone || setStory(null));
    };
    setStory(null);
    look();
    const timer = setInterval(() => document.hidden || look(), AGAIN_MS);
    return () => {
      gone = true;
      clearInterval(timer);
    };
  }, [id]);
  return story;
}

/** One sentence for each input that lacked: for how long, and why. */
export const inputLines = (story) => (story?.inputs ?? []).map((it) => t("news2.lacked", { name: t(`news2.input.${it.input}`), span: span(it.seconds * 1000), why: it.lacking.map(lack).join(", ") }));

/** Why an input lacks now, by the newest score; the ledger of gaps knows more than the last message of a device did. */
export const whyNow = (story, input) => story?.scores.at(-1)?.why?.find((it) => it.input === input)?.reason ?? null;
