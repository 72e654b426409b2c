/** The screens of the house on made-up data: places, staff, audit, settings, system and the patient's own page, in every size, look, role and state. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { accessible, calm, FAR, look, noBrowser, open, picture, settled, SIZES } from "./browser.mjs";
import { DESKS, HANDS, madeUp } from "./made-up.mjs";
import { house as made } from "./stand-in/house.mjs";
import { UNIT, uuid } from "./stand-in/ward.mjs";
import { noServer, realWard } from "./ward-server.mjs";

const PATIENT = uuid(3, 4),
  BED = uuid(4, 4);

describe("the screens of the house", { skip: noBrowser, concurrency: false }, () => {
  const house = madeUp(),
    { at } = house;
  const text = (page, selector) => page.locator(selector).first().textContent();
  const has = (page, selector, wanted) => page.waitForFunction(([where, words]) => [...document.querySelectorAll(where)].some((e) => e.textContent.includes(words)), [selector, wanted]);

  const screens = {
    places: ["/places", "nurse", ".bed-card"], "places-it": ["/places", "it", ".bed-card"], bed: [`/places?bed=${BED}`, "nurse", "[data-answer]"], shift: ["/staff", "nurse", "[data-accept]"], "shift-charge": ["/staff", "charge_nurse", "tr[data-bed] select"],
    people: ["/staff?view=people", "physician", "tr[data-staff]"], logins: ["/staff", "it", "tr[data-login]"], "add-person": ["/staff?open=new", "it", ".drawer form"], audit: ["/audit", "it", "tr[data-audit]"], looks: [`/audit?patient=${PATIENT}`, "charge_nurse", "[data-look]"],
    settings: ["/settings?open=saturation", "charge_nurse", ".limit-form"], "settings-it": ["/settings", "it", "tr[data-vital]"], system: ["/system", "it", ".history-chart"], own: ["/own", "patient", ".own-number"],
  };
  for (const [name, [path, role, mark]] of Object.entries(screens)) {
    test(`${name} is accessible and fits at every size and in every look`, async () => {
      const through = async (looks) => {
        const page = await at(path, role, { size: looks[0][0], theme: looks[0][1] });
        await page.waitForSelector(mark);
        for (const [size, theme] of looks) {
          await look(page, { size, theme });
          await settled(page);
          await picture(page, `made-up-${name}-${SIZES[size][0]}-${theme}`);
          const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
          assert.ok(wide <= 1, `${name} at ${size} is ${wide} px too wide`);
          const raw = await page.evaluate(() => document.body.innerText.match(/\b(?:places|staff|audit|settings|own|system|band|feeling)\.[a-z_]+/g));
          assert.equal(raw, null, `words are missing: ${raw}`);
          if (!FAR.has(size)) await accessible(page);
        }
        calm(page);
        assert.deepEqual(page.refused, []);
      };
      await Promise.all([HANDS, DESKS].map(through));
    });
  }

  for (const [name, path, role] of [["places", "/places", "it"], ["the shift", "/staff", "nurse"], ["the logins", "/staff", "it"], ["the trail", "/audit", "it"], ["the looks at a patient", `/audit?patient=${PATIENT}`, "charge_nurse"]]) {
    test(`${name} without anything in it says what will come`, async () => {
      const page = await at(path, role, {}, { empty: true });
      await page.waitForSelector(".state h2");
      await accessible(page);
    });
  }
  test("a patient on whom nothing measures is told so, and can say how they feel", async () => {
    const page = await at("/own", "patient", { size: "phone" }, { empty: true });
    await has(page, ".own-card h2", "Nothing is being measured now");
    assert.equal(await page.locator("[data-feeling]").count(), 4);
    await accessible(page);
  });

  const reads = [["places", "/places", "nurse", /^\/places$/], ["the shift", "/staff", "nurse", /shift$/], ["the people", "/staff?view=people", "nurse", /^\/staff$/], ["the logins", "/staff", "it", /^\/users$/], ["the trail", "/audit", "it", /^\/audit$/], ["the limits", "/settings", "charge_nurse", /limits$/], ["the own page", "/own", "patient", /^\/own$/], ["a bed's history", `/places?bed=${BED}`, "nurse", /history$/]];
  for (const [name, path, role, broken] of reads) {
    test(`${name} that cannot be read says so, and can be tried again`, async () => {
      const page = await at(path, role, {}, { broken: { path: broken, status: 500, detail: "The store answered too late." } });
      await page.waitForSelector('.state[data-state="failed"]');
      assert.match(await text(page, '.state[data-state="failed"]'), /answered too late/);
      await accessible(page);
      house.state.broken = null;
      // Some screens ask again by themselves and may be quicker than the press.
      await page.evaluate(() => document.querySelector(".state button")?.click());
      await page.waitForSelector('.state[data-state="failed"]', { state: "detached" });
    });
    test(`${name} that is not for somebody says for whom`, async () => {
      const page = await at(path, role, {}, { broken: { path: broken, status: 403, detail: "The charge nurse can open this." } });
      await page.waitForSelector('.state[data-state="forbidden"]');
      assert.match(await text(page, ".state[data-state=forbidden]"), /charge nurse/);
    });
  }

  test("each role's rail has what it uses, and what is not for it is not asked for", async () => {
    const rails = { nurse: ["alarms", "places", "staff"], charge_nurse: ["settings", "staff"], physician: ["settings", "places"], it: ["audit", "staff", "settings"] };
    for (const [role, wanted] of Object.entries(rails)) {
      const page = await at("/system", role);
      await page.waitForSelector(".stage");
      const links = await page.locator(".rail a").evaluateAll((all) => all.map((a) => a.getAttribute("href")));
      for (const screen of wanted) assert.ok(links.some((link) => link.startsWith(`/${screen}`)), `${role} has no ${screen}: ${links}`);
      assert.equal(links.includes("/audit"), role === "it", `${role} ${links}`);
      await page.context().close();
    }
    for (const [path, role] of [["/audit", "nurse"], ["/staff?view=logins", "nurse"], ["/staff?view=shift", "it"]]) {
      const page = await at(path, role);
      await page.waitForSelector('.state[data-state="forbidden"]');
      assert.deepEqual(page.refused, [], path);
    }
  });

  test("two hundred of anything are still a list", async () => {
    for (const [path, role, rows] of [["/places", "it", ".bed-card"], ["/staff", "it", "tr[data-login]"], ["/audit", "it", "tr[data-audit]"]]) {
      const page = await at(path, role, {}, { crowd: 200 });
      await page.waitForFunction((selector) => document.querySelectorAll(selector).length >= 200, rows);
      await picture(page, `made-up-${path.slice(1)}-200`);
      calm(page);
      await page.context().close();
    }
  });

  test("IT adds and renames places where they stand, and is told why not", async () => {
    const page = await at("/places", "it");
    await page.locator('[data-add="care-units"]').click();
    await page.fill(".name-form [name=name]", "5A Surgery");
    await page.keyboard.press("Enter");
    await has(page, ".place-unit", "5A Surgery");
    await page.locator(".rename").nth(2).click();
    await page.fill(".name-form [name=name]", "taken");
    await page.keyboard.press("Enter");
    await has(page, ".name-form [role=alert]", "already");
    await page.keyboard.press("Escape");
    await page.waitForSelector(".name-form", { state: "detached" });
    assert.ok(!(await text(page, ".places")).includes("Brandt"), "IT reads who lies where");
    calm(page);
  });

  test("a bed answers for one time as known at another, and the address says which", async () => {
    const page = await at(`/places?bed=${BED}`, "nurse");
    await has(page, "[data-answer]", "Ilse Brandt");
    const field = (hours) => page.evaluate((h) => { const at = new Date(Date.now() - h * 3_600_000 - new Date().getTimezoneOffset() * 60_000); return at.toISOString().slice(0, 16); }, hours);
    // She lay down five hours ago; two hours ago it was recorded.
    await page.fill("[name=at]", await field(4));
    await has(page, "[data-answer]", "Ilse Brandt");
    await page.fill("[name=known]", await field(3));
    await has(page, "[data-answer]", "Nobody lay there");
    await page.waitForURL(/at=\d+.*known=\d+/);
    await page.reload();
    await has(page, "[data-answer]", "Nobody lay there");
    await page.locator("form button").click();
    await has(page, "[data-answer]", "Ilse Brandt");
    calm(page);
  });

  test("a bed without a nurse is shouted until it has one", async () => {
    const page = await at("/staff", "charge_nurse");
    await page.waitForSelector('[data-unassigned="1"]');
    assert.match(await text(page, ".shout"), /Bed 07 has nobody/);
    await page.locator('tr[data-bed="07"] select').selectOption(uuid(7, 1));
    await page.waitForSelector(".shout", { state: "detached" });
    // A slip is taken back.
    await page.locator(".toast button").first().click();
    await page.waitForSelector('[data-unassigned="1"]');
    calm(page);
  });

  test("a hand-over shows each note with the open alarms, and the beds change at the press", async () => {
    const page = await at("/staff", "nurse");
    await page.waitForSelector("[data-accept]");
    const hand = page.locator(".hand-over").first();
    assert.match(await hand.textContent(), /For you, from Amara Okoye.*window open.*Heart rate high/s);
    await page.locator("[data-accept]").click();
    await page.waitForSelector("[data-accept]", { state: "detached" });
    assert.match(await text(page, 'tr[data-bed="05"]'), /Priya Nair/);
    calm(page);
  });

  test("somebody new gets a link, shown once; a login is shut and opened", async () => {
    const page = await at("/staff?open=new", "it");
    await page.fill("[name=name]", "Uma Rao");
    await page.fill("[name=login]", "tom");
    await page.waitForFunction(() => document.querySelector("[name=site]").value);
    await page.click(".drawer [type=submit]");
    await has(page, ".drawer [role=alert]", "taken");
    await page.fill("[name=login]", "uma");
    await page.click(".drawer [type=submit]");
    await has(page, "[data-link]", "/invite/");
    await page.keyboard.press("Escape");
    await page.waitForSelector('tr[data-login="uma"]');
    await page.locator('tr[data-login="okoye"] [data-shut]').click();
    await page.waitForSelector('tr[data-login="okoye"][data-disabled]');
    await page.locator('tr[data-login="nair"] [data-link]').click();
    await has(page, "[data-one-time-link]", "Priya Nair");
    calm(page);
  });

  test("the trail's filters stand in the address, and the file is asked with the same", async () => {
    const page = await at("/audit", "it");
    await page.selectOption("[name=outcome]", "refused");
    await page.waitForURL(/outcome=refused/);
    await page.waitForFunction(() => document.querySelectorAll("tr[data-audit]").length > 0 && [...document.querySelectorAll("tr[data-audit]")].every((row) => row.dataset.refused !== undefined));
    await page.fill("[name=actor]", "nair");
    await page.keyboard.press("Enter");
    await page.waitForURL(/actor=nair/);
    const link = await page.locator("[data-export]").getAttribute("href");
    assert.match(link, /^\/api\/v1\/audit\/export\?actor=nair&outcome=refused$/);
    await page.goBack();
    await page.waitForURL((url) => !url.search.includes("actor"));
    assert.equal(await page.inputValue("[name=actor]"), "");
    calm(page);
  });

  test("limits are set for an age, say whose they are, and can be taken away", async () => {
    const page = await at("/settings", "charge_nurse");
    const row = page.locator('tr[data-vital="saturation"]');
    await page.waitForSelector('tr[data-vital="saturation"][data-layer="built_in"]');
    await page.locator(".segments button", { hasText: "75 years" }).click();
    await page.waitForURL(/ages=older/);
    await row.locator("button").click();
    const limit = page.locator(".limit-form input[inputmode=decimal]").first();
    await limit.fill("101");
    await page.click(".limit-form [type=submit]");
    await has(page, ".limit-form [role=alert]", "must lie from 1 to 100");
    await limit.fill("88");
    await page.click(".limit-form [type=submit]");
    await page.waitForSelector('tr[data-vital="saturation"][data-layer="own"]');
    assert.match(await row.textContent(), /< 88.*Tom Rourke/s);
    await page.locator(".segments button", { hasText: "All ages" }).click();
    await page.waitForSelector('tr[data-vital="saturation"][data-layer="built_in"]');
    await page.locator(".segments button", { hasText: "75 years" }).click();
    await row.locator("button").click();
    await page.locator(".limit-form button", { hasText: "Take away" }).click();
    await page.waitForSelector('tr[data-vital="saturation"][data-layer="built_in"]');
    calm(page);
  });

  test("the system's day shows a restart as a gap, and links what is held and unread", async () => {
    const page = await at("/system", "it");
    await page.waitForSelector('[data-gaps="1"] rect[data-why="restart"]', { state: "attached" });
    const lines = await page.locator(".history-chart .line").evaluateAll((all) => all.map((path) => path.getAttribute("d").match(/M/g).length));
    assert.deepEqual(lines, [2, 2], "the pen is lifted over the gap");
    assert.equal(await page.locator('a[href="/devices?view=dead"]').count() > 0, true);
    assert.match(await text(page, "[data-certificate][data-ended]"), /Monitor 03.*ended/s);
    await has(page, ".stage", "nothing waits");
    assert.match(await text(page, "[data-storage]"), /61 % used, full in about 41 d/);
    assert.match(await text(page, '[data-backups="12"]'), /Newest.*5 h ago.*204 MB.*Restored and compared.*5 h ago/s);
    await page.locator("[data-rehearse]").click();
    await has(page, "[data-backups]", "being restored and compared");
    assert.equal(await page.locator("[data-back-up]").isDisabled(), true, "one at a time");
    calm(page);
  });

  test("a patient's page speaks in sentences, says how they feel, and has neither score nor alarm", async () => {
    const page = await at("/", "patient", { size: "phone" });
    await page.waitForURL(/\/own/);
    await page.waitForSelector(".own-number");
    const words = await page.locator("body").innerText();
    for (const never of ["NEWS2", "score", "alarm", "critical", "abnormal"]) assert.ok(!words.toLowerCase().includes(never.toLowerCase()), `«${never}» on a patient's page`);
    assert.match(await text(page, "[data-day]"), /One of your numbers is outside the range that was set for you/);
    assert.match(await text(page, '[data-vital="systolic_pressure"]'), /88\/58.*Below your range, 90 to 160 \(upper number\).*In your range, 50 or more \(lower number\).*15 min ago/s);
    const reserved = await page.evaluate(() => {
      const hue = (name) => getComputedStyle(document.querySelector(".own")).getPropertyValue(name).trim();
      const probe = document.createElement("span");
      document.body.append(probe);
      const alarm = ["--high", "--medium", "--low"].map((name) => { probe.style.color = hue(name); return getComputedStyle(probe).color; });
      probe.remove();
      return [...document.querySelectorAll(".own *")].filter((e) => alarm.includes(getComputedStyle(e).color) || alarm.includes(getComputedStyle(e).backgroundColor)).length;
    });
    assert.equal(reserved, 0, "an alarm's colour is on a patient's page");
    await page.locator('[data-feeling="bit_worse"]').click();
    await page.fill("[name=words]", "dizzy");
    await page.click("form [type=submit]");
    await page.waitForSelector('[data-felt="bit_worse"]');
    await has(page, "[data-said]", "Thank you");
    await page.locator("summary").click();
    await has(page, "[data-look]", "Priya Nair");
    const size = () => page.evaluate(() => getComputedStyle(document.querySelector(".own")).fontSize);
    assert.equal(await size(), "18px");
    await page.locator(".own-bar button").first().click();
    assert.equal(await size(), "22px");
    calm(page);
  });

  test("a patient finds no other screen, and asks the server for none", async () => {
    for (const path of [`/ward/${UNIT.id}`, `/patients/${PATIENT}`, "/alarms", "/audit", "/system"]) {
      const page = await at(path, "patient");
      await page.waitForSelector(".own");
      assert.equal(await page.locator(".rail, .topbar, .sector").count(), 0, path);
      assert.deepEqual(page.refused, [], path);
      await page.context().close();
    }
    const page = await at("/own", "nurse");
    await page.waitForSelector(".state");
    assert.deepEqual(page.refused, []);
  });

  test("those who care for a patient make the patient's link, and see who looked", async () => {
    const page = await at(`/patients/${PATIENT}?tab=sharing`, "charge_nurse");
    await page.locator("[data-invite-patient]").click();
    await has(page, "[data-one-time-link] [data-link]", "/invite/4e2b");
    await page.locator("[data-looks]").click();
    await page.waitForURL(/\/audit\?patient=/);
    await page.waitForSelector("[data-look]");
    calm(page);
  });

  test("every control on a phone is large enough for a thumb", async () => {
    for (const [path, role] of [["/places", "it"], ["/staff", "nurse"], ["/staff", "it"], ["/audit", "it"], ["/settings?open=saturation", "charge_nurse"], ["/own", "patient"]]) {
      const page = await at(path, role, { size: "phone" });
      await page.waitForSelector("main .panel, .own-card");
      await settled(page);
      const small = await page.evaluate(() => [...document.querySelectorAll("button, select, input:not([type=checkbox]), .rail a")].filter((e) => e.offsetParent && !e.matches(".open") && e.getBoundingClientRect().height < 43.5).map((e) => `${e.className} ${e.textContent.slice(0, 20)}`));
      assert.deepEqual(small, [], path);
      await page.context().close();
    }
  });

  test("what the stand-in remembers begins anew with each test", () => assert.equal(made.set.length, 0));
});

/** Somebody of the demonstration, signed in with one click. */
async function real(ward, role, options) {
  const page = await open(options);
  const people = (await (await page.request.get(`${ward.url}/api/v1/demo-sign-ins`)).json()).items;
  const person = people.find((p) => p.role === role);
  await page.goto(`${ward.url}/sign-in`);
  await page.click(`[data-login="${person.login}"]`);
  await page.waitForURL((url) => !url.pathname.startsWith("/sign-in"));
  return Object.assign(page, { person, people });
}

