/** A hospital's own server: `wardline serve` on a configuration with backups, its first people, and a device that brings its past by line protocol. */
import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { request } from "node:https";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

const READY_MS = 60_000;
export const PASSWORD = "a sentence is long enough";
/** Lines of one request (device-protocol.md). */
const LINES = 10_000;

/** A port that was free a moment ago: a device's certificate says where HTTPS is, so it is chosen before. */
const free = () => new Promise((found, refuse) => {
  const probe = createServer().once("error", refuse);
  probe.listen(0, "127.0.0.1", () => {
    const { port } = probe.address();
    probe.close(() => found(port));
  });
});

/** Gives `{ url, invitation, stop }`; `invitation` is the path of the administrator's one-time link. `disk` is where its data is, if not beside its configuration. */
export async function hospital({ disk } = {}) {
  const home = await mkdtemp(join(tmpdir(), "wardline-hospital-")),
    [https, mqtt] = [await free(), await free()];
  await writeFile(join(home, "backup.key"), `wardline-backup-key-1 ${"5a".repeat(32)}\n`, { mode: 0o600 });
  await writeFile(join(home, "wardline.toml"), [
    `data = ${JSON.stringify(join(disk ?? home, "data"))}`, 'metrics = "127.0.0.1:0"', "[people]", 'listen = "127.0.0.1:0"', "tls = false",
    "[devices]", `mqtt = "127.0.0.1:${mqtt}"`, `https = "127.0.0.1:${https}"`, "[backup]", `key = ${JSON.stringify(join(home, "backup.key"))}`, `folder = ${JSON.stringify(join(home, "backups"))}`, "every_hours = 24", ""].join("\n"));
  const child = spawn(process.env.WARDLINE_BIN, ["serve", "--config", join(home, "wardline.toml")], { stdio: ["ignore", "ignore", "pipe"] });
  const stop = async () => {
    const ended = new Promise((done) => child.once("exit", done));
    if (child.exitCode === null) {
      child.kill("SIGINT");
      await ended;
    }
    await rm(home, { recursive: true, force: true });
  };
  const said = [];
  const found = {};
  await new Promise((ready, refuse) => {
    const late = setTimeout(() => refuse(new Error(`not ready within ${READY_MS} ms:\n${said.join("\n")}`)), READY_MS);
    child.once("exit", (code) => refuse(new Error(`ended with ${code}:\n${said.join("\n")}`)));
    createInterface({ input: child.stderr }).on("line", (line) => {
      said.push(line);
      found.url ??= /^Wardline serves (\S+)/.exec(line)?.[1].replace(/\/$/, "");
      found.invitation ??= /(\/invite\/\S+)$/.exec(line.trim())?.[1];
      if (!found.url || !found.invitation) return;
      clearTimeout(late);
      ready();
    });
  });
  return { ...found, https, stop };
}

/** Writes a device's lines, so many in a request as it may have, and waits for each answer. */
export async function write({ https, papers, lines }) {
  for (let i = 0; i < lines.length; i += LINES) {
    const body = lines.slice(i, i + LINES).join("\n");
    const status = await new Promise((done, refuse) => {
      const sent = request({ host: "127.0.0.1", port: https, servername: "localhost", method: "POST", path: `/api/v2/write?precision=s&now=${Math.floor(Date.now() / 1000)}`, cert: papers.certificate_pem, key: papers.key_pem, ca: papers.ca_pem, headers: { "content-type": "text/plain" } }, (answer) => {
        answer.resume();
        answer.once("end", () => done(answer.statusCode));
      });
      sent.once("error", refuse);
      sent.end(body);
    });
    if (status !== 204) throw new Error(`lines were answered with ${status}`);
  }
}
