/** Both nights of 2026 in which Berlin's clocks change: axes of 23 and 25 hours, an hour that is said twice, one that never comes. */
import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";
import { accessible, calm, noBrowser, open, settled, shut, tidy } from "./browser.mjs";
import { serve } from "./stand-in/server.mjs";
import { uuid } from "./stand-in/ward.mjs";

process.env.TZ = "Europe/Berlin";
const { instants, isSaidTwice, offset, roundTimes, toField } = await import("../../web/format/wall-clock.js");
const { hhmm, hhmmss } = await import("../../web/format/time.js");

const utc = (text) => Date.parse(`${text}Z`);
const HOUR = 3_600_000;

describe("the clock on the wall", () => {
  for (const [text, want] of [
    ["2026-03-29T01:59", ["2026-03-29T00:59"]],
    ["2026-03-29T02:00", []],
    ["2026-03-29T02:59", []],
    ["2026-03-29T03:00", ["2026-03-29T01:00"]],
    ["2026-10-25T01:59", ["2026-10-24T23:59"]],
    ["2026-10-25T02:00", ["2026-10-25T00:00", "2026-10-25T01:00"]],
    ["2026-10-25T02:59", ["2026-10-25T00:59", "2026-10-25T01:59"]],
    ["2026-10-25T03:00", ["2026-10-25T02:00"]],
    ["2026-07-01T12:00", ["2026-07-01T10:00"]],
    ["", []],
  ]) {
    test(`«${text}» is ${want.length} instants`, () => {
      const found = instants(text);
      assert.deepEqual(found, want.map(utc));
      for (const at of found) assert.equal(toField(at), text);
    });
  }

  test("says an hour that comes twice with its distance from UTC, and no other", () => {
    assert.deepEqual(["2026-10-24T23:59", "2026-10-25T00:00", "2026-10-25T00:59", "2026-10-25T01:00", "2026-10-25T01:59", "2026-10-25T02:00"].map((at) => hhmm(utc(at))), ["01:59", "02:00 UTC+2", "02:59 UTC+2", "02:00 UTC+1", "02:59 UTC+1", "03:00"]);
    assert.equal(hhmmss(utc("2026-10-25T01:00:07")), "02:00:07 UTC+1");
    assert.equal(offset(utc("2026-07-01T00:00")), "UTC+2");
    for (let at = utc("2026-03-28T20:00"); at < utc("2026-03-29T06:00"); at += HOUR / 4) assert.equal(isSaidTwice(at), false, new Date(at).toISOString());
  });

  const axis = (from, to, step) => roundTimes(utc(from), utc(to), step).map(hhmm);
  test("puts round times on a day of 23 hours", () => {
    assert.deepEqual(axis("2026-03-28T23:00", "2026-03-29T03:00", HOUR), ["00:00", "01:00", "03:00", "04:00", "05:00"]);
    assert.deepEqual(axis("2026-03-28T23:00", "2026-03-29T22:00", 4 * HOUR), ["00:00", "04:00", "08:00", "12:00", "16:00", "20:00", "00:00"]);
    assert.deepEqual(axis("2026-03-28T23:00", "2026-03-29T05:00", 2 * HOUR), ["00:00", "04:00", "06:00"]);
  });
  test("puts round times on a day of 25 hours, the hour that comes twice twice", () => {
    assert.deepEqual(axis("2026-10-24T22:00", "2026-10-25T03:00", HOUR), ["00:00", "01:00", "02:00 UTC+2", "02:00 UTC+1", "03:00", "04:00"]);
    assert.deepEqual(axis("2026-10-24T22:00", "2026-10-25T23:00", 6 * HOUR), ["00:00", "06:00", "12:00", "18:00", "00:00"]);
    assert.deepEqual(axis("2026-10-25T00:10", "2026-10-25T01:20", HOUR / 2), ["02:30 UTC+2", "02:00 UTC+1"]);
  });
  test("begins each day at its midnight over both nights", () => {
    for (const [from, to] of [["2026-03-26T10:00", "2026-04-02T10:00"], ["2026-10-22T10:00", "2026-10-29T10:00"]]) {
      assert.deepEqual([...new Set(axis(from, to, 24 * HOUR))], ["00:00"]);
      assert.equal(axis(from, to, 24 * HOUR).length, 7);
    }
  });
});

