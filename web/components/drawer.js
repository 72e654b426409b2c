/** A drawer says one thing to its end. It opens beside the list it belongs to, takes focus, and Escape gives it back. */
import { html, useEffect, useRef } from "../html.js";
import { t } from "../i18n/words.js";

export function Drawer({ id, title, sub, close, children }) {
  const panel = useRef(null);
  useEffect(() => {
    const before = document.activeElement;
    panel.current.focus({ preventScroll: true });
    panel.current.scrollTop = 0;
    return () => before?.isConnected && before.focus({ preventScroll: true });
  }, [id]);
  const leave = (event) => {
    if (event.key === "Tab") hold(event, panel.current);
    if (event.key !== "Escape") return;
    event.stopPropagation();
    close();
  };
  return html`<aside class="drawer panel" tabindex="-1" aria-label=${title} ref=${panel} onKeyDown=${leave}>
    <header class="row">
      <div class="grow"><h2 class="drawer-title">${title}</h2>${sub && html`<p class="small dim">${sub}</p>`}</div>
      <button type="button" class="plain" aria-label=${t("act.close")} onClick=${close}>✕</button>
    </header>
    ${children}
  </aside>`;
}

/** Where a drawer lies over its list, as on a phone, the focus stays in it: what is behind cannot be seen. */
function hold(event, panel) {
  if (getComputedStyle(panel).position !== "fixed") return;
  const all = [...panel.querySelectorAll("a[href], button:not(:disabled), input, select, textarea, summary, [tabindex='0']")].filter((e) => e.checkVisibility());
  const [first, last] = [all[0], all.at(-1)];
  const from = document.activeElement;
  if (event.shiftKey ? from === first || from === panel : from === last) {
    event.preventDefault();
    (event.shiftKey ? last : first)?.focus();
  }
}

/** Facts as name and value, in one column; pairs without a value are left out. */
export const Pairs = ({ list }) => html`<dl class="pairs">
  ${list.filter((pair) => pair && pair[1] !== null && pair[1] !== undefined && pair[1] !== "").map(([name, value]) => html`<dt key=${name}>${name}</dt><dd>${value}</dd>`)}
</dl>`;

/** A life told in order: solid for people, hollow for the machine, dashed while nobody had it. */
export const Life = ({ events }) => html`<ol class="life">
  ${events.map((e, i) => html`<li key=${i} data-kind=${e.kind}>
    <time class="faint">${e.at}</time>
    <div><p class=${e.strong ? "strong" : ""}>${e.text}</p>${e.proof && html`<p class="small faint">${e.proof}</p>`}</div>
  </li>`)}
</ol>`;
