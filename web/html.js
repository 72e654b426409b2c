/** The one place that joins preact, htm and signals, so that a screen has one import for its markup. */
import { h } from "./vendor/preact.js";
import htm from "./vendor/htm.js";

export { render, Fragment } from "./vendor/preact.js";
export { useEffect, useLayoutEffect, useRef, useState, useMemo, useErrorBoundary } from "./vendor/preact-hooks.js";
export { signal, computed, effect, batch, untracked, useSignal, useComputed, useSignalEffect } from "./vendor/preact-signals.js";

export const html = htm.bind(h);
