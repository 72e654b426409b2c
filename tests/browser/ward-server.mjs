/** The real server: the one that WARDLINE_URL names, else a demonstration of its own from WARDLINE_BIN. */
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, afterEach, before } from "node:test";
import { open, shut, tidy } from "./browser.mjs";

const READY_MS = 60_000;

/** Why there is nothing to test against, or `false`. */
export const noServer = process.env.WARDLINE_URL || process.env.WARDLINE_BIN ? false : "no server: set WARDLINE_URL, or WARDLINE_BIN to the program";

/** Gives `{ url, stop }`. The program says on its output where it is: `ready {"people":"http://localhost:…"}`. */
export async function server() {
  if (process.env.WARDLINE_URL) return { url: process.env.WARDLINE_URL.replace(/\/$/, ""), stop: async () => {} };
  const data = await mkdtemp(join(tmpdir(), "wardline-screens-"));
  const child = spawn(process.env.WARDLINE_BIN, ["demo", "--port", "0", "--json", "--data", join(data, "data")], { stdio: ["ignore", "pipe", "inherit"] });
  const stop = async () => {
    const ended = new Promise((done) => child.once("exit", done));
    if (child.exitCode === null) {
      child.kill("SIGINT");
      await ended;
    }
    await rm(data, { recursive: true, force: true });
  };
  const url = await new Promise((found, refuse) => {
    const late = setTimeout(() => refuse(new Error(`the server was not ready within ${READY_MS} ms`)), READY_MS);
    child.once("exit", (code) => refuse(new Error(`the server ended with ${code} before it was ready`)));
    createInterface({ input: child.stdout }).on("line", (line) => {
      const ready = /^(?:ready )?(\{.*"people".*\})$/.exec(line);
      if (!ready) return;
      clearTimeout(late);
      found(JSON.parse(ready[1]).people.replace(/\/$/, ""));
    });
  });
  return { url, stop };
}

/** Stands around the tests of the `describe` that calls it: one server for all of them, and no page left behind by any. */
export function realWard() {
  let ward;
  before(async () => {
    ward = await server();
  });
  afterEach(tidy);
  after(async () => {
    await shut();
    await ward?.stop();
  });
  return {
    get url() {
      return ward.url;
    },
  };
}

/** A page of somebody who signed in with one click; `ask` the interface in their name, or have its `answer` with the status. */
export async function signedIn(ward, login, options = {}) {
  const page = await open(options);
  await page.goto(`${ward.url}/sign-in`);
  page.answer = (method, path, body) =>
    page.evaluate(async ([method, path, body]) => {
      const answer = await fetch(`/api/v1${path}`, { method, headers: { "x-wardline": "1", "content-type": "application/json" }, body: body ? JSON.stringify(body) : undefined });
      const text = await answer.text();
      return { status: answer.status, json: text ? JSON.parse(text) : null };
    }, [method, path, body]);
  page.ask = async (...asked) => (await page.answer(...asked)).json;
  await page.answer("POST", `/demo-sign-in/${login}`);
  return page;
}
