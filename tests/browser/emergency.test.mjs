/** A page that is closed to whoever asks: the reason that opens it, who is told of it, and what the patient reads; with the next dose and the demonstration's desk. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { accessible, calm, FAR, look, noBrowser, picture, settled, SIZES } from "./browser.mjs";
import { DESKS, HANDS, madeUp, says } from "./made-up.mjs";
import { fresh, opened } from "./stand-in/house.mjs";
import { ALARMS, UNIT, uuid } from "./stand-in/ward.mjs";
import { noServer, realWard, signedIn } from "./ward-server.mjs";

const PATIENT = `/patients/${uuid(3, 4)}`,
  WARD = `/ward/${UNIT.id}`;
const CATALOGUE = { title: "A made-up house", beds: ["01", "12"].map((bed) => ({ unit: "ICU", room: `Room ${bed}`, bed, devices: ["icu-monitor"] })), illnesses: ["arrest", "sepsis"], treatments: ["shock"], faults: ["network-cut", "battery"] };

describe("a closed page", { skip: noBrowser, concurrency: false }, () => {
  const house = madeUp(),
    { at } = house;
  const screens = { closed: [PATIENT, "nurse", '[data-state="closed"]', { closed: true }], "to-review": ["/staff", "charge_nurse", "[data-emergency]", {}], "open-for": [PATIENT, "nurse", "[data-open-until]", { closed: true }], dose: [`${PATIENT}?tab=medication`, "nurse", ".dose-form", {}] };
  for (const [name, [path, role, mark, change]] of Object.entries(screens)) {
    for (const locale of ["en-GB", "de-DE"]) {
      test(`${name} is accessible and fits at every size, in every look and in ${locale}`, async () => {
        opened();
        const through = async (looks) => {
          const page = await at(path, role, { size: looks[0][0], theme: looks[0][1], locale }, change);
          if (name === "open-for") {
            await page.locator("[name=reason]").first().check();
            await page.click("form [type=submit]");
          }
          await page.waitForSelector(mark);
          for (const [size, theme] of looks) {
            await look(page, { size, theme });
            await settled(page);
            await picture(page, `made-up-${name}-${SIZES[size][0]}-${theme}${locale === "de-DE" ? "-german" : ""}`);
            const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
            assert.ok(wide <= 1, `${name} at ${size} is ${wide} px too wide`);
            const raw = await page.evaluate(() => document.body.innerText.match(/\b(?:emergency|dose|audit|own)\.[a-z_]+/g));
            assert.equal(raw, null, `words are missing: ${raw}`);
            if (!FAR.has(size)) await accessible(page);
          }
          calm(page);
        };
        // One after the other: what was opened is remembered.
        await through(locale === "de-DE" ? [["phone", "light"], ["desk", "dark"]] : HANDS);
        if (locale === "en-GB") {
          fresh();
          opened();
          await through(DESKS);
        }
      });
    }
  }

  test("opens for a reason, says until when, and loses no feed meanwhile", async () => {
    const page = await at(PATIENT, "nurse", {}, { closed: true });
    await page.waitForSelector('[data-state="closed"]');
    assert.equal(await page.locator(".lane, .numbers, .identity").count(), 0, "nothing of the patient is there");
    await page.click("form [type=submit]");
    await says(page, "form [role=alert]", /Choose a reason/);
    await page.locator('[name=reason][value="other"]').check();
    await page.click("form [type=submit]");
    await says(page, "form [role=alert]", /in words/);
    await page.fill("[name=words]", "no");
    await page.click("form [type=submit]");
    await says(page, "form [role=alert]", /so many pages/);
    assert.ok(await page.locator("form [type=submit]").isEnabled(), "one can try again");
    await page.locator('[name=reason][value="called_to_help"]').check();
    await page.fill("[name=words]", "Priya called");
    await page.keyboard.press("Enter");
    await page.waitForSelector(".lane canvas");
    await says(page, "[data-open-until]", /Opened in an emergency until \d\d:\d\d/);
    assert.equal(await page.locator('.banner[data-priority="high"], .banner[data-priority="medium"]').count(), 0, "the ward is heard");
    calm(page);
  });

  test("a strip of a closed page asks for the same reason", async () => {
    const page = await at(`${PATIENT}/strip`, "nurse", {}, { closed: true });
    await page.waitForSelector('[data-state="closed"]');
    await page.locator('[name=reason][value="life_at_risk"]').check();
    await page.click("form [type=submit]");
    await page.waitForSelector(".strip-row .line");
    calm(page);
  });

  test("closes by itself when its time is over", async () => {
    const page = await at(PATIENT, "nurse", {}, { closed: "short" });
    await page.locator('[name=reason][value="transfer"]').check();
    await page.click("form [type=submit]");
    await page.waitForSelector("[data-open-until]");
    fresh();
    await page.waitForSelector('[data-state="closed"]', { timeout: 10_000 });
    assert.equal(await page.locator(".lane, .numbers, .identity").count(), 0, "nothing of the patient is left");
    calm(page);
  });

  test("whoever runs the unit is told on every screen, and looks at the reason", async () => {
    opened();
    const page = await at(WARD, "charge_nurse");
    await says(page, ".banner", /opened in an emergency/);
    await accessible(page);
    await page.locator(".banner button").click();
    await page.waitForURL(/\/staff/);
    await says(page, "[data-to-review='1'] li", /Jonas Hartl[^]*bed 04[^]*Called to help[^]*Priya asked me/);
    await page.click("[data-review]");
    await page.waitForSelector("[data-to-review='0']");
    await page.locator("[data-to-review] summary").click();
    await says(page, "[data-to-review] details li", /Looked at by Tom Rourke/);
    const nurse = await at(WARD, "nurse");
    await nurse.waitForSelector(".sector");
    assert.equal(await nurse.locator(".banner").count(), 0, "a nurse is not asked to look");
    calm(page);
  });

  test("the trail marks each look in an emergency, and the patient reads it on their page", async () => {
    const trail = await at("/audit", "it");
    await says(trail, "[data-emergency]", /in an emergency/);
    await accessible(trail);
    const looks = await at(`/audit?patient=${uuid(3, 4)}`, "charge_nurse");
    await says(looks, "[data-look-emergency]", /In an emergency, .*Life at risk/);
    const own = await at("/own", "patient", { size: "phone" });
    await own.locator("summary").first().click();
    await says(own, "[data-look-emergency]", /Opened in an emergency.*Life at risk/);
    await accessible(own);
    calm(own);
  });

  test("a dose is planned in words and a time, and read on the patient's page; none is guessed", async () => {
    const own = await at("/own", "patient");
    await says(own, "[data-dose=none]", /Nothing is written down/);
    const nurse = await at(`${PATIENT}?tab=medication`, "nurse");
    await says(nurse, "#record-panel", /No dose is planned/);
    await nurse.locator(".dose-form [type=submit]").click();
    await says(nurse, ".dose-form [role=alert]", /Say what/);
    await nurse.fill("[name=dose]", "1 g paracetamol, by mouth");
    await nurse.locator(".dose-form [type=submit]").click();
    await says(nurse, "[data-dose]", /1 g paracetamol.*Priya Nair/);
    const reads = await at("/own", "patient");
    await says(reads, "[data-dose=due]", /1 g paracetamol, by mouth, at/);
    await picture(reads, "made-up-own-dose");
    const again = await at(`${PATIENT}?tab=medication`, "nurse");
    await again.click("[data-dose-done]");
    await says(again, "#record-panel", /No dose is planned/);
    calm(again);
  });

  test("a dose whose time is over is not called the next one", async () => {
    const late = async (page) => page.route(/\/api\/v1\/own$/, async (route) => {
      const answer = await (await route.fetch()).json();
      await route.fulfill({ json: { ...answer, next_dose: { words: "40 mg furosemide", due_at: new Date(Date.now() - 600_000).toISOString(), by: "Priya Nair", at: new Date().toISOString() } } });
    });
    const page = await at("/own", "patient", {}, {}, late);
    await says(page, "[data-dose=over]", /planned for/);
    await says(page, ".own-card", /not marked as given/);
    calm(page);
  });

  test("a patient is told of a new link to sign in as them", async () => {
    const { house: made } = await import("./stand-in/house.mjs");
    made.told = true;
    const page = await at("/own", "patient", { size: "phone" });
    await says(page, "[data-new-link]", /Priya Nair made it/);
    await accessible(page);
    calm(page);
  });

  test("`a` goes to the answer of the row one is on, and Enter gives it", async () => {
    house.state.answers = [];
    const page = await at("/alarms", "nurse");
    await page.waitForSelector('tr[data-state="active"] [data-answer]');
    await page.keyboard.press("j");
    const row = await page.evaluate(() => document.activeElement.closest("tr").dataset.alarm);
    await page.keyboard.press("a");
    assert.ok(await page.evaluate((id) => document.activeElement.matches("[data-answer]") && document.activeElement.closest("tr").dataset.alarm === id, row));
    await page.keyboard.press("Enter");
    await page.waitForSelector(`tr[data-alarm="${row}"]:not([data-state="active"])`);
    assert.equal(house.state.answers.length, 1);
    for (const alarm of ALARMS) if (alarm.id === row) Object.assign(alarm, { state: "active", acknowledged_by: null, quiet_until: null });
    calm(page);
  });

  test("a new alarm waits behind a counter while a row is pointed at, and is let in by a press", async () => {
    const page = await at("/alarms", "nurse");
    await page.waitForSelector("tr[data-alarm]");
    await page.locator("tr[data-alarm]").nth(1).hover();
    const more = { ...ALARMS[1], id: uuid(9, 77), title: "Pulse low 38 /min", since: new Date().toISOString(), raised_at: new Date().toISOString() };
    for (const reader of house.state.readers) reader.text({ t: "delta", cursor: "w", at: new Date().toISOString(), alarms: [more] });
    await page.waitForSelector(".waiting");
    assert.equal(await page.locator(`tr[data-alarm="${more.id}"]`).count(), 0, "nothing moved under the hand");
    await page.click(".waiting");
    await page.waitForSelector(`tr[data-alarm="${more.id}"]`);
    calm(page);
  });

  test("the desk of a demonstration sends what is chosen for whom, and says what came of it", async () => {
    const asked = [];
    const demo = async (page) => {
      await page.route(/\/api\/v1\/session$/, async (route) => {
        const answer = await (await route.fetch()).json();
        await route.fulfill({ json: { ...answer, product: { ...answer.product, demo: true } } });
      });
      await page.route(/\/api\/v1\/demo\/events$/, async (route) => {
        if (route.request().method() === "GET") return route.fulfill({ json: CATALOGUE });
        asked.push(route.request().postDataJSON());
        return asked.length === 3 ? route.fulfill({ status: 400, json: { title: "no", status: 400, detail: "there is no such bed" } }) : route.fulfill({ status: 204 });
      });
    };
    const page = await at("/system", "it", {}, {}, demo);
    await page.waitForSelector("[data-desk]");
    const choose = (n, value) => page.locator("[data-desk] select").nth(n).selectOption(value);
    await choose(2, { label: "ICU · 12" });
    await page.click("[data-desk] [type=submit]");
    await says(page, "[data-desk] [role=status]", /ICU · 12/);
    await choose(0, "fault");
    await choose(2, { label: "ICU · Room 12" });
    await choose(3, "2min");
    await page.click("[data-desk] [type=submit]");
    await says(page, "[data-desk] [role=status]", /Room 12/);
    await page.click("[data-desk] [type=submit]");
    await says(page, "[data-desk] [role=status]", /no such bed/);
    assert.deepEqual(asked.slice(0, 2), [{ illness: "arrest", unit: "ICU", bed: "12", rises_in: "60s" }, { fault: "network-cut", unit: "ICU", room: "Room 12", lasts: "2min" }]);
    await accessible(page);
    await picture(page, "made-up-desk");
    calm(page);
  });
});

describe("a closed page of a real ward", { skip: noBrowser || noServer, concurrency: false }, () => {
  const ward = realWard();
  const as = (login, options) => signedIn(ward, login, options);

  test("opens for an hour with a reason; the charge nurse, the trail and the page say so", async () => {
    const admin = await as("admin");
    const { json: staff } = await admin.answer("GET", "/sites");
    const login = `guest-${Date.now()}`;
    const { json: person } = await admin.answer("POST", "/staff", { site_id: staff.items[0].id, name: "Uma Guest" });
    await admin.answer("POST", "/users", { login, role: "nurse", staff_id: person.id });
    const { json: people } = await admin.answer("GET", "/users?limit=200");
    const guest = await as(login);
    const { json: units } = await guest.answer("GET", "/care-units");
    // Their pages are closed and they are on no list; the board of the unit says who lies there.
    const { json: patients } = await guest.answer("GET", "/patients?limit=200");
    assert.deepEqual(patients.items.filter((p) => p.care_unit), []);
    const boards = await Promise.all(units.items.map((unit) => guest.answer("GET", `/care-units/${unit.id}/board`)));
    const { care_unit, beds } = boards.map(({ json }) => json).find(({ beds }) => beds.some((b) => b.patient));
    const whom = { id: beds.find((b) => b.patient).patient.id, care_unit };
    await guest.goto(`${ward.url}/patients/${whom.id}`);
    await guest.waitForSelector('[data-state="closed"]');
    await picture(guest, "closed-desk-dark");
    await guest.locator('[name=reason][value="called_to_help"]').check();
    await guest.fill("[name=words]", "the nurse of the bed called");
    await guest.click("form [type=submit]");
    await guest.waitForSelector("[data-open-until]");
    await guest.waitForSelector(".numbers, .lane");
    calm(guest);
    // Each unit has its own charge nurse; the one of this unit is told.
    let told = false;
    for (const { login: chargeLogin } of people.items.filter((p) => p.role === "charge_nurse")) {
      const charge = await as(chargeLogin);
      const list = await charge.answer("GET", `/care-units/${whom.care_unit.id}/emergencies`);
      if (list.status !== 200) continue;
      await charge.goto(`${ward.url}/ward/${whom.care_unit.id}`);
      await charge.waitForFunction(() => [...document.querySelectorAll(".banner")].some((e) => /opened in an emergency/.test(e.textContent)));
      await picture(charge, "told-desk-dark");
      await charge.locator(".banner button").last().click();
      await charge.waitForSelector("[data-emergency] [data-review]");
      await charge.click("[data-review]");
      await charge.waitForSelector("[data-to-review='0']");
      calm(charge);
      told = true;
    }
    assert.ok(told, `nobody runs ${units.items.map((u) => u.name)}`);
    await admin.goto(`${ward.url}/audit?actor=${login}&action=patient.emergency`);
    await admin.waitForFunction(() => [...document.querySelectorAll("[data-emergency]")].some((e) => /Called to help/.test(e.textContent)));
    calm(admin);
  });

  test("the demonstration's desk makes an arrest happen, and the board shows it", async () => {
    const page = await as("admin");
    await page.goto(`${ward.url}/system`);
    await page.waitForSelector("[data-desk]");
    const bed = await page.locator("[data-desk] select").nth(2).locator("option").first().textContent();
    const before = Date.now();
    await page.click("[data-desk] [type=submit]");
    await page.waitForFunction((name) => document.querySelector("[data-desk] [role=status]").textContent.includes(name), bed);
    calm(page);
    // The board of that bed rings: an alarm of high priority that nobody has answered, raised since.
    const [unitName, bedName] = bed.split(" · ");
    const somebody = (await page.ask("GET", "/demo-sign-ins")).items.find((it) => it.role === "physician");
    const board = await as(somebody.login);
    const { items: units } = await board.ask("GET", "/care-units");
    const unit = units.find((it) => it.name === unitName);
    await board.goto(`${ward.url}/ward/${unit.id}`);
    const sector = `.sector[data-bed="${bedName}"]`;
    await board.waitForSelector(`${sector}[data-priority="high"][data-state="active"]`, { timeout: 180_000 });
    const { beds } = await board.ask("GET", `/care-units/${unit.id}/board`);
    const { alarms } = beds.find((it) => it.name === bedName);
    assert.ok(alarms.some((it) => it.priority === "high" && Date.parse(it.raised_at) > before), JSON.stringify(alarms));
    for (const size of ["desk", "phone", "wall"]) {
      await look(board, { size, theme: "dark" });
      await board.locator(sector).scrollIntoViewIfNeeded();
      await settled(board);
      await picture(board, `arrest-board-${size}-dark`);
    }
    calm(board);
  });
});
