/** Several panels in one place, one of them open; the arrow keys walk between their names. */
import { html, useRef } from "../html.js";

/** `tabs` are [name, text, count]; `chosen` the open one, `act(name)` opens another. The panel is the child. */
export function Tabs({ id, label, tabs, chosen, act, children }) {
  const bar = useRef(null);
  const key = (event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!by) return;
    event.preventDefault();
    event.stopPropagation();
    const next = (tabs.findIndex(([name]) => name === chosen) + by + tabs.length) % tabs.length;
    act(tabs[next][0]);
    bar.current.children[next].focus();
  };
  return html`<section class="panel tabs" aria-label=${label}>
    <div class="tab-bar" role="tablist" aria-label=${label} ref=${bar} onKeyDown=${key}>${tabs.map(([name, text, count]) => html`<button key=${name} type="button" role="tab" id=${`${id}-${name}`} aria-controls=${`${id}-panel`}
      aria-selected=${String(name === chosen)} tabindex=${name === chosen ? 0 : -1} onClick=${() => act(name)}>${text}${count ? html` <span class="faint">${count}</span>` : null}</button>`)}</div>
    <div class="tab-panel" role="tabpanel" id=${`${id}-panel`} aria-labelledby=${`${id}-${chosen}`} tabindex="0">${children}</div>
  </section>`;
}