describe("screens in Berlin", { skip: noBrowser, concurrency: false }, () => {
  let house;
  before(async () => {
    house = await serve();
  });
  afterEach(tidy);
  after(async () => {
    await shut();
    house?.close();
  });
  const at = async (path, options = {}) => {
    Object.assign(house.state, { role: "nurse", signedIn: true, empty: false, broken: null, blind: false, recording: true });
    const page = await open({ timezoneId: "Europe/Berlin", locale: "en-GB", ...options });
    await page.goto(`${house.url}${path}`);
    return page;
  };
  const history = (from, to, more = "") => `/history/patients/${uuid(3, 4)}?from=${utc(from)}&to=${utc(to)}${more}`;
  const known = (page) => page.evaluate(() => Number(new URL(location.href).searchParams.get("known_at")) || null);

  for (const size of ["phone", "desk"]) {
    test(`an hour that never comes is refused in words on a ${size}, one that comes twice is asked about`, async () => {
      const page = await at(history("2026-03-28T23:00", "2026-03-29T22:00"), { size });
      await page.waitForSelector(".trend canvas");
      const field = page.locator("[name=known_at]");
      await field.fill("2026-03-29T02:30");
      await field.dispatchEvent("change");
      await page.waitForFunction(() => /no 02:30.*put forward/.test(document.querySelector(".time-field .why")?.textContent ?? ""));
      assert.equal(await field.getAttribute("aria-invalid"), "true");
      assert.equal(await known(page), null);
      await accessible(page);

      await field.fill("2026-10-25T02:30");
      await field.dispatchEvent("change");
      await page.waitForSelector("[name=known_at-offset]");
      assert.equal(await page.locator(".time-field .why").count(), 0);
      assert.equal(await known(page), utc("2026-10-25T00:30:59.999"));
      assert.deepEqual(await page.locator("[name=known_at-offset] option").allTextContents(), ["the first, UTC+2", "the second, UTC+1"]);
      await page.selectOption("[name=known_at-offset]", { index: 1 });
      await page.waitForFunction((want) => new URL(location.href).searchParams.get("known_at") === String(want), utc("2026-10-25T01:30:59.999"));
      await page.waitForFunction(() => /as known on 25 Oct 2026, 02:30:59 UTC\+1/.test(document.querySelector(".history-page").innerText));
      assert.equal(await field.inputValue(), "2026-10-25T02:30");
      await accessible(page);
      calm(page);
    });
  }

  test("a time that was refused is forgotten when another one comes from elsewhere", async () => {
    const page = await at(history("2026-03-28T23:00", "2026-03-29T22:00"));
    const field = page.locator("[name=known_at]");
    await field.waitFor();
    await field.fill("2026-03-29T03:30");
    await page.waitForURL(/known_at=/);
    await field.fill("2026-03-29T02:30");
    await page.waitForSelector(".time-field .why");
    await page.goBack();
    assert.equal(await known(page), null);
    await page.waitForSelector(".time-field .why", { state: "detached" });
    assert.equal(await field.inputValue(), "");
    calm(page);
  });

  test("a bed asks which of two hours is meant, in both of its times", async () => {
    const page = await at(`/places?bed=${uuid(4, 4)}`);
    for (const name of ["at", "known"]) {
      await page.waitForSelector(`[name=${name}]`);
      await page.locator(`[name=${name}]`).fill("2026-10-25T02:10");
      await page.locator(`[name=${name}]`).dispatchEvent("change");
      await page.waitForSelector(`[name=${name}-offset]`);
      await page.selectOption(`[name=${name}-offset]`, { index: 1 });
      await page.waitForFunction(([name, want]) => new URL(location.href).searchParams.get(name) === String(want), [name, utc("2026-10-25T01:10:59.999")]);
    }
    calm(page);
  });

  for (const [night, from, to, hours] of [["of spring", "2026-03-28T23:00", "2026-03-29T22:00", 23], ["of autumn", "2026-10-24T22:00", "2026-10-25T23:00", 25]]) {
    test(`a chart of the day ${night} is ${hours} hours wide, and each of its labels right`, async () => {
      const page = await at(history(from, to));
      await page.waitForSelector(".trend .u-over");
      await settled(page);
      const labels = await page.evaluate(async ([from, to]) => {
        const base = document.querySelector("script[type=module]").src;
        const [{ roundTimes }, { hhmm }] = await Promise.all(["wall-clock", "time"].map((name) => import(new URL(`./format/${name}.js`, base))));
        return roundTimes(from, to, 7_200_000).map((time) => [hhmm(time), (time - from) / 3_600_000]);
      }, [utc(from), utc(to)]);
      for (const [label, after] of labels) {
        const read = Number(label.slice(0, 2)) || (after > 12 ? 24 : 0);
        const late = after > 2.5 ? hours - 24 : 0;
        assert.equal(after, read + late, `${label} is ${after} h after midnight`);
      }
      assert.equal(labels.at(-1)[1], hours);
      // The crosshair says the time that the wall said: late in the day it is no hour off.
      const over = page.locator(".trend .u-over").first();
      await over.scrollIntoViewIfNeeded();
      const box = await over.boundingBox();
      await page.mouse.move(box.x + box.width * ((hours - 2) / hours), box.y + 20);
      await page.waitForFunction(() => /2[12]:\d\d/.test(document.querySelector(".trend-now").textContent));
      calm(page);
    });
  }
});
