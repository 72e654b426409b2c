/** A whole list as a screen holds it: what was read last, why it could not be, and reading it again. */
import { useEffect, useState } from "../html.js";
import { all } from "./act.js";

/** Read once, or every so many milliseconds while the screen stands; an older list stays when a newer one cannot be had. */
export function useList(path, every) {
  const [list, setList] = useState(null),
    [problem, setProblem] = useState(null);
  const load = () => all(path).then((items) => { setList(items); setProblem(null); }, setProblem);
  useEffect(() => {
    load();
    if (!every) return undefined;
    const timer = setInterval(load, every);
    return () => clearInterval(timer);
  }, [path, every]);
  return { list, problem, load };
}
