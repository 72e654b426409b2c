/** A labelled control, and the sentence that says why it was refused. */
import { html } from "../html.js";

export const Field = ({ label, why, children }) => html`<label class="field"><span>${label}</span>${children}${why && html`<span class="why">${why}</span>`}</label>`;

/** A choice from a list of [value, text]. */
export const Choice = ({ label, value, options, act, why, ...more }) => html`<${Field} label=${label} why=${why}>
  <select value=${value} onChange=${(event) => act(event.target.value)} ...${more}>
    ${options.map(([option, text]) => html`<option key=${option} value=${option}>${text}</option>`)}
  </select>
</${Field}>`;
