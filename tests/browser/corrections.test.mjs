/** Readings withdrawn, corrected and taken back on the history screen, by hand and by keyboard; on made-up data. */
import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";
import { accessible, calm, noBrowser, open, settled, shut, tidy } from "./browser.mjs";
import { serve } from "./stand-in/server.mjs";
import { uuid } from "./stand-in/ward.mjs";

const HISTORY = `/history/patients/${uuid(3, 4)}?range=24h`;

describe("corrections", { skip: noBrowser, concurrency: false }, () => {
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
    Object.assign(house.state, { role: "nurse", signedIn: true, empty: false, broken: null, blind: false, recording: true, corrections: [] });
    const page = await open(options);
    await page.goto(`${house.url}${path}`);
    return page;
  };

  for (const size of ["phone", "desk"]) {
    test(`a reading is withdrawn, shown struck through with who and why, and taken back (${size})`, async () => {
      const page = await at(HISTORY, { size });
      const opens = page.locator("[data-correct=heart_rate]");
      await opens.focus();
      await page.keyboard.press("Enter");
      await page.waitForSelector("[name=reading] option:nth-child(3)", { state: "attached" });
      await accessible(page);
      await page.selectOption("[name=reading]", { index: 1 });
      await page.selectOption("[name=why]", "other");
      const line = page.locator("[data-line=heart_rate]");
      await line.getByRole("button", { name: "Withdraw" }).click();
      assert.match(await line.locator("form [role=alert]").innerText(), /Say in words/);
      await page.fill("[name=words]", "the leads were on bed 2");
      const asked = page.waitForRequest((request) => request.method() === "POST" && /\/corrections$/.test(request.url()));
      await line.getByRole("button", { name: "Withdraw" }).click();
      const body = (await asked).postDataJSON();
      assert.deepEqual([body.channel, body.why, body.words, "value" in body], ["heart_rate", "other", "the leads were on bed 2", false]);
      assert.match(body.at, /^\d{13}$/);
      await page.waitForSelector("[data-correction=withdrawn]");
      assert.equal(await line.locator("[data-correction] s").innerText(), "121 /min");
      assert.match(await line.locator("[data-correction]").innerText(), /Withdrawn.*by Priya Nair.*\(other reason: the leads were on bed 2\)/s);
      await settled(page);
      await accessible(page);
      await line.locator("[data-undo]").click();
      await page.waitForSelector("[data-correction=taken_back]");
      assert.equal(await page.locator("[data-undo]").count(), 0);
      calm(page);
    });
  }

  test("a reading gets another value in its own unit, and a stretch does not count", async () => {
    const page = await at(HISTORY);
    await page.click("[data-correct=saturation]");
    const line = page.locator("[data-line=saturation]");
    await page.selectOption("[name=what]", "replace");
    await line.getByRole("button", { name: "Correct it" }).click();
    assert.match(await line.locator("form [role=alert]").innerText(), /as a number/);
    await page.fill("[name=value]", "97,5");
    const asked = page.waitForRequest((request) => request.method() === "POST");
    await line.getByRole("button", { name: "Correct it" }).click();
    assert.deepEqual([(await asked).postDataJSON().value, (await asked).postDataJSON().unit], [97.5, "/min"]);
    await page.waitForSelector("[data-correction=replaced]");
    await page.click("[data-correct=saturation]");
    await page.selectOption("[name=what]", "span");
    const other = page.waitForRequest((request) => request.method() === "POST");
    await line.getByRole("button", { name: "Withdraw" }).click();
    const body = (await other).postDataJSON();
    assert.ok(Number(body.from) < Number(body.to) && !("at" in body), JSON.stringify(body));
    calm(page);
  });
});
