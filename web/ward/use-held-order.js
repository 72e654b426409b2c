/** Keeps an order still while a hand, a finger or the keyboard is on the board, and lets it settle once they have left. */
import { useEffect, useRef, useState } from "../html.js";
import { moved } from "./order.js";

/** After the last touch or movement of the pointer the board may move again. */
const STILL_MS = 4000;

/** Answers `[shown, waiting, settle, ref]`: what to show, how many wait to move, how to let them, and the ref of the board. */
export function useHeldOrder(wanted) {
  const board = useRef(null),
    touched = useRef(-Infinity),
    shown = useRef(wanted);
  const [, again] = useState(0);
  const held = performance.now() - touched.current < STILL_MS;
  const same = shown.current.length === wanted.length && wanted.every((id) => shown.current.includes(id));
  if (!held || !same) shown.current = wanted;
  const waiting = moved(shown.current, wanted);
  useEffect(() => {
    const touch = () => {
      touched.current = performance.now();
    };
    const kinds = ["pointermove", "pointerdown", "wheel", "touchmove", "focusin", "keydown"];
    for (const kind of kinds) board.current?.addEventListener(kind, touch, { passive: true });
    return () => kinds.forEach((kind) => board.current?.removeEventListener(kind, touch));
  }, [board.current]);
  useEffect(() => {
    if (!waiting) return undefined;
    const timer = setTimeout(() => again((n) => n + 1), STILL_MS - (performance.now() - touched.current) + 50);
    return () => clearTimeout(timer);
  });
  const settle = () => {
    touched.current = -Infinity;
    again((n) => n + 1);
  };
  return [shown.current, waiting, settle, board];
}
