/** What a screen shows when there is nothing, not yet, no more, or not for you. Each says what to do next. */
import { html } from "../html.js";
import { t } from "../i18n/words.js";

export const Empty = ({ title, text, children }) =>
  html`<div class="state"><h2>${title}</h2><p class="dim">${text}</p>${children}</div>`;

export const Loading = () => html`<div class="state" aria-busy="true" role="status">
  <div class="bone w60"></div><div class="bone"></div><div class="bone w40"></div><span class="hidden">${t("state.loading")}</span>
</div>`;

/** For any problem: forbidden, not found, unreachable or broken, each in its own words. */
export function Failed({ problem, again, what }) {
  if (problem.status === 403) return html`<div class="state" data-state="forbidden"><h2>${t("state.forbidden")}</h2><p class="dim">${problem.detail ?? t("state.forbidden_text")}</p>${problem.hint && html`<p class="small faint">${problem.hint}</p>`}</div>`;
  if (problem.status === 404) return html`<div class="state"><h2>${t("state.missing")}</h2><p class="dim">${problem.detail ?? t("state.missing_text")}</p></div>`;
  const title = problem.status === 0 ? t("state.unreachable") : t("state.failed", { what: what ?? t("state.this") });
  return html`<div class="state" role="alert" data-state="failed">
    <h2>${title}</h2>
    <p class="dim">${problem.status === 0 ? t("state.unreachable_text") : (problem.detail ?? t("state.failed_text"))}</p>
    ${again && html`<button type="button" onClick=${again}>${t("act.again")}</button>`}
    ${problem.instance && html`<p class="small faint">${t("state.say_to_it", { code: problem.instance })}</p>`}
  </div>`;
}

/** The sentence of a problem, to stand beside the button that met it. */
export function sayProblem(problem) {
  if (problem.status === 0) return t("state.unreachable_text");
  return [problem.detail ?? problem.title, problem.hint].filter(Boolean).join(". ");
}
