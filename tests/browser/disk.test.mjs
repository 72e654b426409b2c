/** The server's disk as whoever looks after it sees it: the banner while it fills, on made-up data and on a real small disk, and the card of what is damaged on it. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { accessible, calm, FAR, look, noBrowser, open, picture, settled, shut, SIZES, tidy } from "./browser.mjs";
import { hospital, PASSWORD } from "./hospital.mjs";
import { madeUp, says } from "./made-up.mjs";
import { smallDisk } from "./small-disk.mjs";
import { MORE } from "./stand-in/house.mjs";
import { uuid } from "./stand-in/ward.mjs";

const noProgram = process.env.WARDLINE_BIN ? false : "no server: set WARDLINE_BIN to the program";
const BANNER = ".banner[data-priority]";
/** Those who do not keep the server see patients; IT sees none. */
const OTHERS = ["nurse", "charge_nurse", "physician"];
/** A page of IT asks every five seconds; after so many answers of the System page, one a second, anybody's would have. */
const ANSWERS = 7;
const HANDS = [["phone", "dark"], ["phone", "light"]];
const DESKS = [["desk", "dark"], ["desk", "light"], ["desk", "contrast"], ["wall", "dark"], ["wall", "light"]];
const HOUR = 3_600_000;

/** What the server says of its disk at so many percent, with the alarm that stands. */
const storage = (used_percent, alarm, full_in_s = 259_200) => ({ storage: { ...MORE().storage, used_percent, free_bytes: 2_520_000_000 * (100 - used_percent), alarm, alarm_since: alarm && new Date(Date.now() - 2 * HOUR).toISOString(), full_in_s } });
const nearly = storage(80, "nearly_full"),
  almost = storage(95, "almost_full", 10_800);

const SAID = {
  "en-GB": { nearly: /disk is filling up, 80 % are used\. Full in about 3 d.* Make room: when it is full nothing is recorded and no device is answered\./, almost: /disk is almost full, 95 % are used\. Full in about 3 h.* Make room/, look: "Look at the storage" },
  "de-DE": { nearly: /Datenträger des Servers füllt sich, 80 % sind belegt\. Voll in etwa 3 T.* Schaffen Sie Platz: Ist er voll, wird nichts aufgezeichnet und kein Gerät bekommt eine Antwort\./, almost: /Datenträger des Servers ist fast voll, 95 % sind belegt\. Voll in etwa 3 .* Schaffen Sie Platz/, look: "Speicher ansehen" },
  "es-ES": { nearly: /disco del servidor se está llenando: se usa el 80 %\. Se llena en unos 3 d.* Libere espacio: cuando se llena no se registra nada y ningún dispositivo recibe respuesta\./, almost: /disco del servidor está casi lleno: se usa el 95 %\. Se llena en unos 3 h.* Libere espacio/, look: "Ver el almacenamiento" },
};

async function through(page, name, looks) {
  for (const [size, theme] of looks) {
    await look(page, { size, theme });
    await settled(page);
    await picture(page, `made-up-${name}-${SIZES[size][0]}-${theme}`);
    const [wide, cut] = await page.evaluate(() => [document.documentElement.scrollWidth - document.documentElement.clientWidth, [...document.querySelectorAll(".banner, [data-damage]")].filter((e) => e.scrollWidth > e.clientWidth + 1).length]);
    assert.ok(wide <= 1, `${name} at ${size} is ${wide} px too wide`);
    assert.equal(cut, 0, `${name} at ${size} is cut off`);
    if (!FAR.has(size)) await accessible(page);
  }
}

