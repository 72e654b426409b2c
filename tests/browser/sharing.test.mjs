/** A patient shares their own page with somebody they name, sees who reads it, and takes it back. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { accessible, calm, FAR, look, noBrowser, open, picture, settled, SIZES } from "./browser.mjs";
import { DESKS, HANDS, madeUp, says } from "./made-up.mjs";
import { house as made } from "./stand-in/house.mjs";
import { noServer, realWard, signedIn } from "./ward-server.mjs";

const named = async (page, name, days) => {
  await page.fill("[name=share-name]", name);
  await page.selectOption("[name=share-days]", String(days));
  await page.click("[data-sharing] form [type=submit]");
};

describe("sharing the own page", { skip: noBrowser, concurrency: false }, () => {
  const stand = madeUp(),
    { at } = stand;

  for (const locale of ["en-GB", "de-DE", "es-ES"]) {
    for (const role of ["patient", "family"]) {
      test(`what the ${role} sees is accessible and fits at every size and in every look, in ${locale}`, async () => {
        for (const looks of locale === "en-GB" ? [HANDS, DESKS] : [[["phone", "light"], ["desk", "dark"]]]) {
          const page = await at("/own", role, { size: looks[0][0], theme: looks[0][1], locale });
          await page.waitForSelector(role === "patient" ? "[data-sharing]" : "[data-shared-until]");
          if (role === "patient") {
            made.shares = [];
            await named(page, "Anna", 7);
            await page.waitForSelector("[data-one-time-link] [data-link]");
          }
          for (const [size, theme] of looks) {
            await look(page, { size, theme });
            await settled(page);
            if (role === "patient") await page.locator("[data-sharing]").scrollIntoViewIfNeeded();
            await picture(page, `made-up-sharing-${role}-${SIZES[size][0]}-${theme}${locale === "en-GB" ? "" : `-${locale.slice(0, 2)}`}`);
            const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
            assert.ok(wide <= 1, `${size} is ${wide} px too wide`);
            const below = await page.evaluate(() => document.documentElement.scrollHeight - Math.ceil(document.querySelector(".own").getBoundingClientRect().bottom + scrollY));
            assert.ok(below <= 1, `${below} px of another colour are below the page at ${size}`);
            const raw = await page.evaluate(() => document.body.innerText.match(/\b(?:own|staff|role)\.[a-z_]+|\{\w+\}/g));
            assert.equal(raw, null, `words are missing: ${raw}`);
            if (!FAR.has(size)) await accessible(page);
          }
          calm(page);
          assert.deepEqual(page.refused, []);
        }
      });
    }
  }

  test("a link is shown once, a refusal is said at once, and what is taken back is gone", async () => {
    const page = await at("/own", "patient", { size: "phone" });
    await page.click("[data-sharing] form [type=submit]");
    await says(page, "[data-sharing] [role=alert]", /who it is for/);
    await named(page, "Anna", 30);
    await says(page, "[data-one-time-link] [data-link]", /\/invite\/5f2c/);
    await says(page, '[data-share="Anna"]', /Until .*Has not used the link yet/);
    await named(page, "Bert", 1);
    await says(page, '[data-share="Bert"]', /Has signed in as bert-a1b2c3/);
    await named(page, "Carla", 1);
    await says(page, "[data-sharing] [role=alert]", /so many people/);
    await page.click('[data-share="Bert"] [data-end-share]');
    await page.waitForSelector('[data-share="Bert"]', { state: "detached" });
    await page.waitForSelector("[data-one-time-link]", { state: "detached" });
    assert.equal(await page.locator("[data-share]").count(), 1);
    calm(page);
  });

  test("whoever reads what is shared finds nothing to say, nobody who looked, and no other screen", async () => {
    const page = await at("/ward/", "family");
    await page.waitForURL(/\/own/);
    await page.waitForSelector(".own-number");
    await says(page, "[data-shared-until]", /Ilse shares this page with you/);
    // It speaks of the patient, and to whoever reads.
    await says(page, "[data-day]", /One of the numbers of Ilse is outside the range/);
    await says(page, '[data-vital="systolic_pressure"]', /Below the range, 90 to 160 \(upper number\).*In the range, 50 or more \(lower number\)/);
    assert.doesNotMatch(await page.locator("main").innerText(), /\byour (?:range|numbers|nurse|team)\b|\bat your bed\b/i);
    await says(page, "[data-own-login]", /You sign in here as anna/);
    assert.equal(await page.locator("[data-feeling], [data-look], [data-sharing], .rail, .topbar").count(), 0);
    calm(page);
  });

  test("a patient who lies in no bed here is not told of one", async () => {
    made.away = true;
    const page = await at("/own", "patient", { size: "phone" });
    await says(page, "[data-help]", /in an emergency call the emergency number/);
    assert.doesNotMatch(await page.locator("main").innerText(), /\bbed\b/i);
    calm(page);
    assert.deepEqual(page.refused, [], "an own page asks for nothing that it may not have");
  });

  test("whoever is signed out of what was shared is told so at the door, and why once they try", async () => {
    const page = await at("/own", "family");
    await page.waitForSelector(".own-number");
    made.taken = true;
    stand.state.signedIn = false;
    await page.reload();
    await page.waitForURL(/sign-in\?ended=shared/);
    await says(page, "[data-ended]", /has taken it back, or its time is over/);
    await page.fill("[name=login]", "anna-a1b2c3");
    await page.fill("[name=password]", "right");
    await page.click("form [type=submit]");
    await says(page, "form [role=alert]", /Nothing is shared with you any more/);
    await accessible(page);
  });

  test("a link says at once that it opens nothing, else by which name its holder signs in", async () => {
    const page = await at("/invite/used", "family");
    await says(page, "[data-gone]", /was used, has run out or was taken back/);
    assert.equal(await page.locator("[name=password]").count(), 0, "nothing to fill in");
    await accessible(page);
    await page.goto(page.url().replace("used", "fresh"));
    await page.waitForSelector('[data-login="anna-a1b2c3"]');
    await accessible(page);
  });

  test("what is not shared any more is gone from the screen as well", async () => {
    const page = await at("/own", "family");
    await page.waitForSelector(".own-number");
    made.taken = true;
    await page.reload();
    await page.waitForSelector('.state[data-state="forbidden"]');
    assert.equal(await page.locator(".own-number").count(), 0);
    await accessible(page);
  });

  test("whoever comes back to the page sees at once that it is not shared any more", async () => {
    const page = await at("/own", "family");
    await page.waitForSelector(".own-number");
    made.taken = true;
    await page.evaluate(() => document.dispatchEvent(new Event("visibilitychange")));
    await page.waitForSelector('.state[data-state="forbidden"]', { timeout: 5000 });
    assert.equal(await page.locator(".own-number").count(), 0);
  });

  test("a page whose time is over closes by itself, without a network", async () => {
    made.shared_s = 6;
    const page = await at("/own", "family");
    await page.waitForSelector(".own-number");
    await page.context().setOffline(true);
    await says(page, '.state[data-state="forbidden"]', /Nothing is shared with you any more/);
    assert.equal(await page.locator(".own-number").count(), 0);
  });

  test("a look of family is not taken for one of the nurse of the same name", async () => {
    made.lookers = [{ user: "family-1", name: "Priya Nair", role: "family", count: 9, first_at: new Date().toISOString(), last_at: new Date().toISOString(), link_made_at: null, emergency: null }];
    const page = await at("/own", "patient");
    await says(page, ".own-lines li", /Priya Nair, your nurse.*Looked 4 times/);
  });
});

describe("sharing on a real ward", { skip: noBrowser || noServer, concurrency: false }, () => {
  const ward = realWard();

  test("somebody with the link reads the page, the patient sees it, and taking it back signs them out", async () => {
    const visitor = await open();
    const people = (await (await visitor.request.get(`${ward.url}/api/v1/demo-sign-ins`)).json()).items;
    const login = people.find((p) => p.role === "patient").login;
    const patient = await signedIn(ward, login, { size: "phone" });
    await patient.goto(`${ward.url}/own`);
    await patient.waitForSelector("[data-sharing]");
    await named(patient, "Anna", 7);
    const link = await patient.locator("[data-one-time-link] [data-link]").textContent();
    await accessible(patient);
    await patient.locator("[data-sharing]").scrollIntoViewIfNeeded();
    await picture(patient, "sharing-phone");
    const { user } = await patient.ask("GET", "/session");

    const family = await open({ size: "phone" });
    const refused = [];
    family.on("response", (r) => r.status() >= 400 && refused.push(`${r.status()} ${new URL(r.url()).pathname}`));
    await family.goto(link);
    const name = await family.locator("[data-login]").inputValue();
    assert.match(name, /^anna-/);
    await family.fill("[name=password]", "ten letters or more");
    await family.fill("[name=again]", "ten letters or more");
    await family.click("form [type=submit]");
    await family.waitForURL(/\/own/);
    await family.waitForSelector("[data-shared-until]");
    await family.waitForSelector(".own-number .own-value", { timeout: 30_000 });
    assert.equal(await family.locator("[data-feeling], [data-sharing], .own-day .dim").count(), 0);
    await says(family, "[data-own-login]", new RegExp(name));
    assert.deepEqual(refused.filter((it) => !it.startsWith("401")), [], "an own page asks for nothing that it may not have");
    await accessible(family);
    await picture(family, "shared-phone");
    calm(family);

    await patient.waitForSelector('[data-look="Anna"]', { state: "attached", timeout: 30_000 });
    await says(patient, '[data-share="Anna"]', /Has signed in/);
    const nurse = await signedIn(ward, people.find((p) => p.role === "physician").login);
    const { items } = await nurse.ask("GET", "/patients?limit=200");
    const mine = items.find((p) => user.name === `${p.given_name} ${p.family_name}`);
    await nurse.goto(`${ward.url}/patients/${mine.id}`);
    await says(nurse, "[data-shared-with]", /Anna/);
    await picture(nurse, "shared-with-desk-dark");
    calm(nurse);

    await patient.click('[data-share="Anna"] [data-end-share]');
    await patient.waitForSelector('[data-share="Anna"]', { state: "detached" });
    assert.equal((await family.request.get(`${ward.url}/api/v1/own`)).status(), 401);
    await family.goto(`${ward.url}/own`);
    await family.waitForURL(/\/sign-in/);
    await says(family, "[data-ended]", /has taken it back/);
    await family.fill("[name=login]", ` ${name.toUpperCase()} `);
    await family.fill("[name=password]", "ten letters or more");
    await family.click("form [type=submit]");
    await says(family, "form [role=alert]", /Nothing is shared with you any more/);
    calm(patient);

    // The patient leaves: what is on them comes off at once, but for what somebody leaves on.
    await nurse.goto(`${ward.url}/patients/${mine.id}?move=1`);
    await nurse.waitForSelector("[data-take-off] input:checked");
    const devices = await nurse.locator("[data-take-off] input").count();
    assert.equal(await nurse.locator("[data-take-off] input:checked").count(), devices, "each is listed and comes off");
    await accessible(nurse);
    await nurse.locator("[data-take-off] input").first().uncheck();
    await picture(nurse, "leaving-desk-dark");
    await nurse.click(".leaving [type=submit]");
    await nurse.waitForSelector('section[data-still-on="1"]');
    const [kept] = await nurse.locator("[data-still-on] [data-off]").evaluateAll((all) => all.map((e) => e.dataset.off));
    await nurse.goto(`${ward.url}/devices`);
    await says(nurse, `tr[data-device="${kept}"]`, /still on a patient who left/);
    await picture(nurse, "still-on-devices-desk-dark");
    const unit = (await nurse.ask("GET", `/devices/${kept}`)).care_unit.id;
    await nurse.goto(`${ward.url}/ward/${unit}`);
    await says(nurse, 'p[data-still-on="1"]', new RegExp(mine.family_name));
    await accessible(nurse);
    await picture(nurse, "still-on-board-desk-dark");
    await patient.reload();
    await says(patient, "[data-help]", /emergency number/);
    await nurse.ask("POST", `/devices/${kept}/association`, { patient: null });
    await nurse.waitForSelector("p[data-still-on]", { state: "detached" });
    calm(nurse);
  });
});
