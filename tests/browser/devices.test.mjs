/** Devices on the real server: cut off with a reason, claimed by a code, told with a second look, found when they are refused. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { accessible, calm, look, noBrowser, open, picture, settled } from "./browser.mjs";
import { noServer, realWard, signedIn } from "./ward-server.mjs";

describe("devices on the real server", { skip: noBrowser || noServer, concurrency: false }, () => {
  const ward = realWard();

  /** A page of somebody who signed in with one click, and a way to ask the interface in their name. */
  const as = (login, options) => signedIn(ward, login, options);
  /** The demo's people by what they may do. */
  const logins = async () => {
    const page = await as("admin");
    const { items } = await page.ask("GET", "/users?limit=200");
    return Object.fromEntries(items.map((user) => [user.role, user.login]));
  };
  const monitor = async (page) => {
    const { items } = await page.ask("GET", "/devices?limit=200");
    return items.find((d) => d.profile === "bedside-monitor" && d.lifecycle === "in_service" && d.patient);
  };

  test("IT quarantines a device with a reason, and its life and its refusal tell it", async () => {
    const page = await as("admin");
    const serial = `CUT-${Date.now()}`;
    const made = await page.ask("POST", "/devices", { profile: "oximeter", serial, label: `Oximeter ${serial}`, care_unit: (await monitor(page)).care_unit.id });
    await page.goto(`${ward.url}/devices?open=${made.id}`);
    await page.click("[data-move=quarantined]");
    assert.ok(await page.locator("[data-state-moves] form button.primary").isDisabled(), "it needs a reason");
    await page.fill("[name=why]", "battery swells");
    await page.click("[data-state-moves] form button.primary");
    await page.waitForFunction(() => /battery swells/.test(document.querySelector("[data-life]")?.textContent ?? ""));
    await page.waitForSelector("[data-move=in_service]");
    await accessible(page);
    calm(page);
  });

  test("a new device is claimed by its code on a phone", async () => {
    const page = await as("admin");
    const unit = (await monitor(page)).care_unit.id;
    await page.goto(`${ward.url}/devices?open=new`);
    await page.waitForFunction(() => document.querySelector(".drawer select")?.options.length > 1);
    const serial = `NEW-${Date.now()}`;
    await page.fill("[name=serial]", serial);
    await page.fill("[name=label]", `Monitor ${serial}`);
    await page.locator(".drawer select").last().selectOption(unit);
    await page.check("[name=ordered]");
    await page.click(".drawer [type=submit]");
    await page.locator(".drawer button", { hasText: "Open the device" }).click();
    await page.click("[data-offer]");
    await page.waitForSelector(".qr path");
    await settled(page);
    await picture(page, "device-code-desk-dark");
    await accessible(page);
    const code = await page.locator("[data-code]").textContent();
    const { nurse } = await logins();
    const phone = await as(nurse, { size: "phone" });
    await phone.goto(`${ward.url}/claim`);
    await phone.fill("[name=code]", code.toLowerCase());
    await phone.keyboard.press("Enter");
    await phone.waitForSelector("[data-claimable]");
    await phone.waitForFunction(() => document.querySelector("[data-claimable] select")?.options.length > 1);
    await accessible(phone);
    await picture(phone, "device-claim-phone-dark");
    await phone.click("[data-take]");
    await phone.waitForSelector("[data-claimed]");
    // The code is spent.
    await phone.locator("[data-claimed] button").click();
    await phone.fill("[name=code]", code);
    await phone.keyboard.press("Enter");
    await phone.waitForFunction(() => /used/.test(document.querySelector(".claim [role=alert]")?.textContent ?? ""));
    calm(phone);
    calm(page);
  });

  test("a command for a device on a patient says on whom, and waits for somebody else's look", async () => {
    const people = await logins();
    const page = await as(people.charge_nurse);
    const device = await monitor(page);
    await page.goto(`${ward.url}/devices?open=${device.id}`);
    await page.waitForSelector("[data-command-kind=restart]");
    assert.ok(await page.locator("[data-command-kind=restart]").isDisabled(), "it is on a patient");
    await page.click("[data-command-kind=set-pressure-interval]");
    await page.fill("[name=interval_min]", "20");
    await page.waitForFunction((name) => document.querySelector("[data-plan]")?.textContent.includes(name), device.patient.name);
    await picture(page, "device-command-desk-dark");
    await accessible(page);
    await page.click("[data-commands] form button.primary");
    await page.waitForSelector('[data-phase="waits_for_second"]');
    assert.ok(await page.locator("[data-agree]").first().isDisabled(), "the second look is somebody else's");
    const nurse = await as(people.nurse);
    await nurse.goto(`${ward.url}/devices?open=${device.id}`);
    await nurse.click("[data-agree]");
    await nurse.waitForFunction(() => !document.querySelector('[data-phase="waits_for_second"]'));
    calm(nurse);
    calm(page);
  });

  test("IT looks a configuration over before it is set, and on a patient it waits", async () => {
    const page = await as("admin");
    const worn = await monitor(page);
    await page.goto(`${ward.url}/devices?open=${worn.id}`);
    await page.waitForSelector("[data-configuration]");
    assert.ok(await page.locator("[data-configure]").isDisabled(), "it is on a patient");
    assert.match(await page.locator("[data-waits]").textContent(), /waits: it is on a patient/);
    await page.locator("[data-configuration]").scrollIntoViewIfNeeded();
    await picture(page, "device-configuration-waits-desk-dark");
    const serial = `SET-${Date.now()}`;
    const made = await page.ask("POST", "/devices", { profile: "bedside-monitor", serial, label: `Monitor ${serial}`, care_unit: worn.care_unit.id });
    await page.goto(`${ward.url}/devices?open=${made.id}`);
    await page.click("[data-configure]");
    await page.fill("[name=alarm_volume]", "11");
    await page.click("[data-configuration] form button.primary");
    assert.equal(await page.locator("[data-look]").count(), 0, "eleven is more than it takes");
    await page.fill("[name=alarm_volume]", "4");
    await page.locator("[name=tone]").selectOption("soft");
    await accessible(page);
    await page.locator("[data-configuration] form").scrollIntoViewIfNeeded();
    await picture(page, "device-configuration-desk-dark");
    await page.click("[data-configuration] form button.primary");
    await page.waitForSelector("[data-look]");
    assert.match(await page.locator("[data-look]").textContent(), /Alarm volume: as it is → 4/);
    await picture(page, "device-configuration-look-desk-dark");
    await page.click("[data-configuration] form button.primary");
    await page.waitForSelector("[data-configuration][data-state=sent]");
    const set = await page.ask("GET", `/devices/${made.id}/configuration`);
    assert.deepEqual([set.wanted, set.config, set.set_by.name], ["1", { alarm_volume: 4, tone: "soft" }, "admin"]);
    await page.waitForFunction(() => /configur|Configur/.test(document.querySelector("[data-life]")?.textContent ?? ""));
    await accessible(page);
    calm(page);
  });

  test("the settings of a profile without any are a map that is refused before it is sent", async () => {
    const page = await as("admin");
    const serial = `RAW-${Date.now()}`;
    const made = await page.ask("POST", "/devices", { profile: "oximeter", serial, label: `Oximeter ${serial}`, care_unit: (await monitor(page)).care_unit.id });
    await page.goto(`${ward.url}/devices?open=${made.id}`);
    await page.click("[data-configure]");
    await page.fill("[name=config]", "{ led: green");
    assert.ok(await page.locator("[data-configuration] form button.primary").isDisabled(), "no map");
    await page.fill("[name=config]", '{"led": "green"}');
    await page.click("[data-configuration] form button.primary");
    await page.click("[data-look] ~ .row button.primary");
    await page.waitForSelector("[data-configuration][data-state=sent]");
    await look(page, { size: "desk", theme: "light" });
    await picture(page, "device-configuration-desk-light");
    calm(page);
  });

  test("a new certificate comes with both addresses, and a cuff of the demonstration speaks by HTTPS", async () => {
    const page = await as("admin");
    const { items } = await page.ask("GET", "/devices?limit=200");
    const cuff = items.find((d) => d.profile === "blood-pressure-cuff" && d.lifecycle === "in_service");
    // A cuff measures for the first time within seconds.
    await page.waitForFunction(async (path) => (await (await fetch(path)).json()).door === "https", `/api/v1/devices/${cuff.id}`, { polling: 500 });
    await page.goto(`${ward.url}/devices?open=${cuff.id}`);
    await page.waitForSelector("[data-door=https]");
    await settled(page);
    await picture(page, "device-by-https-desk-dark");
    await accessible(page);
    const serial = `TWO-${Date.now()}`;
    const made = await page.ask("POST", "/devices", { profile: "oximeter", serial, label: `Oximeter ${serial}`, care_unit: cuff.care_unit.id });
    await page.goto(`${ward.url}/devices?open=${made.id}`);
    await page.locator(".drawer button", { hasText: "Make a new certificate" }).click();
    await page.waitForSelector("[data-command=https]");
    assert.match(await page.locator("[data-https]").first().textContent(), /^https:\/\/localhost:\d+$/);
    assert.match(await page.locator("[data-command=https]").textContent(), /curl .*--cert .*\n.*\n.*\/v1\/num$/);
    // By the number that the file hashes to, whoever is refused is found.
    const fingerprint = (await page.locator("[data-fingerprint]").first().textContent()).replace("SHA-256 ", "");
    await page.ask("PUT", `/devices/${made.id}/lifecycle`, { state: "quarantined", why: "a test" });
    const found = await page.ask("GET", `/refusals?search=${fingerprint}`);
    assert.deepEqual(found.items, [], "it was not refused yet");
    await accessible(page);
    calm(page);
  });

  test("IT sees a device's messages as they come, and finds who was refused by the address", async () => {
    const page = await as("admin");
    const device = await monitor(page);
    await page.goto(`${ward.url}/devices?open=${device.id}`);
    await page.click("[data-watch]");
    await page.waitForSelector("[data-messages] .message .raw");
    await page.click("[data-watch]");
    await page.goto(`${ward.url}/devices?view=refused`);
    await page.fill("[name=search]", "no such device anywhere");
    await page.waitForFunction(() => /Nothing found/.test(document.querySelector(".state")?.textContent ?? ""));
    await accessible(page);
    calm(page);
  });
});