describe("a disk that fills, on made-up data", { skip: noBrowser, concurrency: false }, () => {
  const house = madeUp(),
    { at } = house;

  for (const [locale, said] of Object.entries(SAID)) {
    test(`is a banner over every page of IT that says what to do, at every size and in every look, in ${locale}`, async () => {
      await Promise.all([["phone", "/devices", HANDS], ["desk", "/places", DESKS]].map(async ([size, path, looks]) => {
        const page = await at(path, "it", { size, locale }, { system: nearly });
        await says(page, `.banner[data-priority="low"]`, said.nearly);
        await through(page, `disk-${locale.slice(0, 2)}`, looks);
        if (size === "desk") {
          await look(page, { size, theme: "dark" });
          await page.getByRole("button", { name: said.look }).click();
          await page.waitForURL(/\/system/);
          await says(page, "[data-disk-alarm=nearly_full]", /80 %/);
          house.state.system = almost;
          await says(page, `.banner[data-priority="medium"]`, said.almost);
          await settled(page);
          await accessible(page);
        }
        calm(page);
        assert.deepEqual(page.refused, []);
      }));
    });
  }

  test("changes at the next level, and goes away by itself, without anybody loading the page again", async () => {
    const page = await at("/devices", "it", {}, { system: storage(79, null) });
    await page.waitForSelector("tr[data-device]");
    await page.evaluate(() => (globalThis.stays = true));
    assert.equal(await page.locator(BANNER).count(), 0, "not below 80 %");
    for (const [system, priority, percent] of [[nearly, "low", 80], [storage(94, "nearly_full"), "low", 94], [almost, "medium", 95], [storage(92, "nearly_full", null), "low", 92]]) {
      house.state.system = system;
      await says(page, `.banner[data-priority="${priority}"]`, new RegExp(`\\b${percent} %`));
      assert.equal(await page.locator(BANNER).count(), 1);
    }
    assert.doesNotMatch(await page.locator(BANNER).innerText(), /Full in|null/, "a disk that does not grow is full never");
    house.state.system = storage(76, null);
    await page.waitForSelector(BANNER, { state: "detached" });
    assert.equal(await page.evaluate(() => globalThis.stays), true);
    calm(page);
  });

  test("is read out once for each level by a screen reader, and not again with each percent", async () => {
    const page = await at("/devices", "it", {}, { system: storage(79, null) });
    await page.waitForSelector("tr[data-device]");
    // What is read out is a region that stands before its words come.
    const region = page.locator("[data-spoken][role=status]");
    assert.equal(await region.textContent(), "");
    await page.evaluate(() => {
      globalThis.spoken = [];
      new MutationObserver(() => globalThis.spoken.push(document.querySelector("[data-spoken]").textContent)).observe(document.querySelector("[data-spoken]"), { childList: true, characterData: true, subtree: true });
    });
    for (const [system, shown] of [[nearly, /80 %/], [storage(83, "nearly_full"), /83 %/], [almost, /95 %/]]) {
      house.state.system = system;
      await says(page, BANNER, shown);
    }
    house.state.system = storage(76, null);
    await page.waitForSelector(BANNER, { state: "detached" });
    const spoken = await page.evaluate(() => globalThis.spoken);
    assert.deepEqual(spoken.map((words) => /\d+ %/.exec(words)?.[0] ?? words), ["80 %", "95 %", ""]);
    assert.match(spoken[0], SAID["en-GB"].nearly);
    house.state.system = nearly;
    await says(page, BANNER, /80 %/);
    assert.match(await page.locator("body").ariaSnapshot(), /status: .*disk is filling up/);
  });

  test("is no alarm of those at a bed, who see it on the System page alone", async () => {
    await Promise.all(OTHERS.map(async (role) => {
      const page = await at("/system", role, {}, { system: almost });
      await page.waitForSelector("[data-disk-alarm=almost_full]");
      for (let n = 0; n < ANSWERS; n++) await page.waitForResponse((response) => new URL(response.url()).pathname === "/api/v1/system");
      assert.equal(await page.locator(".banner").count(), 0, role);
      assert.equal(await page.locator("[data-spoken]").textContent(), "", role);
      calm(page);
    }));
  });
});

