/** A small panel under the control that opened it. Escape or a touch elsewhere closes it and gives the focus back. */
import { html, useEffect, useRef, useState } from "../html.js";

export function Popover({ label, button, className = "", children }) {
  const [open, setOpen] = useState(false);
  const box = useRef(null);
  useEffect(() => {
    if (!open) return undefined;
    const outside = (event) => box.current.contains(event.target) || setOpen(false);
    const escape = (event) => {
      if (event.key !== "Escape") return;
      setOpen(false);
      box.current.querySelector("button").focus();
    };
    addEventListener("pointerdown", outside);
    addEventListener("keydown", escape);
    return () => {
      removeEventListener("pointerdown", outside);
      removeEventListener("keydown", escape);
    };
  }, [open]);
  const close = () => setOpen(false);
  return html`<div class=${`popover ${className}`} ref=${box}>
    <button type="button" class="plain" aria-expanded=${String(open)} title=${label} onClick=${() => setOpen(!open)}>${button}</button>
    ${open && html`<div class="popover-panel panel stack" role="dialog" aria-label=${label}>${typeof children === "function" ? children(close) : children}</div>`}
  </div>`;
}
