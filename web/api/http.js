/** Talks to `/api/v1`: JSON in and out, problems as errors that carry the server's own words. */

import { reviver } from "../i18n/heard.js";

/** What the server would not do, and why, in words that can be shown. `status` 0 means that it could not be reached. */
export class Problem extends Error {
  constructor({ status, title, detail, hint, instance, type }) {
    super(title ?? `status ${status}`);
    Object.assign(this, { status, title, detail, hint, instance, kind: type });
  }
}

let signedOut = () => {};
/** Says what to do when the session has ended. */
export const onSignedOut = (act) => {
  signedOut = act;
};

async function ask(method, path, body) {
  const headers = { accept: "application/json" };
  if (method !== "GET") headers["x-wardline"] = "1";
  if (body !== undefined) headers["content-type"] = "application/json";
  let answer;
  try {
    answer = await fetch(`/api/v1${path}`, { method, headers, credentials: "same-origin", body: body === undefined ? undefined : JSON.stringify(body) });
  } catch {
    throw new Problem({ status: 0 });
  }
  if (answer.status === 204) return null;
  const text = await answer.text();
  const json = parse(text);
  if (answer.ok) return json;
  if (answer.status === 401 && path !== "/session") signedOut();
  throw new Problem({ status: answer.status, ...(json ?? {}) });
}

function parse(text) {
  try {
    return text ? JSON.parse(text, reviver) : null;
  } catch {
    return null;
  }
}

/** Query text from the values that are there. */
export function query(values) {
  const set = Object.entries(values).filter(([, value]) => value !== undefined && value !== null && value !== "");
  return set.length ? `?${new URLSearchParams(set)}` : "";
}

export const get = (path) => ask("GET", path);
export const post = (path, body) => ask("POST", path, body);
export const put = (path, body) => ask("PUT", path, body);
export const remove = (path) => ask("DELETE", path);