describe("what is damaged on the disk, on made-up data", { skip: noBrowser, concurrency: false }, () => {
  const { at } = madeUp();
  const BEGAN = Date.parse("2026-11-03T09:00:00Z");
  const NAMES = { MDC_PULS_OXIM_SAT_O2: ["saturation", "SpO₂"], MDC_ECG_HEART_RATE: ["heart_rate", "HR"], MDC_ECG_ELEC_POTL_II: [null, "ECG lead II"] };
  /** One that no profile knows is called by its channel. */
  const chunk = (n, channel, state, more = {}) => ({ device: { id: uuid(5, n), name: `Monitor 0${n}` }, channel, vital: NAMES[channel]?.[0] ?? null, label: NAMES[channel]?.[1] ?? channel, is_waveform: false, from_ms: BEGAN + n * HOUR, to_ms: BEGAN + (n + 1) * HOUR, items: 3600, state, found_at: new Date(BEGAN).toISOString(), settled_at: state === "waits" ? null : new Date(BEGAN).toISOString(), ...more });
  /** In the server's order; two of one channel begin at one instant, as chunks over each other do. */
  const CHUNKS = [chunk(3, "MDC_PULS_OXIM_SAT_O2", "waits"), chunk(4, "MDC_ECG_HEART_RATE", "gone"), chunk(4, "MDC_ECG_HEART_RATE", "differs", { to_ms: BEGAN + 6 * HOUR }), chunk(5, "MDC_ECG_ELEC_POTL_II", "differs", { is_waveform: true, device: { id: uuid(5, 5), name: "" } }), chunk(6, "MDC_TEMP_BODY", "mended")];
  const damage = { standing: 4, mended: 1, chunks: CHUNKS };
  const words = "3 stored stretches are damaged, and this server could not make them again from its journal: charts show a gap there; look after the disk, stop the server and run `wardline store rebuild`, or restore a backup from before";
  const damaged = { damage, troubles: [{ code: "stored_damaged", words }] };
  const card = (page) => page.locator("[data-damage]");

  test("is a list of channel, span and state with what to do, first what is still damaged", async () => {
    const page = await at("/system", "it", { locale: "en-GB", timezoneId: "UTC" }, { system: damaged });
    await card(page).waitFor();
    const rows = (await card(page).locator("li").allInnerTexts()).map((text) => text.replace(/\s+/g, " ").trim());
    assert.equal(rows.length, CHUNKS.length);
    for (const [i, wanted] of [
      /^Monitor 03 SpO₂ .*12:00 – 13:00: is being made again from the journal$/,
      /^Monitor 04 HR .*13:00 – 14:00: the journal has it no longer; only a backup from before may have it$/,
      /^Monitor 04 HR .*13:00 – 15:00: the journal does not agree; stop the server and run store rebuild, or restore a backup$/,
      new RegExp(`^${uuid(5, 5)} ECG lead II .*14:00 – 15:00: the journal does not agree`),
      /^Monitor 06 MDC_TEMP_BODY .*15:00 – 16:00: made again from the journal$/,
    ].entries()) assert.match(rows[i], wanted);
    assert.match(await card(page).innerText(), /4 stored stretches are damaged\. Charts show a gap there\./);
    assert.match(await card(page).innerText(), /One damaged stretch was made again from the journal\./);
    assert.match(await page.locator("[data-trouble=stored_damaged]").innerText(), /run wardline store rebuild, or restore a backup/);
    await card(page).getByRole("link", { name: "Monitor 03" }).click();
    await page.waitForURL(new RegExp(`/devices\\?open=${uuid(5, 3)}`));
    calm(page);
  });

  for (const locale of Object.keys(SAID)) {
    test(`fits every size and is accessible in every look, in ${locale}`, async () => {
      await Promise.all([HANDS, DESKS].map(async (looks) => {
        const page = await at("/system", "it", { size: looks[0][0], locale }, { system: damaged });
        await card(page).scrollIntoViewIfNeeded();
        await through(page, `damage-${locale.slice(0, 2)}`, looks);
        const raw = (await page.locator(".system").innerText()).match(/\bdamage(_state)?\.[a-z]+/g);
        assert.equal(raw, null, `words are missing: ${raw}`);
        if (locale !== "en-GB") assert.doesNotMatch(await page.locator("[data-troubles]").innerText(), /stretches/, "a trouble is told in the reader's language");
        calm(page);
        assert.deepEqual(page.refused, []);
      }));
    });
  }

  for (const [name, told, want] of [
    ["nothing ever was", null, null],
    ["all of it was made again", { standing: 0, mended: 1, chunks: [CHUNKS.at(-1)] }, [/^Damaged on disk\s+One damaged stretch was made again from the journal\.\s+Monitor 06/, 1, null]],
    ["one stretch is", { standing: 1, mended: 0, chunks: [CHUNKS[1]] }, [/One stored stretch is damaged\./, 1, null]],
    ["twelve stretches are", { standing: 12, mended: 0, chunks: Array.from({ length: 12 }, (_, i) => chunk(i, "MDC_TEMP", "gone")) }, [/12 stored stretches are damaged\./, 12, null]],
    ["two hundred stretches are", { standing: 200, mended: 7, chunks: Array.from({ length: 100 }, (_, i) => chunk(i, "MDC_TEMP", "gone")) }, [/200 stored stretches are damaged\.[^]*and 195 more/, 12, "195"]],
  ]) {
    test(`says so when ${name}`, async () => {
      const page = await at("/system", "it", {}, { system: { damage: told } });
      await page.waitForSelector("[data-storage]");
      assert.equal(await card(page).count(), want ? 1 : 0);
      if (!want) return;
      const [text, rows, unlisted] = want;
      assert.match(await card(page).innerText(), text);
      assert.equal(await card(page).locator("li").count(), rows);
      assert.equal(await card(page).locator("[data-unlisted]").count(), unlisted ? 1 : 0);
      calm(page);
    });
  }
});

