/** The record of a hospital on its own server: ninety days of a patient at once, by place, with their gaps; storage, and a backup rehearsed at one click. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { accessible, calm, look, noBrowser, open, picture, settled, shut, SIZES, tidy } from "./browser.mjs";
import { hospital, PASSWORD, write } from "./hospital.mjs";

const noProgram = process.env.WARDLINE_BIN ? false : "no server: set WARDLINE_BIN to the program";
const DAY_S = 86_400,
  MIN_S = 60,
  /** A device is said to have been on somebody since thirty days ago at most. */
  BEGAN_S = 29 * DAY_S;
/** Whoever looks, on what they hold. */
const HANDS = ["phone", "desk", "wall"];

describe("the record of a hospital", { skip: noBrowser || noProgram, concurrency: false }, () => {
  let server;
  const ids = {};
  const browsers = {};
  before(async () => {
    server = await hospital();
  });
  after(async () => {
    await tidy();
    await shut();
    await server?.stop();
  });

  /** Somebody's page on this server; `page.ask` asks the interface in their name. */
  async function entered(path, options = {}) {
    const page = await open(options);
    await page.goto(`${server.url}${path}`);
    page.ask = async (method, to, body) => {
      const answer = await page.evaluate(async ([method, to, body]) => {
        const got = await fetch(`/api/v1${to}`, { method, headers: { "x-wardline": "1", "content-type": "application/json" }, body: body ? JSON.stringify(body) : undefined });
        const text = await got.text();
        return { status: got.status, json: text ? JSON.parse(text) : null };
      }, [method, to, body]);
      assert.ok(answer.status < 300, `${method} ${to}: ${answer.status} ${JSON.stringify(answer.json)}`);
      return answer.json;
    };
    return page;
  }

  /** Through the one-time link, as every login begins. */
  async function invited(path) {
    const page = await entered(path);
    await page.fill("[name=password]", PASSWORD);
    await page.fill("[name=again]", PASSWORD);
    await page.click("[type=submit]");
    await page.waitForURL((url) => !url.pathname.startsWith("/invite"));
    return page;
  }

  const fits = async (page, what) => {
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    assert.ok(wide <= 1, `${what} is ${wide} px too wide`);
  };
  const seen = async (page, name) => {
    for (const size of HANDS) {
      await look(page, { size, theme: "dark" });
      await settled(page);
      await picture(page, `record-${name}-${SIZES[size][0]}`);
      await fits(page, `${name} at ${size}`);
      await accessible(page);
    }
    await look(page, { size: "desk", theme: "dark" });
  };

  test("is begun by its first people, and takes in a month of a device", async () => {
    const admin = (browsers.admin = await invited(server.invitation));
    ids.site = (await admin.ask("POST", "/sites", { name: "North Hospital" })).id;
    ids.unit = (await admin.ask("POST", "/care-units", { site_id: ids.site, name: "4B" })).id;
    ids.room = (await admin.ask("POST", "/rooms", { care_unit_id: ids.unit, name: "Room 1" })).id;
    ids.bed = (await admin.ask("POST", "/beds", { room_id: ids.room, name: "01" })).id;
    const { invitation } = await admin.ask("POST", "/users", { login: "mara", role: "physician", name: "Mara Vance", site_id: ids.site });
    const mara = (browsers.mara = await invited(invitation));
    ids.patient = (await mara.ask("POST", "/patients", { record_number: "BR 1", given_name: "Ilse", family_name: "Brandt" })).id;
    const now = Math.floor(Date.now() / 1000),
      since = new Date((now - BEGAN_S) * 1000).toISOString();
    await mara.ask("POST", `/beds/${ids.bed}/patient`, { patient: ids.patient, from: since });
    ids.device = (await admin.ask("POST", "/devices", { profile: "home-oximeter", serial: "OX-1", label: "Oximeter 1", care_unit: ids.unit })).id;
    const papers = await admin.ask("POST", `/devices/${ids.device}/certificate`);
    await admin.ask("PUT", `/devices/${ids.device}/lifecycle`, { state: "in_service" });
    await mara.ask("POST", `/devices/${ids.device}/association`, { patient: ids.patient, from: since });
    // A value a minute but for four days in which nothing came, and two in which what came could not be.
    const lines = [];
    for (let at = now - BEGAN_S; at < now; at += MIN_S) {
      const day = (now - at) / DAY_S;
      if (day > 10 && day < 14) continue;
      const spo2 = day > 5 && day < 7 ? 400 : 95 + Math.round(2 * Math.sin(at / 20_000));
      lines.push(`v MDC_PULS_OXIM_SAT_O2=${at === now - BEGAN_S + 500 * MIN_S ? 71 : spo2},MDC_PULS_OXIM_PULS_RATE=${72 + (at / MIN_S) % 9} ${at}`);
    }
    await write({ https: server.https, papers, lines });
    const to = new Date(now * 1000).toISOString(),
      path = `/patients/${ids.patient}/measured?from=${since}&to=${to}&columns=600`;
    // What was answered is there a moment later: 23 days of minutes.
    await mara.waitForFunction(async ([path, most]) => {
      const { lines } = await (await fetch(`/api/v1${path}`)).json();
      return lines.find((it) => it.vital === "saturation")?.count >= most;
    }, [path, 33_100], { polling: 250 });
    const { lines: drawn } = await mara.ask("GET", path);
    assert.equal(Math.min(...drawn.find((it) => it.vital === "saturation").least), 71);
  });

  test("shows ninety days at once with their gaps and reasons, on every size", async () => {
    const { mara: page } = browsers;
    await page.goto(`${server.url}/history/patients/${ids.patient}?range=90d`);
    await page.waitForSelector("[data-coverage]");
    const oxygen = page.locator("[data-line=MDC_PULS_OXIM_SAT_O2]");
    const told = await oxygen.locator("[data-coverage]").innerText();
    assert.match(told, /79\.\d % covered \(sent nothing 4 d, implausible value 2 d\)/);
    const share = Number(await oxygen.locator("[data-coverage]").getAttribute("data-coverage"));
    assert.ok(share > 79 && share < 80, `${share} %`);
    // The crosshair in the long gap says why, and where the value is it says which.
    const over = oxygen.locator(".u-over");
    await over.scrollIntoViewIfNeeded();
    const box = await over.boundingBox();
    await page.mouse.move(box.x + (box.width * 78) / 90, box.y + 20);
    await page.waitForFunction(() => /sent nothing/.test(document.querySelector("[data-line=MDC_PULS_OXIM_SAT_O2] .trend-now").textContent));
    await page.mouse.move(box.x + (box.width * 30) / 90, box.y + 20);
    await page.waitForFunction(() => /no device/.test(document.querySelector("[data-line=MDC_PULS_OXIM_SAT_O2] .trend-now").textContent));
    await page.mouse.move(2, 2);
    await seen(page, "history-90d");
    calm(page);
  });

  test("says on the patient's page how much of each trend and of the score is there, and why not", async () => {
    const { mara: page } = browsers;
    await page.goto(`${server.url}/patients/${ids.patient}?range=30d`);
    const share = page.locator('.trend[data-param="spo2"] .covered').first();
    await share.waitFor();
    const all = await page.locator(".trend .covered").evaluateAll((found) => found.map((it) => [it.querySelector("summary").textContent, it.title]));
    assert.ok(all.some(([said, why]) => /^79\.\d % covered$/.test(said) && /sent nothing 4 d\nimplausible value 2 d\nno device/.test(why)), JSON.stringify(all));
    // Nothing that measures a temperature was ever on, and nobody charted consciousness.
    await page.waitForSelector("[data-input=temperature][data-why=no_device]");
    assert.match(await page.locator("[data-input=temperature]").innerText(), /no device/);
    await page.waitForSelector("[data-input=consciousness][data-why=not_charted]");
    await page.locator(".news-day summary").click();
    assert.match(await page.locator(".news-day .reasons").innerText(), /Temperature: .*no device/);
    await page.locator(".news-day summary").click();
    await seen(page, "patient");
    calm(page);
  });

  test("answers by place, from the site down to the bed, for everybody and for one channel", async () => {
    const { mara: page } = browsers;
    await page.goto(`${server.url}/history/patients/${ids.patient}?range=90d`);
    await page.selectOption("[name=place]", `sites/${ids.site}`);
    await page.waitForURL(new RegExp(`/history/sites/${ids.site}\\?range=90d`));
    await page.waitForSelector("[data-measuring='1']");
    assert.match(await page.locator("[data-measuring]").innerText(), /Ilse Brandt, Oximeter 1\s+Bed 01/);
    await page.waitForSelector("[data-line]");
    for (const place of [`care-units/${ids.unit}`, `rooms/${ids.room}`, `beds/${ids.bed}`]) {
      await page.selectOption("[name=place]", place);
      await page.waitForURL(new RegExp(`/history/${place}`));
      await page.waitForSelector("[data-line=MDC_PULS_OXIM_SAT_O2] [data-coverage]");
    }
    // Pulse alone, out of what the device has.
    const option = await page.locator("[name=channel] option", { hasText: "PR" }).first().getAttribute("value");
    await page.selectOption("[name=channel]", option);
    await page.waitForFunction(() => document.querySelectorAll("[data-line]").length === 1);
    assert.ok(page.url().includes("channel=MDC_PULS_OXIM_PULS_RATE"));
    await page.selectOption("[name=channel]", "");
    await page.waitForFunction(() => document.querySelectorAll("[data-line]").length > 1);
    await page.click(".by-place li button");
    await page.waitForURL(/device=/);
    await page.click("[data-everybody]");
    await page.waitForURL((url) => !url.search.includes("device="));
    await page.waitForSelector("[data-line] [data-coverage]");
    await seen(page, "history-place");
    calm(page);
  });

  test("shows the storage, backs itself up and rehearses the restore at one click each", async () => {
    const { admin: page } = browsers;
    await page.goto(`${server.url}/system`);
    await page.waitForSelector("[data-storage]");
    assert.match(await page.locator("[data-storage]").innerText(), /% used/);
    const free = () => page.waitForFunction(() => {
      const button = document.querySelector("[data-back-up]");
      return button && !button.disabled;
    }, null, { timeout: 90_000 });
    await free();
    const before = Number(await page.locator("[data-backups]").getAttribute("data-backups"));
    await page.click("[data-back-up]");
    await page.waitForFunction((n) => Number(document.querySelector("[data-backups]").dataset.backups) > n, before, { timeout: 90_000 });
    await free();
    const rehearsed = async () => (await page.ask("GET", "/system")).backup.rehearsed_at;
    const was = await rehearsed();
    await page.locator("[data-rehearse]").scrollIntoViewIfNeeded();
    await page.click("[data-rehearse]");
    await page.waitForFunction(async (was) => {
      const { backup } = await (await fetch("/api/v1/system")).json();
      return backup.under_way === null && backup.rehearsed_at !== null && backup.rehearsed_at !== was;
    }, was, { timeout: 90_000, polling: 500 });
    await page.waitForSelector("[data-rehearse]:not([disabled])", { timeout: 10_000 });
    const { backup } = await page.ask("GET", "/system");
    assert.equal(backup.problem, null);
    assert.equal(backup.rehearsed_of, backup.last_at);
    const card = await page.locator("[data-backups]").innerText();
    assert.match(card, /Restored and compared\s*\d+ (s|min) ago/);
    await page.locator("[data-backups]").scrollIntoViewIfNeeded();
    await seen(page, "system");
    calm(page);
  });
});
