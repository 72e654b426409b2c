/** The states that a healthy ward never shows: empty, broken, forbidden, blind, not recording, two hundred rows; on made-up data. */
import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";
import { gzipSync } from "node:zlib";
import { accessible, calm, noBrowser, open, picture, settled, shut, tidy } from "./browser.mjs";
import { serve } from "./stand-in/server.mjs";
import { UNIT, uuid } from "./stand-in/ward.mjs";

const WARD = `/ward/${UNIT.id}`,
  PATIENT = `/patients/${uuid(3, 4)}`,
  STRIP = `${PATIENT}/strip?alarm=${uuid(9, 1)}`;
/** What a ward board may load of script, compressed (ui.md). */
const SCRIPT_MAX = 200_000;

describe("screens on made-up data", { skip: noBrowser, concurrency: false }, () => {
  let house;
  before(async () => {
    house = await serve();
  });
  afterEach(tidy);
  after(async () => {
    await shut();
    house?.close();
  });
  const at = async (path, options = {}, change = {}, prepare = async () => {}) => {
    Object.assign(house.state, { role: "nurse", signedIn: true, empty: false, broken: null, blind: false, recording: true }, change);
    const page = await open(options);
    await prepare(page);
    await page.goto(`${house.url}${path}${path.includes("?") ? "&" : "?"}theme=${options.theme ?? "dark"}`);
    return page;
  };

  for (const [name, path] of [["ward", WARD], ["alarms", "/alarms"], ["devices", "/devices"], ["refused", "/devices?view=refused"], ["dead letters", "/devices?view=dead"], ["history", `/history${PATIENT}`], ["history of a place", `/history/care-units/${UNIT.id}`]]) {
    test(`${name} without anything in it says what will come`, async () => {
      const page = await at(path, {}, { empty: true, role: name === "dead letters" ? "it" : "nurse" });
      await page.waitForSelector(".state h2");
      await accessible(page);
    });
  }

  for (const [name, path, broken] of [["ward", WARD, /board$/], ["alarms", "/alarms", /^\/alarms/], ["patient", PATIENT, /^\/patients\/[^/]+$/], ["strip", STRIP, /^\/patients\/[^/]+\/waves/], ["history", `/history${PATIENT}`, /measured/], ["history of a place", `/history/care-units/${UNIT.id}`, /measured$/], ["mine", "/mine", /board$/], ["timeline", PATIENT, /timeline$/], ["devices", "/devices", /^\/devices/], ["refused", "/devices?view=refused", /^\/refusals/], ["system", "/system", /^\/system/]]) {
    test(`${name} that cannot be read says so, and can be tried again`, async () => {
      const page = await at(path, {}, { broken: { path: broken, status: 500, detail: "The store answered too late." } });
      await page.waitForSelector('.state[data-state="failed"] button');
      assert.match(await page.locator(".state").textContent(), /answered too late/);
      await accessible(page);
      house.state.broken = null;
      // Some screens ask again by themselves and may be quicker than the press; whoever is first, the page gets well.
      await page.evaluate(() => document.querySelector(".state button")?.click());
      await page.waitForSelector('.state[data-state="failed"]', { state: "detached" });
    });
    test(`${name} that is not for somebody says for whom`, async () => {
      const page = await at(path, {}, { broken: { path: broken, status: 403, detail: "The charge nurse can open this." } });
      await page.waitForSelector('.state[data-state="forbidden"]');
      assert.match(await page.locator(".state").textContent(), /charge nurse/);
    });
  }

  test("who sees no patients asks for none, and is told so", async () => {
    const refused = [];
    const visit = (path, role) => at(path, {}, { role }, async (fresh) => fresh.on("response", (r) => r.status() >= 400 && refused.push(`${path} ${r.status()} ${r.url()}`)));
    for (const path of [WARD, PATIENT, STRIP, "/mine", "/alarms"]) {
      const page = await visit(path, "it");
      await page.waitForSelector('.state[data-state="forbidden"]');
    }
    const page = await visit("/devices", "it");
    await page.waitForSelector("tr[data-device]");
    await (await visit("/devices?view=dead", "nurse")).waitForSelector('.state[data-state="forbidden"]');
    assert.deepEqual(refused, []);
  });

  test("sectors fill their rows, and traces their sectors", async () => {
    const page = await at(WARD, { size: "large" });
    await page.waitForSelector(".sector .sweep canvas");
    await settled(page);
    const bands = await page.evaluate(() => {
      const boxes = [...document.querySelectorAll(".sector")].map((e) => e.getBoundingClientRect());
      const tops = [...new Set(boxes.map((b) => Math.round(b.top)))];
      const between = tops.slice(1).map((top, i) => top - Math.max(...boxes.filter((b) => Math.round(b.top) === tops[i]).map((b) => b.bottom)));
      const within = [...document.querySelectorAll(".sector .sweep")].map((e) => e.nextElementSibling.getBoundingClientRect().top - e.getBoundingClientRect().bottom);
      return [...between, ...within];
    });
    assert.ok(bands.length > 2 && Math.max(...bands) < 12, `blank bands of ${bands} px`);
  });

  test("a trace begins at the left edge when a board is opened", async () => {
    const page = await at(WARD);
    const leftmost = await page.waitForFunction(() => {
      const canvas = document.querySelector(".sector .sweep canvas");
      if (!canvas?.width) return false;
      const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      let left = Infinity;
      for (let i = 3; i < data.length; i += 4) if (data[i] > 0) left = Math.min(left, ((i - 3) / 4) % canvas.width);
      return left < Infinity && { part: left / canvas.width };
    }, null, { polling: 50 });
    assert.ok((await leftmost.jsonValue()).part < 0.05, "the first of it is drawn there");
  });

  test("five seconds without a beat turn the numbers grey and say so", async () => {
    const page = await at(WARD);
    await page.waitForSelector(".sector [data-live]");
    await page.waitForFunction(() => !document.documentElement.hasAttribute("data-blind"));
    house.state.blind = true;
    const began = Date.now();
    await page.waitForSelector("html[data-blind]", { state: "attached", timeout: 9000 });
    assert.ok(Date.now() - began < 7500, "soon enough");
    await page.waitForSelector('.banner[data-priority="high"]');
    await picture(page, "made-up-blind-1280-dark");
    house.state.blind = false;
    await page.waitForSelector("html:not([data-blind])", { timeout: 9000 });
    calm(page);
  });

  test("a lost connection is a banner, and ends by itself", async () => {
    const page = await at(WARD);
    await page.waitForSelector(".sector [data-live]");
    const refuse = (route) => route.abort();
    await page.context().route("**/api/v1/**", refuse);
    for (const reader of house.state.readers) reader.stop();
    await page.context().setOffline(true);
    await page.waitForSelector(".banner", { timeout: 15_000 });
    assert.match(await page.locator(".banners").textContent(), /No connection/);
    await page.context().setOffline(false);
    await page.context().unroute("**/api/v1/**", refuse);
    await page.waitForFunction(() => document.querySelectorAll(".banner").length === 0, null, { timeout: 30_000 });
  });

  test("not recording interrupts every screen", async () => {
    await Promise.all([WARD, "/alarms", "/system"].map(async (path) => {
      const page = await at(path, {}, { recording: false });
      await page.waitForSelector('.banner[data-priority="high"][role="alert"]', { timeout: 8000 });
      assert.match(await page.locator(".banner").first().textContent(), /Not recording/);
      await accessible(page);
    }));
  });

  test("sound waits for a touch, pauses with a countdown and goes on", async () => {
    const page = await at(WARD);
    await page.waitForSelector(".sound-ask");
    await page.mouse.click(640, 4);
    await page.waitForSelector(".sound .dot[data-sound=on]");
    await page.keyboard.press("m");
    await page.waitForSelector(".sound .dot[data-sound=paused]");
    assert.match(await page.locator(".sound").textContent(), /paused [12]:\d\d/);
    await page.keyboard.press("m");
    await page.waitForSelector(".sound .dot[data-sound=on]");
  });

  test("in public mode there are initials and no names", async () => {
    const page = await at(`${WARD}?names=initials`);
    await page.waitForSelector(".sector .who");
    const text = await page.locator(".board").textContent();
    assert.ok(!text.includes("Brandt"), "no family name on the board");
    assert.match(text, /IB/);
  });

  test("beds do not move under a hand, and move when it has left", async () => {
    // The stand-in's first delta repeats its alarms; this one has to come after it, and a beat follows each delta.
    const beat = async (fresh) => (await fresh.waitForEvent("websocket")).waitForEvent("framereceived", ({ payload }) => /"t":"beat"/.test(payload));
    let heard;
    const page = await at(WARD, {}, {}, async (fresh) => {
      heard = beat(fresh);
    });
    await page.waitForSelector('.sector[data-state="active"]');
    const first = () => page.locator(".sector").first().getAttribute("data-bed");
    assert.equal(await first(), "04");
    await heard;
    await page.locator(".sector").nth(3).hover();
    // A hand is never quite still; on a slow machine it would else have rested for too long.
    const hand = await page.locator(".sector").nth(3).evaluate((it) => setInterval(() => it.dispatchEvent(new PointerEvent("pointermove", { bubbles: true })), 200));
    for (const reader of house.state.readers) reader.text({ t: "delta", cursor: "z", at: new Date().toISOString(), alarms: [{ ...(await (await page.request.get(`${house.url}/api/v1/alarms/${uuid(9, 1)}`)).json()), state: "acknowledged", quiet_until: new Date(Date.now() + 60_000).toISOString() }] });
    await page.waitForSelector('.sector[data-bed="04"][data-state="acknowledged"]');
    assert.equal(await first(), "04", "it stays while the hand is there");
    await page.waitForSelector(".waiting");
    await page.evaluate((timer) => clearInterval(timer), hand);
    await page.mouse.move(2, 2);
    await page.waitForFunction(() => document.querySelector(".sector").dataset.bed !== "04", null, { timeout: 8000 });
  });

  test("a reduced-motion screen frames instead of flashing", async () => {
    const page = await at(WARD, { motion: "reduce" });
    await page.waitForSelector('.sector[data-state="active"][data-priority="medium"]');
    const [flash, frame] = await page.locator('.sector[data-state="active"][data-priority="medium"]').first().evaluate((e) => [getComputedStyle(e.querySelector(".strip")).animationName, getComputedStyle(e).outlineWidth]);
    assert.equal(flash, "none");
    assert.equal(frame, "5px");
  });

  test("a trend shows its gap, zooms by dragging, and the address says so", async () => {
    const page = await at(`${PATIENT}?range=6h`);
    await page.waitForSelector('.trend[data-gaps="1"] .u-over');
    await page.locator(".trend .u-over").first().scrollIntoViewIfNeeded();
    const box = await page.locator(".trend .u-over").first().boundingBox();
    await page.mouse.move(box.x + box.width * 0.3, box.y + 20);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width * 0.6, box.y + 24, { steps: 5 });
    await page.mouse.up();
    await page.waitForURL(/from=\d+&to=\d+/);
    await page.goBack();
    await page.waitForURL(/range=6h/);
    calm(page);
  });

  test("ninety days show their extremes, their gap with its reason, and how much of them is there", async () => {
    const page = await at(`/history${PATIENT}?range=90d`);
    await page.waitForSelector('.trend[data-gaps="1"] .u-over');
    assert.equal(await page.locator("[data-coverage]").first().getAttribute("data-coverage"), "89.8");
    assert.match(await page.locator("[data-coverage]").first().innerText(), /89[.,]8 % covered \(network/);
    const over = page.locator(".trend .u-over").first();
    await over.scrollIntoViewIfNeeded();
    const box = await over.boundingBox();
    // The middle of the gap says why.
    await page.mouse.move(box.x + box.width * 0.551, box.y + 20);
    await page.waitForFunction(() => /network/.test(document.querySelector(".trend-now").textContent));
    await page.mouse.move(box.x + box.width * 0.3, box.y + 20);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width * 0.4, box.y + 24, { steps: 5 });
    await page.mouse.up();
    await page.waitForURL(/from=\d+&to=\d+/);
    await page.goBack();
    await page.waitForURL(/range=90d/);
    calm(page);
  });

  test("an invitation sets a password that is long enough, and says when it was used meanwhile", async () => {
    const page = await at("/invite/fresh", {}, { signedIn: false });
    await page.fill("[name=password]", "short");
    await page.fill("[name=again]", "short");
    await page.click("[type=submit]");
    await page.waitForFunction(() => /At least/.test(document.querySelector("[role=alert]").textContent));
    await page.fill("[name=password]", "a sentence is long enough");
    await page.fill("[name=again]", "a sentence is long enough");
    await page.route(/\/invitations\/fresh$/, (route) => route.fulfill({ status: 404, json: { title: "There is no such thing", status: 404, detail: "this link was used" } }));
    await page.click("[type=submit]");
    await page.waitForFunction(() => /was used/.test(document.querySelector("[data-gone]")?.textContent ?? ""));
  });

  test("two hundred alarms are still a list", async () => {
    const crowd = (page) => page.route(/\/api\/v1\/alarms\?.*state=any/, async (route) => {
      const answer = await (await route.fetch()).json();
      const many = Array.from({ length: 200 }, (_, i) => ({ ...answer.items[i % answer.items.length], id: uuid(9, 1000 + i), state: "ended", ended_at: new Date(Date.now() - i * 60_000).toISOString() }));
      await route.fulfill({ json: { items: many, next: null } });
    });
    const page = await at("/alarms", {}, {}, crowd);
    await page.waitForFunction(() => document.querySelectorAll("tr[data-alarm]").length >= 200);
    await picture(page, "made-up-alarms-200");
    calm(page);
  });

  for (const [name, path, role, wanted, rows] of [["devices", "/devices", "it", /\/api\/v1\/devices\?/, "tr[data-device]"], ["refusals", "/devices?view=refused", "it", /\/api\/v1\/refusals/, "tr[data-refusal]"], ["dead letters", "/devices?view=dead", "it", /\/api\/v1\/dead-letters\?/, "tbody tr"], ["people", "/staff?view=people", "physician", /\/api\/v1\/staff\?/, "tr[data-staff]"]]) {
    test(`two hundred ${name} are still a list`, async () => {
      const crowd = (page) => page.route(wanted, async (route) => {
        const { items } = await (await route.fetch()).json();
        await route.fulfill({ json: { items: Array.from({ length: 200 }, (_, i) => ({ ...items[i % items.length], id: uuid(16, i), ...(items[0].login ? { login: `u${i}` } : {}) })), next: null } });
      });
      const page = await at(path, {}, { role }, crowd);
      await page.waitForFunction((selector) => document.querySelectorAll(selector).length >= 200, rows);
      await picture(page, `made-up-${name.replace(" ", "-")}-200`);
      calm(page);
    });
  }

  for (const [name, path, role, slow] of [["ward", WARD, "nurse", /board$/], ["patient", PATIENT, "nurse", /\/patients\/[^/]+$/], ["strip", STRIP, "nurse", /\/waves/], ["alarms", "/alarms", "nurse", /\/alarms\?/], ["mine", "/mine", "nurse", /board$/], ["devices", "/devices", "it", /\/devices\?/], ["refused", "/devices?view=refused", "it", /refusals/], ["dead letters", "/devices?view=dead", "it", /dead-letters/], ["places", "/places", "nurse", /\/places$/], ["the shift", "/staff", "nurse", /shift$/], ["the logins", "/staff", "it", /\/users/], ["the trail", "/audit", "it", /\/audit/], ["settings", "/settings", "charge_nurse", /limits$/], ["history", `/history${PATIENT}`, "nurse", /\/measured/], ["history of a place", `/history/sites/${UNIT.site_id}`, "nurse", /\/measured/], ["how much of a history is there", `/history${PATIENT}`, "nurse", /\/coverage/], ["system", "/system", "it", /\/system$/], ["the last day of the system", "/system", "it", /\/system\/history$/], ["the own page", "/own", "patient", /\/own$/]]) {
    test(`${name} that is on its way says so, and comes`, async () => {
      let come;
      const held = new Promise((done) => {
        come = done;
      });
      const late = (page) => page.route((url) => url.pathname.startsWith("/api/") && slow.test(url.pathname + url.search), async (route) => {
        await held;
        await route.continue();
      });
      const page = await at(path, {}, { role }, late);
      const busy = ".state[aria-busy=true][role=status], [data-counting][role=status]";
      await page.waitForSelector(busy);
      await accessible(page);
      come();
      await page.waitForFunction((busy) => !document.querySelector(busy), busy);
      calm(page);
    });
  }

  for (const [name, path, role, gone] of [["history", `/history${PATIENT}`, "nurse", /\/measured/], ["history of a place", `/history/rooms/${uuid(12, 0)}`, "nurse", /\/measured/], ["system", "/system", "it", /\/system$/]]) {
    test(`${name} says that the server is away, and comes back with it`, async () => {
      const away = (page) => page.route((url) => url.pathname.startsWith("/api/") && gone.test(url.pathname), (route) => route.abort());
      const page = await at(path, {}, { role }, away);
      await page.waitForSelector('.state[data-state="failed"]');
      assert.match(await page.locator('.state[data-state="failed"] h2').first().textContent(), /cannot be reached|no connection|not.*reach/i);
      await accessible(page);
      await page.unrouteAll({ behavior: "wait" });
      await page.evaluate(() => document.querySelector('.state[data-state="failed"] button')?.click());
      await page.waitForSelector('.state[data-state="failed"]', { state: "detached" });
    });
  }

  test("what follows a history is asked once, and not drawn into another range", async () => {
    const asked = { pages: 0, go: null },
      held = new Promise((go) => (asked.go = go));
    const paged = (fresh) =>
      fresh.route((url) => /\/measured$/.test(url.pathname), async (route) => {
        const url = new URL(route.request().url());
        const answer = await route.fetch(),
          json = await answer.json();
        if (url.searchParams.has("cursor")) {
          asked.pages++;
          await held;
        } else if (json.made_of === "1h") json.next = "p1.p2.p3";
        await route.fulfill({ response: answer, json });
      });
    const page = await at(`/history${PATIENT}?range=30d`, {}, {}, paged);
    await page.waitForSelector("[data-more]");
    await page.evaluate(() => [1, 2].forEach(() => document.querySelector("[data-more]").click()));
    await page.waitForSelector("[data-more]:disabled");
    await page.getByRole("button", { name: "1 h", exact: true }).click();
    await page.waitForSelector('[data-made-of="1m"]');
    const late = page.waitForResponse((response) => response.url().includes("cursor="));
    asked.go();
    await (await late).finished();
    // What the page makes of it would be drawn by the second frame.
    await page.evaluate(() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))));
    assert.equal(asked.pages, 1);
    assert.equal(await page.locator("[data-line]").count(), 2);
    assert.equal(await page.locator("[data-made-of]").getAttribute("data-made-of"), "1m");
    calm(page);
  });

  test("a range that cannot be read leaves no chart of another one, and a list that cannot be read says so", async () => {
    const page = await at(`/history/care-units/${UNIT.id}?range=24h`, {}, { broken: { path: /measured-by$/, status: 500, detail: "too late" } });
    await page.waitForSelector("[data-unlisted][role=alert]");
    await page.waitForSelector(".trend canvas");
    house.state.broken = { path: /measured$/, status: 500, detail: "too late" };
    await page.getByRole("button", { name: "1 h", exact: true }).click();
    await page.waitForSelector('.state[data-state="failed"]');
    assert.equal(await page.locator(".trend").count(), 0);
    await accessible(page);
    house.state.broken = { path: /corrections$/, status: 500, detail: "too late" };
    await page.goto(`${house.url}/history${PATIENT}?range=24h&theme=dark`);
    await page.waitForSelector("[data-unsaid][role=alert]");
  });

  test("a history whose coverage does not come says so, and shows its values", async () => {
    const page = await at(`/history${PATIENT}`, {}, { broken: { path: /coverage$/, status: 500, detail: "too late" } });
    await page.waitForSelector("[data-uncounted][role=alert]");
    assert.ok((await page.locator(".trend canvas").count()) > 0);
    await accessible(page);
  });

  test("the last day that does not come, and a backup that cannot be begun, say so beside what is known", async () => {
    const page = await at("/system", {}, { role: "it" }, (fresh) => fresh.route((url) => /\/system\/(history|backup|rehearsal)$/.test(url.pathname), (route) => route.abort()));
    await page.waitForSelector("[data-away]");
    await page.waitForSelector("[data-storage]");
    await page.click("[data-rehearse]");
    await page.waitForFunction(() => /reach/.test(document.querySelector("[data-backups] [role=alert]")?.textContent ?? ""));
    await accessible(page);
    calm(page);
  });

  test("a place's history lists who was there and what measured, and any channel alone", async () => {
    const page = await at(`/history/care-units/${UNIT.id}?range=24h`);
    await page.waitForSelector("[data-measuring='2']");
    assert.match(await page.locator("[data-measuring]").innerText(), /Monitor/);
    const asked = page.waitForRequest((request) => /care-units\/.*\/measured\?.*channel=perfusion/.test(request.url()));
    await page.selectOption("[name=channel]", { label: "Perfusion index" });
    await asked;
    await page.waitForURL(/channel=perfusion/);
    await page.waitForSelector("[data-waves]");
    assert.match(await page.locator("[data-wave]").innerText(), /ECG II[^]*93[.,]1 % covered \(sensor off 10 min\)/);
    const options = await page.locator("[name=place] option").allTextContents();
    assert.ok(["North Hospital", `North Hospital, ${UNIT.name}`].every((name) => options.includes(name)), options.slice(0, 4).join());
    await page.selectOption("[name=place]", { index: 0 });
    await page.waitForURL((url) => url.pathname === `/history/sites/${UNIT.site_id}` && url.search.includes("range=24h") && !url.search.includes("channel"));
    calm(page);
  });

  test("a trend says how much of it is there, and why not, by touch and by keyboard; the score for each input", async () => {
    for (const size of ["phone", "desk"]) {
      const page = await at(`${PATIENT}?range=6h`, { size });
      const share = page.locator('.trend[data-param="spo2"] .covered');
      await share.waitFor();
      assert.match(await share.locator("summary").innerText(), /91[.,]9 % covered/);
      assert.match(await share.getAttribute("title"), /network 28 min/);
      assert.equal(await share.locator(".reasons").isVisible(), false);
      if (size === "phone") await share.locator("summary").tap();
      else {
        await share.locator("summary").focus();
        await page.keyboard.press("Enter");
      }
      await share.locator(".reasons").waitFor({ state: "visible" });
      assert.match(await share.locator(".reasons").innerText(), /network 28 min/);
      await page.evaluate(() => scrollTo(0, 0));
      await accessible(page);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      assert.ok(wide <= 1, `${wide} px too wide`);
      const day = page.locator(".news-day .covered");
      assert.match(await day.locator("summary").innerText(), /86[.,]0 % of the last 24 hours/);
      await day.locator("summary").click();
      assert.match(await day.locator(".reasons").innerText(), /Consciousness: 3 h 21 min \(not charted 3 h 21 min\)/);
      assert.equal(await page.locator("[data-input=consciousness]").getAttribute("data-why"), (await page.locator("[data-input=consciousness]").getAttribute("data-points")) === "none" ? "not_charted" : null);
      calm(page);
    }
  });

  test("every control on a phone is large enough for a thumb", async () => {
    await Promise.all([WARD, PATIENT, "/alarms", "/devices"].map(async (path) => {
      const page = await at(path, { size: "phone" });
      await page.waitForSelector(".sector, .numbers, tbody tr");
      await settled(page);
      const small = await page.evaluate(() => [...document.querySelectorAll("button, select, input:not([type=checkbox]), .rail a")].filter((e) => e.offsetParent && !e.matches(".open") && e.getBoundingClientRect().height < 43.5).map((e) => `${e.className} ${e.textContent.slice(0, 20)}`));
      assert.deepEqual(small, [], path);
    }));
  });

  test("the board loads less than 200 kB of script", async () => {
    const sizes = [];
    const page = await at(WARD, {}, {}, async (fresh) => fresh.on("response", (response) => {
      if (/\.js$/.test(new URL(response.url()).pathname)) sizes.push(response.body().then((body) => gzipSync(body).length));
    }));
    await page.waitForSelector(".sector [data-live]");
    await page.waitForLoadState("networkidle");
    const sum = (await Promise.all(sizes)).reduce((a, b) => a + b, 0);
    assert.ok(sum > 10_000 && sum < SCRIPT_MAX, `${sum} bytes`);
    const first = await (await page.waitForFunction(() => performance.getEntriesByName("first-contentful-paint")[0]?.startTime)).jsonValue();
    process.stdout.write(`# ward board: ${sum} B of script compressed, first paint ${Math.round(first)} ms\n`);
  });
});
