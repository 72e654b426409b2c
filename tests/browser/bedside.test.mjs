/** What a hand does at the bedside: a strip measured and printed, a ruler held to the screen, a slip taken back, a day looked through, a phone without a connection. */
import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";
import { accessible, calm, noBrowser, open, painted, picture, settled, shut, tidy } from "./browser.mjs";
import { fresh as forgotten } from "./stand-in/house.mjs";
import { serve } from "./stand-in/server.mjs";
import { ALARMS, UNIT, uuid } from "./stand-in/ward.mjs";

const WARD = `/ward/${UNIT.id}`,
  PATIENT = `/patients/${uuid(3, 4)}`,
  STRIP = `${PATIENT}/strip?alarm=${uuid(9, 1)}`;
/** CSS pixels in a millimetre, as print counts them. */
const MM = 96 / 25.4;

describe("at the bedside, on made-up data", { skip: noBrowser, concurrency: false }, () => {
  let house;
  const fresh = structuredClone(ALARMS);
  before(async () => {
    house = await serve();
  });
  afterEach(tidy);
  after(async () => {
    await shut();
    house?.close();
  });
  const at = async (path, options = {}, change = {}) => {
    forgotten();
    ALARMS.forEach((alarm, i) => Object.assign(alarm, structuredClone(fresh[i])));
    Object.assign(house.state, { role: "nurse", signedIn: true, empty: false, broken: null, blind: false, recording: true, many: false, answers: [], puts: [], sticks: [] }, change);
    const page = await open(options);
    await page.goto(`${house.url}${path}`);
    return page;
  };

  test("every alarm leads to its strip in one click", async () => {
    for (const [path, link] of [["/alarms", "tr[data-alarm] .to-strip"], [PATIENT, ".alarm-top a[href*='/strip?']"], ["/mine", ".own-alarm a[href*='/strip?']"], [`${PATIENT}?back=7d`, ".timeline a[href*='/strip?']"]]) {
      const page = await at(path);
      await page.waitForSelector(link);
      await page.locator(link).first().click();
      await page.waitForURL(/\/strip\?alarm=/);
      await page.waitForSelector(".strip-row .line");
      await page.waitForSelector(".strip-row .mark-line");
      calm(page);
    }
  });

  test("calipers read milliseconds, a rate and millivolts, by drag and by keyboard, and the address keeps them", async () => {
    const page = await at(STRIP);
    await page.waitForSelector(".strip-row .line");
    await settled(page);
    const box = await page.locator(".strip-row").first().boundingBox();
    await page.mouse.move(box.x + 100, box.y + 40);
    await page.mouse.down();
    await page.mouse.move(box.x + 100 + 25 * MM, box.y + 40, { steps: 4 });
    await page.mouse.up();
    await page.waitForSelector(".readout");
    const read = async () => (await page.locator(".readout").textContent()).replace(/\s+/g, " ");
    assert.match(await read(), /^(99\d|100\d) ?ms6[01] ?\/min-?\d\.?\d* mV$/);
    await page.waitForURL(/[?&]a=\d+&b=\d+/);
    const before = await read();
    await page.locator(".calipers input[type=range]").last().focus();
    await page.keyboard.press("ArrowRight");
    await page.waitForFunction((was) => document.querySelector(".readout").textContent.replace(/\s+/g, " ") !== was, before);
    const again = await open();
    await again.goto(page.url());
    await again.waitForSelector(".readout");
    assert.equal((await again.locator(".readout").textContent()).replace(/\s+/g, " "), await read(), "a pasted link reads the same");
    await accessible(page);
    await picture(page, "made-up-strip-calipers");
    calm(page);
  });

  test("50 mm/s draws a second twice as wide, 20 mm/mV a beat twice as high", async () => {
    const page = await at(`${STRIP}&leads=MDC_ECG_ELEC_POTL_II`);
    const size = () => page.evaluate(() => {
      const [svg] = document.querySelectorAll(".screen-only .strip-row"),
        line = svg.querySelector(".line").getBBox();
      return { width: svg.viewBox.baseVal.width, high: line.height };
    });
    await page.waitForSelector(".strip-row .line");
    await settled(page);
    const usual = await size();
    await page.getByRole("button", { name: "20 mm/mV" }).click();
    await page.waitForURL(/gain=20/);
    assert.ok(Math.abs((await size()).high / usual.high - 2) < 0.01);
    const rows = await page.locator(".screen-only .strip-row").count();
    await page.getByRole("button", { name: "50 mm/s" }).click();
    await page.waitForURL(/speed=50/);
    assert.ok((await page.locator(".screen-only .strip-row").count()) > rows);
    calm(page);
  });

  test("a printed strip is true to scale and says whose it is, when, which leads, how fast and unfiltered", async () => {
    const page = await at(`${STRIP}&len=30&theme=dark`);
    await page.waitForSelector(".strip-row .line");
    assert.equal(await page.locator(".sheet").isVisible(), false, "never on a screen");
    await page.emulateMedia({ media: "print" });
    const text = await page.locator(".sheet").textContent();
    for (const said of ["Ilse Brandt", "BR 204 118", "3 Mar 1955", "Bed 04", "II, mV", "25 mm/s, 10 mm/mV", "Filters: none", "SpO₂ low 84 %", "Priya Nair", "not a certified medical device"]) assert.ok(text.includes(said), said);
    const widths = await page.evaluate(() => [...document.querySelectorAll(".sheet .strip-row")].map((e) => e.getBoundingClientRect().width));
    assert.equal(widths.length, 3);
    for (const width of widths) assert.ok(Math.abs(width - 250 * MM) < 0.5, `${width} px for 250 mm`);
    const [ink, paper] = await page.evaluate(() => [getComputedStyle(document.querySelector(".sheet .line")).stroke, getComputedStyle(document.body).backgroundColor]);
    assert.notEqual(ink, paper);
    assert.equal(paper, "rgb(255, 255, 255)");
    for (const hidden of [".rail", ".topbar", ".strip-paper"]) assert.equal(await page.locator(hidden).first().isVisible(), false, hidden);
    await picture(page, "made-up-strip-print");
    const pdf = (await page.pdf({ preferCSSPageSize: true })).toString("latin1");
    assert.match(pdf, /MediaBox \[0 0 84[12][\d.]* 59[45][\d.]*\]/, "A4 on its side");
    calm(page);
  });

  test("a ruler held to the screen makes strips true to scale, here and nowhere else", async () => {
    const page = await at("/screen");
    await page.waitForSelector(".ruler-end");
    const end = await page.locator(".ruler-end").boundingBox();
    await page.mouse.move(end.x + end.width / 2, end.y + 70);
    await page.mouse.down();
    await page.mouse.move(end.x + end.width / 2 + 100, end.y + 70, { steps: 4 });
    await page.mouse.up();
    await page.locator(".ruler-end").focus();
    await page.keyboard.press("ArrowRight");
    await page.click("[data-fits]");
    await page.waitForFunction(() => JSON.parse(localStorage.getItem("wardline.ruler"))?.per_mm > 0);
    const per_mm = await page.evaluate(() => JSON.parse(localStorage.getItem("wardline.ruler")).per_mm);
    assert.ok(Math.abs(per_mm - (100 * MM + 100 + 0.25) / 100) < 0.02, `${per_mm} px a millimetre`);
    await page.goto(`${house.url}${STRIP}`);
    await page.waitForSelector(".screen-only .strip-row");
    const drawn = await page.evaluate(() => {
      const row = document.querySelector(".screen-only .strip-row");
      return row.getBoundingClientRect().width / row.viewBox.baseVal.width;
    });
    assert.ok(Math.abs(drawn - per_mm) < 0.02);
    await page.goto(`${house.url}${PATIENT}`);
    await page.waitForFunction(() => /To scale/.test(document.querySelector(".traces")?.textContent ?? ""));
    const other = await at(PATIENT);
    await other.waitForFunction(() => /Not to scale/.test(document.querySelector(".traces")?.textContent ?? ""));
    calm(page);
  });

  test("whoever leaves a bed is asked about at once: what is on them comes off, and what stays is shown", async () => {
    const page = await at(`${PATIENT}?move=1`);
    await page.waitForSelector("[data-take-off] input");
    assert.deepEqual(await page.locator("[data-take-off] input").evaluateAll((all) => all.map((e) => e.checked)), [true, true], "each is listed and comes off");
    assert.ok((await page.locator(".leaving select option").count()) > 1, "empty beds are offered");
    await accessible(page);
    await picture(page, "made-up-leaving-1280-dark");
    await page.locator("[data-take-off] input").last().uncheck();
    await page.waitForFunction(() => /wherever it really is/.test(document.querySelector("[data-take-off]").textContent));
    const asked = page.waitForRequest((request) => request.method() === "POST" && /\/beds\/[\w-]+\/patient$/.test(request.url()));
    await page.click(".leaving [type=submit]");
    assert.deepEqual((await asked).postDataJSON(), { patient: null, leaves: uuid(3, 4), take_off: [uuid(5, 4)] });
    await page.waitForSelector('section[data-still-on="1"]');
    await page.setViewportSize({ width: 390, height: 844 });
    await accessible(page);
    await picture(page, "made-up-still-on-390-dark");
    await page.goto(`${house.url}${WARD}`);
    await page.waitForSelector('p[data-still-on="1"] a');
    assert.match(await page.locator("p[data-still-on]").textContent(), /Patch 04 on Ilse Brandt/);
    await picture(page, "made-up-still-on-board-390-dark");
    await page.goto(`${house.url}${WARD}?wall=1`);
    await page.waitForSelector('p[data-still-on="1"] a');
    assert.doesNotMatch(await page.locator("p[data-still-on]").textContent(), /Brandt/, "a wall tells no names");
    await page.setViewportSize({ width: 1920, height: 1080 });
    await settled(page);
    await picture(page, "made-up-still-on-wall-1920-dark");
    assert.ok(await page.evaluate(() => document.querySelector(".board").getBoundingClientRect().bottom <= innerHeight + 1), "the last row of beds is cut off");
    await page.goto(`${house.url}${PATIENT}`);
    await page.click("[data-off]");
    await page.waitForSelector("section[data-still-on]", { state: "detached" });
    calm(page);
  });

  test("whoever moves keeps what is on them unless somebody says otherwise, and what would not come off is named", async () => {
    const page = await at(`${PATIENT}?move=1`, {}, { sticks: [uuid(5, 94)] });
    const ticked = () => page.locator("[data-take-off] input").evaluateAll((all) => all.map((e) => e.checked));
    await page.waitForSelector(".leaving select option:nth-child(2)", { state: "attached" });
    await page.locator("[data-take-off] input").last().uncheck();
    await page.selectOption(".leaving select", { index: 1 });
    await page.waitForFunction(() => /goes along/.test(document.querySelector("[data-take-off]").textContent));
    assert.deepEqual(await ticked(), [false, false], "both go along");
    await page.selectOption(".leaving select", { index: 0 });
    await page.waitForFunction(() => /nobody’s/.test(document.querySelector("[data-take-off]").textContent));
    assert.deepEqual(await ticked(), [true, true], "what was said of another way is forgotten");
    await page.selectOption(".leaving select", { index: 1 });
    await page.locator("[data-take-off] input").last().check();
    const asked = page.waitForRequest((request) => request.method() === "POST" && /\/beds\/[\w-]+\/patient$/.test(request.url()));
    await page.click(".leaving [type=submit]");
    assert.deepEqual((await asked).postDataJSON(), { patient: uuid(3, 4), take_off: [uuid(5, 94)] });
    await page.waitForSelector('[data-stuck="1"]');
    assert.match(await page.locator("[data-stuck]").textContent(), /One device did not come off Ilse Brandt.*Patch 04/s);
    assert.doesNotMatch(await page.locator("[data-stuck]").textContent(), /Monitor 04/, "what was to stay is no failure");
    await accessible(page);
    await picture(page, "made-up-did-not-come-off-1280-dark");
    assert.equal(await page.locator("[data-still-on]").count(), 0, "nobody left");
    await page.click("[data-stuck] li button");
    await page.waitForSelector("[data-stuck]", { state: "detached" });
    assert.equal(new URL(page.url()).searchParams.get("move"), null);
    calm(page);
  });

  test("an alarm taken by mistake is given back", async () => {
    const page = await at(PATIENT);
    await page.locator(".alarm-top .primary").click();
    await page.waitForSelector("[data-undo]");
    assert.match(await page.locator(".toast").textContent(), /You have it: SpO₂ low 84 %, bed 04\..*0:\d\d/);
    await accessible(page);
    await page.keyboard.press("u");
    await page.waitForSelector('.alarm-top[data-state="active"]');
    assert.deepEqual(house.state.answers, [120, 1], "quiet for two minutes, then for as short as there is");
    assert.match(await page.locator(".toast").textContent(), /Given back/);
    calm(page);
  });

  test("new limits are taken back as they were", async () => {
    const page = await at(`${PATIENT}?tab=limits`);
    await page.locator(".limits li button").first().click();
    await page.locator(".limit-form .quad input").first().fill("55");
    await page.locator(".limit-form .quad input").nth(1).fill("57");
    await page.locator(".limit-form .primary").click();
    await page.click("[data-undo]");
    await page.waitForFunction(() => /as it was/.test(document.querySelector(".toast")?.textContent ?? ""));
    const [[, mended], [path, undone]] = house.state.puts;
    assert.equal(mended.low.limit, 55);
    assert.equal(path, "limits/heart_rate");
    assert.equal(undone.low.limit, 50);
    assert.equal(undone.high.limit, 120);
  });

  test("a thumb answers in two touches, and not in one", async () => {
    const page = await at("/mine", { size: "phone" });
    await page.waitForSelector(".own-alarm [data-answer]");
    assert.ok(await page.locator(".own-alarm [data-answer]").isDisabled());
    await page.locator(".own-alarm .thirds button").nth(1).tap();
    await page.locator(".own-alarm [data-answer]").tap();
    await page.waitForSelector('.own-alarm[data-state="acknowledged"]');
    assert.deepEqual(house.state.answers, [300]);
  });

  test("the timeline shows what one asks for, and the address says what", async () => {
    const page = await at(`${PATIENT}?back=7d`);
    await page.waitForSelector(".timeline li[data-kind=place]");
    await page.getByRole("group", { name: "What is shown" }).getByRole("button", { name: "Beds and nurses" }).click();
    await page.waitForURL(/show=alarm%2Ccharted%2Cdevice/);
    await page.waitForSelector(".timeline li[data-kind=place]", { state: "detached" });
    await page.waitForSelector(".timeline li[data-kind=device]");
    await page.locator('[role=tab][aria-selected="true"]').focus();
    await page.keyboard.press("ArrowRight");
    await page.waitForURL(/tab=limits/);
    await page.waitForSelector(".limits li");
    await accessible(page);
    calm(page);
  });

  test("the timeline of an empty day and of two hundred events are both lists", async () => {
    const empty = await at(PATIENT, {}, { empty: true });
    await empty.waitForFunction(() => /Nothing happened/.test(document.querySelector(".tabs")?.textContent ?? ""));
    const full = await at(`${PATIENT}?back=90d`, {}, { many: true });
    await full.waitForFunction(() => document.querySelectorAll(".timeline li").length > 200);
    await accessible(full);
    await full.locator(".tabs").scrollIntoViewIfNeeded();
    await picture(full, "made-up-timeline-200");
    calm(full);
  });

  test("a trend of ninety days is in the address", async () => {
    const page = await at(PATIENT);
    await page.getByRole("button", { name: "90 d" }).first().click();
    await page.waitForURL(/range=90d/);
    await page.waitForSelector(".trend canvas");
  });

  test("a board begins with what was, not with a blank", async () => {
    const page = await at(WARD, { size: "large" });
    // Live blocks alone fill four tenths of a second each; a second after the first of them the far end can only come from the record.
    await painted(page, ".sector .sweep canvas", 8, 1500);
    const waited = await page.evaluate(() => performance.now());
    const filled = await page.evaluate(() => [...document.querySelectorAll(".sector .sweep canvas")].filter((canvas) => {
      const { data } = canvas.getContext("2d").getImageData(Math.round(canvas.width * 0.6), 0, Math.round(canvas.width * 0.35), canvas.height);
      return data.some((byte, i) => i % 4 === 3 && byte > 99);
    }).length);
    assert.ok(filled >= 8, `${filled} traces reach their far end ${Math.round(waited)} ms after opening`);
  });

  test("alarms are said one at a time, the most urgent first", async () => {
    const page = await at(WARD);
    await page.waitForFunction(() => document.querySelector("p[role=alert]")?.textContent.length > 0);
    const spoken = await page.locator("p[role=alert]").textContent();
    assert.match(spoken, /^High priority, bed 04: SpO₂ low 84 %/);
    assert.ok(!spoken.includes("bed 06"), "the next one waits");
    await page.waitForFunction((was) => document.querySelector("p[role=alert]").textContent !== was, spoken);
    assert.match(await page.locator("p[role=alert]").textContent(), /^Medium priority, bed 0[69]/);
  });

  test("a phone shakes with an alarm, and is still when it is answered", async () => {
    const page = await open({ size: "phone" });
    await page.addInitScript(() => {
      globalThis.shaken = [];
      navigator.vibrate = (beats) => globalThis.shaken.push(beats);
    });
    ALARMS.forEach((alarm, i) => Object.assign(alarm, structuredClone(fresh[i])));
    await page.goto(`${house.url}/mine`);
    await page.waitForSelector(".own-alarm");
    await page.touchscreen.tap(200, 80);
    await page.waitForFunction(() => globalThis.shaken.some((beats) => beats.length === 5));
    await page.locator(".own-alarm .thirds button").first().tap();
    await page.locator(".own-alarm [data-answer]").tap();
    await page.waitForFunction(() => globalThis.shaken.at(-1) === 0);
  });

  test("on a phone the focus stays in the drawer, and Escape gives it back to the list", async () => {
    const page = await at("/alarms", { size: "phone" });
    await page.locator("tr[data-alarm] .open").first().click();
    await page.waitForSelector(".drawer .life li");
    for (let i = 0; i < 30; i++) {
      await page.keyboard.press("Tab");
      assert.ok(await page.evaluate(() => document.activeElement.closest(".drawer") !== null), `after ${i + 1} steps`);
    }
    await page.keyboard.press("Shift+Tab");
    assert.ok(await page.evaluate(() => document.activeElement.closest(".drawer") !== null));
    await page.keyboard.press("Escape");
    await page.waitForSelector(".drawer", { state: "detached" });
    assert.ok(await page.evaluate(() => document.activeElement.matches("tr .open")));
    calm(page);
  });

  test("the keyboard's map names every key, and a strip is one of them away", async () => {
    const page = await at("/alarms");
    await page.waitForSelector("tr[data-alarm]");
    await page.keyboard.press("?");
    await page.waitForSelector("dialog.keys[open]");
    const map = await page.locator("dialog.keys").textContent();
    for (const said of ["Its strip", "Take the last deed back", "Mine", "Ward"]) assert.ok(map.includes(said), said);
    await accessible(page);
    await page.keyboard.press("Escape");
    await page.keyboard.press("j");
    await page.keyboard.press("t");
    await page.waitForURL(/\/strip\?alarm=/);
  });

  test("a wall of forty beds or of four keeps its places and fits, without a name on it", async () => {
    const page = await at(`${WARD}?wall=1`, { size: "large" });
    await page.waitForSelector(".sector");
    await settled(page);
    const beds = await page.evaluate(() => [...document.querySelectorAll(".sector")].map((e) => e.dataset.bed));
    assert.deepEqual(beds, [...beds].sort(), "by bed, whatever sounds");
    assert.match(await page.locator(".wallbar .silent").textContent(), /touch to switch on/);
    const size = await page.evaluate(() => Number.parseFloat(getComputedStyle(document.querySelector(".wallbar .silent")).fontSize));
    assert.ok(size >= 27, `${size} px`);
    assert.ok(!(await page.locator("body").textContent()).includes("Brandt"));
  });

  test("a phone that has lost the ward says who gets the alarms, and kept nothing of a patient", async () => {
    const page = await at(WARD, { size: "phone", serviceWorkers: "allow" });
    await page.waitForSelector(".sector");
    await page.waitForFunction(() => navigator.serviceWorker.controller);
    // Everything that this page began with; until then a phone has not been there long enough.
    await page.waitForFunction(async () => {
      const kept = new Set((await (await caches.open("wardline-shell-1")).keys()).map((request) => new URL(request.url).pathname)),
        loaded = performance.getEntriesByType("resource").map((entry) => new URL(entry.name).pathname).filter((path) => path.startsWith("/assets/"));
      return loaded.length > 40 && kept.has("/sign-in") && loaded.every((path) => kept.has(path));
    });
    const kept = await page.evaluate(async () => {
      const found = [];
      for (const name of await caches.keys()) for (const request of await (await caches.open(name)).keys()) found.push([new URL(request.url).pathname, await (await caches.match(request)).text()]);
      return found;
    });
    assert.deepEqual(kept.filter(([path]) => path.startsWith("/api/")), []);
    assert.deepEqual(kept.filter(([, text]) => /Brandt|Ilse|BR 204/.test(text)).map(([path]) => path), []);
    assert.ok(!/Brandt|Ilse|BR 204/.test(await page.evaluate(() => JSON.stringify(localStorage))));
    // What the page asks of the ward is cut; its shell comes from wherever the worker finds it.
    const refuse = (route) => route.abort();
    await page.context().route("**/api/v1/**", refuse);
    await page.goto(`${house.url}/alarms`);
    await page.waitForSelector(".offline");
    assert.match(await page.locator(".offline").textContent(), /No connection to the ward.*Tom Rourke gets those of your beds next, then everybody in 4B Respiratory/s);
    calm(page);
    await accessible(page);
    await picture(page, "made-up-offline-390");
    await page.context().unroute("**/api/v1/**", refuse);
    await page.waitForSelector("tr[data-alarm]", { timeout: 20_000 });
  });

  test("it can be installed: a manifest with icons that exist, and a worker for the whole of it", async () => {
    const page = await at(WARD);
    const manifest = await (await page.request.get(`${house.url}/assets/manifest.webmanifest`)).json();
    assert.equal(manifest.display, "standalone");
    for (const size of ["192x192", "512x512"]) assert.ok(manifest.icons.some((icon) => icon.sizes === size && icon.type === "image/png"), size);
    assert.ok(manifest.icons.some((icon) => icon.purpose === "maskable"));
    for (const icon of manifest.icons) assert.equal((await page.request.get(`${house.url}${icon.src}`)).status(), 200, icon.src);
    assert.equal((await page.request.get(`${house.url}/service-worker.js`)).status(), 200);
  });
});