describe("the house of a real ward", { skip: noBrowser || noServer, concurrency: false }, () => {
  const ward = realWard();
  const say = (page, method, path, data) => page.evaluate(async ([verb, address, body]) => {
    const answer = await fetch(`/api/v1${address}`, { method: verb, headers: { "x-wardline": "1", "content-type": "application/json" }, body: body ? JSON.stringify(body) : undefined });
    return { status: answer.status, json: await answer.json().catch(() => null) };
  }, [method, path, data]);

  test("each role lands on its own first screen", async () => {
    for (const [role, first] of [["nurse", /\/ward\//], ["charge_nurse", /\/ward\//], ["physician", /\/ward\//], ["it", /\/devices/], ["patient", /\/own/]]) {
      const page = await real(ward, role);
      await page.waitForURL(first);
      calm(page);
      await page.context().close();
    }
  });

  test("a patient's numbers are theirs, and how they feel reaches the nurse", async () => {
    const page = await real(ward, "patient", { size: "phone" });
    await page.waitForSelector(".own-number .own-value", { timeout: 30_000 });
    await accessible(page);
    await picture(page, "own-phone");
    await page.locator('[data-feeling="bit_worse"]').click();
    await page.click("form [type=submit]");
    await page.waitForSelector('[data-felt="bit_worse"]');
    assert.equal((await say(page, "GET", "/places")).status, 403);
    calm(page);
    const nurse = await real(ward, "nurse");
    const { json } = await say(nurse, "GET", "/patients?limit=200");
    const mine = json.items.find((p) => page.person.name.startsWith(p.given_name) && page.person.name.endsWith(p.family_name));
    await nurse.goto(`${ward.url}/patients/${mine.id}?tab=charted`);
    await nurse.waitForFunction(() => document.querySelector("#record-panel")?.textContent.includes("a bit worse"));
  });

  test("a shift is handed over from one nurse to the other", async () => {
    const from = await real(ward, "nurse");
    await from.goto(`${ward.url}/staff`);
    await from.waitForSelector("[name=to]");
    const [incoming] = from.people.filter((p) => p.role === "nurse" && p.login !== from.person.login);
    await from.selectOption("[name=to]", { label: incoming.name });
    await from.locator("textarea").first().fill("slept from four");
    const bed = /Bed (\S+),/.exec(await from.locator("form label:has(textarea)").first().textContent())[1];
    await from.locator("[data-offer]").click();
    await from.waitForSelector(".panel[data-hand-over]");
    const to = await open();
    await to.goto(`${ward.url}/sign-in`);
    await to.click(`[data-login="${incoming.login}"]`);
    await to.waitForURL(/\/ward\//);
    await to.goto(`${ward.url}/staff`);
    await to.waitForSelector("[data-accept]");
    assert.match(await to.locator(".hand-over").first().textContent(), /slept from four/);
    await accessible(to);
    await to.locator("[data-accept]").click();
    await to.waitForSelector("[data-accept]", { state: "detached" });
    await to.waitForFunction(([name, number]) => document.querySelector(`tr[data-bed="${number}"]`)?.textContent.includes(name), [incoming.name, bed]);
    await picture(to, "staff-desk-dark");
    calm(to);
  });

  test("a limit of the care unit is on its patients' pages with who set it", async () => {
    const page = await real(ward, "charge_nurse");
    await page.goto(`${ward.url}/settings?open=temperature`);
    await page.waitForSelector(".limit-form");
    const low = page.locator(".limit-form input[inputmode=decimal]").first();
    await low.fill("35.5");
    await page.locator(".limit-form input[inputmode=decimal]").nth(1).fill("35.7");
    await page.click(".limit-form [type=submit]");
    await page.waitForSelector('tr[data-vital="temperature"][data-layer="own"]');
    const unit = new URL(await page.locator(".rail a").first().getAttribute("href"), ward.url).pathname.split("/").at(-1);
    const { json } = await say(page, "GET", `/patients?limit=200&care_unit=${unit}`);
    await page.goto(`${ward.url}/patients/${json.items.at(-1).id}?tab=limits`);
    await page.waitForFunction((name) => [...document.querySelectorAll(".limits li")].some((row) => row.textContent.includes("Temperature") && row.textContent.includes("35.5") && row.textContent.includes(name)), page.person.name);
    await picture(page, "limits-desk-dark");
    calm(page);
  });

  test("places, the trail and the system live, each with a picture", async () => {
    const page = await real(ward, "it", { size: "large" });
    await page.goto(`${ward.url}/places`);
    await page.waitForSelector(".bed-card");
    await picture(page, "places-large-dark");
    await accessible(page);
    await page.goto(`${ward.url}/audit?action=patient.read`);
    await page.waitForSelector('tr[data-audit="patient.read"]');
    await accessible(page);
    await picture(page, "audit-large-dark");
    const file = page.waitForEvent("download");
    await page.locator("[data-export]").click();
    assert.equal((await file).suggestedFilename(), "audit.csv");
    await page.goto(`${ward.url}/system`);
    await page.waitForFunction(() => [...document.querySelectorAll(".stage .rate")].filter((e) => Number(e.textContent.replaceAll(",", "")) > 0).length >= 4, null, { timeout: 20_000 });
    await accessible(page);
    await picture(page, "system-large-dark");
    await page.goto(`${ward.url}/staff`);
    await page.waitForSelector('tr[data-login="admin"]');
    calm(page);
    // A nurse reads this of the beds of the own care unit; who that is has changed with the shift above.
    const physician = await real(ward, "physician");
    await physician.goto(`${ward.url}/places`);
    await physician.locator(".bed-card:not([data-empty])").first().click();
    await physician.waitForSelector("[data-answer] a");
    await physician.waitForSelector(".stays li[data-holds]");
    calm(physician);
  });
});