describe("a real disk that fills", { skip: noBrowser || noProgram, concurrency: false }, () => {
  let disk, server;
  before(async () => {
    disk = await smallDisk();
    if (!disk.why) server = await hospital({ disk: disk.path });
  });
  after(async () => {
    await tidy();
    await shut();
    await server?.stop();
    await disk.unmount?.();
  });

  test("is told to the administrator at 80 and at 95 %, and no more once there is room", async (told) => {
    if (disk.why) return told.skip(disk.why);
    const page = await open();
    await page.goto(`${server.url}${server.invitation}`);
    await page.fill("[name=password]", PASSWORD);
    await page.fill("[name=again]", PASSWORD);
    await page.click("[type=submit]");
    await page.waitForURL((url) => !url.pathname.startsWith("/invite"));
    // What the administrator is asked to do first, and the server's own figure of its disk.
    const used = () => page.evaluate(async () => (await (await fetch("/api/v1/system")).json()).storage.used_percent);
    assert.ok((await used()) < 80, `${await used()} % are used before anything fills it`);
    assert.equal(await page.locator(BANNER).count(), 0);
    const shows = (priority, percent) => page.waitForFunction(([priority, least]) => {
      const words = document.querySelector(`.banner[data-priority=${priority}]`)?.textContent ?? "";
      return Number(/(\d+) %/.exec(words)?.[1]) >= least && /Make room/.test(words);
    }, [priority, percent], { timeout: 60_000 });
    await disk.fillTo(81);
    await shows("low", 80);
    await picture(page, "disk-nearly-full");
    await accessible(page);
    await disk.fillTo(96);
    await shows("medium", 95);
    await page.getByRole("button", { name: "Look at the storage" }).click();
    await page.waitForSelector("[data-disk-alarm=almost_full]");
    await page.waitForSelector("[data-trouble=disk_almost_full]");
    await settled(page);
    await picture(page, "disk-almost-full");
    await accessible(page);
    await disk.clear();
    await page.waitForSelector(BANNER, { state: "detached", timeout: 60_000 });
    await page.waitForSelector("[data-disk-alarm]", { state: "detached" });
    calm(page);
    return undefined;
  });
});
