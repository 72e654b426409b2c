/** The screens on the real server: sign in, watch the board beat, open a patient, answer an alarm, add a device; by pointer and by keyboard. */
import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";
import { accessible, calm, look, noBrowser, open, painted, picture, settled, shut, tidy } from "./browser.mjs";
import { noServer, server } from "./ward-server.mjs";

const skip = noBrowser || noServer;
/** The first alarm of the demonstration's script comes well within this. */
const ALARM_MS = 120_000;
let ward;

/** Somebody of the demonstration, by role, signed in with one click. */
async function signedIn(role, options) {
  const page = await open(options);
  const answer = await page.request.get(`${ward.url}/api/v1/demo-sign-ins`);
  const person = (await answer.json()).items.find((p) => p.role === role);
  await page.goto(`${ward.url}/sign-in?theme=${options?.theme ?? "dark"}`);
  await page.click(`[data-login="${person.login}"]`);
  await page.waitForSelector(".topbar");
  return page;
}

/** Opens the patient of a sector. The hand over the board holds the order of the beds, so that none slips away under the click. */
async function toPatient(page, sector) {
  await page.locator(".board").hover({ position: { x: 4, y: 4 }, force: true });
  const bed = page.locator(`${sector} .bed`).first();
  const path = await bed.getAttribute("href");
  await page.locator(`.sector .bed[href="${path}"]`).click({ force: true });
  await page.waitForURL(/\/patients\//);
  return path;
}

describe("the screens of a real ward", { skip, concurrency: false }, () => {
  before(async () => {
    ward = await server();
  });
  afterEach(tidy);
  after(async () => {
    await shut();
    await ward?.stop();
  });

  test("an address behind the door leads to the door and back", async () => {
    const page = await open();
    await page.goto(`${ward.url}/alarms`);
    await page.waitForURL(/sign-in/);
    await page.waitForSelector(".person");
    await accessible(page);
    await picture(page, "sign-in-1280-dark");
    await page.locator(".person").first().click();
    await page.waitForURL(/\/alarms/);
    calm(page);
  });

  test("a wrong password is said beside the form", async () => {
    const page = await open();
    await page.goto(`${ward.url}/sign-in`);
    await page.fill("[name=login]", "nobody-here");
    await page.fill("[name=password]", "not the password");
    await page.click("[type=submit]");
    await page.waitForFunction(() => document.querySelector("form [role=alert]").textContent.length > 0);
    assert.match(page.url(), /sign-in/);
  });

  for (const [device, looks] of Object.entries({ desk: [["desk", "dark"], ["desk", "light"], ["large", "contrast"]], phone: [["phone", "dark"]], tablet: [["tablet", "light"]] })) {
    test(`the board lives on a ${device}, in every look`, async () => {
      const page = await signedIn("nurse", { size: looks[0][0], theme: looks[0][1] });
      for (const [size, theme] of looks) {
        await look(page, { size, theme });
        await page.waitForSelector(".sector .sweep canvas");
        const beds = await page.locator(".sector:not(.empty)").count();
        assert.ok(beds >= 8, `${beds} beds`);
        await page.waitForFunction(() => [...document.querySelectorAll('.sector [data-vital="heart_rate"][data-live]')].length > 0, null, { timeout: 20_000 });
        await painted(page, ".sector .sweep canvas", 4);
        assert.equal(await page.locator("html[data-blind]").count(), 0, "the screen is not blind");
        await picture(page, `ward-${size}-${theme}`);
        await accessible(page);
      }
      calm(page);
    });
  }

  test("a wall shows every bed, nobody's name, and that it cannot be heard", async () => {
    const page = await signedIn("charge_nurse", { size: "large" });
    await page.goto(`${page.url().split("?")[0]}?wall=1`);
    await page.waitForSelector(".wallbar .silent");
    await painted(page, ".sector .sweep canvas", 4);
    await picture(page, "wall-large-dark");
    const lowest = await page.locator(".sector").last().evaluate((e) => e.getBoundingClientRect().bottom);
    assert.ok(lowest <= 1080, `the last bed ends at ${lowest} px`);
    // The first touch anywhere allows sound and takes the button away, even while it is being pressed: so a plain press at its place.
    const { x, y, width, height } = await page.locator(".wallbar .silent").boundingBox();
    await page.mouse.click(x + width / 2, y + height / 2);
    await page.waitForSelector(".wall-sound");
    calm(page);
  });

  for (const [device, looks] of Object.entries({ desk: [["desk", "dark"], ["large", "dark"]], phone: [["phone", "light"]] })) {
    test(`a patient's page has traces, numbers, trends and a score on a ${device}`, async () => {
      const page = await signedIn("nurse", { size: looks[0][0], theme: looks[0][1] });
      await page.waitForSelector(".sector .bed");
      await toPatient(page, ".sector");
      for (const [size, theme] of looks) {
        await look(page, { size, theme });
        await page.waitForSelector(".lane canvas");
        await page.waitForSelector(".trend .u-over, .trend canvas", { timeout: 30_000 });
        await painted(page, ".lane canvas", Math.min(2, await page.locator(".lane canvas").count()));
        assert.ok((await page.locator('.numbers [data-vital="heart_rate"]').count()) === 1);
        await picture(page, `patient-${size}-${theme}`);
        await accessible(page);
      }
      calm(page);
    });
  }

  test("charting consciousness, oxygen and breaths enters the score", async () => {
    const page = await signedIn("nurse");
    await page.waitForSelector(".sector .bed");
    await toPatient(page, ".sector");
    await page.waitForSelector("form.chart");
    const form = page.locator("form.chart");
    await form.getByRole("button", { name: "Alert", exact: true }).click();
    await form.getByRole("button", { name: "Room air" }).click();
    await form.locator("input").first().fill("16");
    await form.locator("[type=submit]").click();
    await page.waitForSelector('.news [data-input="consciousness"]:not([data-points="none"])', { timeout: 10_000 });
    await page.waitForSelector('.news [data-input="oxygen"][data-points="0"]');
    calm(page);
  });

  test("an alarm is answered, counts down, and shows who has it", async () => {
    const page = await signedIn("nurse");
    await page.waitForSelector('.sector[data-state="active"]', { timeout: ALARM_MS });
    await page.goto(`${ward.url}/alarms?state=standing`);
    const row = page.locator('tr[data-state="active"]').first();
    await row.waitFor();
    const alarm = await row.getAttribute("data-alarm");
    await picture(page, "alarms-desk-dark");
    await accessible(page);
    await row.locator("[data-row]").click();
    await page.waitForSelector(".drawer .life li");
    await picture(page, "alarm-desk-dark");
    await accessible(page);
    await page.locator(".drawer [data-answer]").click();
    // An alarm that only waited to be answered is over with the answer; any other counts down.
    await page.waitForSelector(`tr[data-alarm="${alarm}"][data-state="active"]`, { state: "detached", timeout: 10_000 });
    await page.waitForSelector('.drawer .strip:not([data-state="active"])');
    if (await page.locator('.drawer .strip[data-state="acknowledged"]').count()) assert.match(await page.locator(".drawer .strip time").textContent(), /ack\s+[12]:\d\d/);
    await page.waitForFunction(() => [...document.querySelectorAll('.drawer .life [data-kind="person"]')].some((e) => /Priya|Amara|has it/.test(e.textContent)));
    calm(page);
  });

  test("an alarm on the board leads to its patient, and to its answer, in one click", async () => {
    const page = await signedIn("charge_nurse");
    await page.waitForSelector('.sector[data-state="active"]', { timeout: ALARM_MS });
    const bed = await toPatient(page, '.sector[data-state="active"]');
    await page.waitForSelector(".alarm-top[data-alarm] [data-answer]");
    assert.ok(page.url().includes(bed.split("?")[0]));
  });

  test("the keyboard walks the beds, opens one, finds another, and goes to every screen", async () => {
    const page = await signedIn("nurse");
    await page.waitForSelector(".sector .bed");
    await page.keyboard.press("j");
    assert.ok(await page.evaluate(() => document.activeElement.matches("[data-row]")));
    const first = await page.evaluate(() => document.activeElement.textContent);
    await page.keyboard.press("ArrowRight");
    assert.notEqual(await page.evaluate(() => document.activeElement.textContent), first);
    await page.keyboard.press("Enter");
    await page.waitForURL(/\/patients\//);
    await page.keyboard.press("g");
    await page.keyboard.press("a");
    await page.waitForURL(/\/alarms/);
    await page.keyboard.press("g");
    await page.keyboard.press("w");
    await page.waitForURL(/\/ward\//);
    await page.waitForSelector(".sector .bed");
    await page.keyboard.press("/");
    assert.ok(await page.evaluate(() => document.activeElement.matches(".search input")));
    await page.keyboard.press("Escape");
    await page.keyboard.press("?");
    await page.waitForSelector("dialog.keys[open]");
    await page.keyboard.press("Escape");
    calm(page);
  });

  test("IT adds a device and takes its certificate, key and command away", async () => {
    const page = await signedIn("it");
    await page.waitForURL(/\/devices/);
    await page.waitForSelector("tr[data-device]");
    await picture(page, "devices-desk-dark");
    await accessible(page);
    await page.click("[data-add]");
    const serial = `SCREEN-${Date.now()}`;
    await page.waitForFunction(() => document.querySelector(".drawer select").options.length > 1);
    await page.fill("[name=serial]", serial);
    await page.fill("[name=label]", `Screen test ${serial.slice(-4)}`);
    await page.locator(".drawer select").last().selectOption({ index: 1 });
    await page.click(".drawer [type=submit]");
    await page.waitForSelector('[data-file="key"]');
    const [download] = await Promise.all([page.waitForEvent("download"), page.click('[data-file="key"]')]);
    assert.match(download.suggestedFilename(), /\.key\.pem$/);
    const command = await page.locator("[data-command=mqtt]").textContent();
    assert.match(command, /mosquitto_pub .*-p \d+/);
    assert.match(command, /-t 'wl\/1\/[0-9a-f-]{36}\/[0-9a-f-]{36}\/up\/num'/);
    await accessible(page);
    await page.locator(".drawer button", { hasText: "Open the device" }).click();
    await page.waitForSelector(`tr[aria-selected="true"]`);
    await page.locator(".drawer button", { hasText: "Revoke" }).click();
    await page.waitForFunction(() => /Revoked/.test(document.querySelector(".drawer").textContent));
    calm(page);
  });

  test("a nurse is told who adds devices, and sees no dead letters", async () => {
    const page = await signedIn("nurse");
    await page.goto(`${ward.url}/devices`);
    await page.waitForSelector("tr[data-device]");
    assert.ok(await page.locator("[data-add]").isDisabled());
    await page.goto(`${ward.url}/devices?view=dead`);
    await page.waitForSelector('[data-state="forbidden"]');
  });

  test("the system page says what flows, how long it takes and that it records", async () => {
    const page = await signedIn("it");
    await page.goto(`${ward.url}/system`);
    await page.waitForSelector(".stage");
    await page.waitForFunction(() => /Recording/.test(document.querySelector("main").textContent));
    await settled(page);
    await picture(page, "system-desk-dark");
    await accessible(page);
    await page.goto(`${ward.url}/devices?view=dead`);
    await page.waitForSelector(".table, .state");
    await accessible(page);
    calm(page);
  });

  test("a physician orders the SpO₂ scale, a nurse changes a limit", async () => {
    const physician = await signedIn("physician");
    await physician.waitForSelector(".sector .bed");
    await physician.locator(".sector .bed").last().click({ force: true });
    await physician.waitForSelector(".identity .segments");
    await physician.locator(".identity .segments button").nth(1).click();
    await physician.waitForSelector('.identity .segments button:nth-child(2)[aria-pressed="true"]');
    await physician.locator(".identity .segments button").first().click();
    await physician.waitForSelector('.identity .segments button:first-child[aria-pressed="true"]');
    const nurse = await signedIn("nurse");
    await nurse.waitForSelector(".sector .bed");
    await toPatient(nurse, ".sector");
    await nurse.getByRole("tab", { name: "Limits" }).click();
    await nurse.locator(".limits li button", { hasText: "Change" }).first().click();
    const limit = nurse.locator(".limit-form .quad input").first();
    await limit.fill(String(Number(await limit.inputValue()) + 1));
    await nurse.locator(".limit-form .quad input").nth(1).fill(String(Number(await limit.inputValue()) + 2));
    await nurse.locator(".limit-form [type=submit], .limit-form button.primary").click();
    await nurse.waitForSelector(".limit-form", { state: "detached" });
    // It was a slip: the limit is as it was, and the record has both.
    await nurse.click("[data-undo]");
    await nurse.waitForFunction(() => /as it was/.test(document.querySelector(".toast")?.textContent ?? ""));
    calm(nurse);
  });

  test("an alarm leads to its strip, which can be measured, and an answer by mistake is given back", async () => {
    const page = await signedIn("charge_nurse");
    await page.waitForSelector('.sector[data-state="active"]', { timeout: ALARM_MS });
    await toPatient(page, '.sector[data-state="active"]');
    const card = page.locator('.alarm-top[data-state="active"]').first();
    await card.waitFor();
    const alarm = await card.getAttribute("data-alarm");
    await card.locator(".primary").click();
    await page.waitForSelector(`.alarm-top[data-alarm="${alarm}"][data-state="active"]`, { state: "detached" });
    // One that only waited to be answered is over with the answer, and has nothing to give back.
    if (await page.locator(`.alarm-top[data-alarm="${alarm}"]`).count()) {
      await page.click("[data-undo]");
      await page.waitForSelector(`.alarm-top[data-alarm="${alarm}"][data-state="active"]`, { timeout: 10_000 });
    }
    await page.goto(`${ward.url}/alarms`);
    await page.locator(`tr[data-alarm="${alarm}"] .to-strip`).click();
    await page.waitForSelector(".strip-row");
    await page.waitForSelector(".strip-row .mark-line");
    await page.getByRole("button", { name: "Set calipers" }).click();
    await page.waitForSelector(".readout");
    assert.match(await page.locator(".readout").textContent(), /800 ms75 \/min/);
    await picture(page, "strip-desk-dark");
    await accessible(page);
    calm(page);
  });

  test("the timeline has the bed, the device and the alarms of the real ward", async () => {
    const page = await signedIn("nurse");
    await page.waitForSelector('.sector[data-state="active"]', { timeout: ALARM_MS });
    await toPatient(page, ".sector[data-priority]");
    for (const what of ["came", "put_on", "raised"]) await page.waitForSelector(`.timeline li[data-what="${what}"]`);
    await page.locator(".tabs").scrollIntoViewIfNeeded();
    await picture(page, "timeline-desk-dark");
    await accessible(page);
    calm(page);
  });

  test("the board is filled from the record when it is opened, and painted at once", async () => {
    const page = await signedIn("nurse", { size: "large" });
    await page.waitForSelector(".sector .sweep canvas");
    await painted(page, ".sector .sweep canvas", 4);
    await page.reload();
    await painted(page, ".sector .sweep canvas", 4, 1500);
    const first = await (await page.waitForFunction(() => performance.getEntriesByName("first-contentful-paint")[0]?.startTime)).jsonValue();
    process.stdout.write(`# real ward board: first paint ${Math.round(first)} ms\n`);
  });

  test("a German browser reads German, numbers and alarms included", async () => {
    const page = await signedIn("nurse", { locale: "de-DE" });
    await page.waitForSelector(".sector .bed");
    assert.equal(await page.locator("html").getAttribute("lang"), "de");
    await page.waitForSelector('.sector[data-state="active"]', { timeout: ALARM_MS });
    const words = (await page.locator(".sector .strip[data-priority]").allTextContents()).join(" ");
    assert.doesNotMatch(words, /\b(?:low|high|below|above|silent|signal lost|battery|nobody|not on the patient)\b/, words);
    await accessible(page);
    await picture(page, "ward-desk-german");
    calm(page);
  });
});
