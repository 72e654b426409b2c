/** What was refused, or could not be read, is said where it happened, and to whoever listens instead of looking. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { accessible, calm, noBrowser, picture } from "./browser.mjs";
import { madeUp, says } from "./made-up.mjs";
import { uuid } from "./stand-in/ward.mjs";

const DEVICE = `/devices?open=${uuid(5, 4)}`;

describe("what is refused on made-up data", { skip: noBrowser, concurrency: false }, () => {
  const house = madeUp(),
    { at } = house;

  test("a configuration that cannot be read says so, is tried again, and is not taken for none", async () => {
    const page = await at(DEVICE, "it", {}, { broken: { path: /\/configuration$/, status: 500, detail: "The store answered too late." } });
    await says(page, "[data-unread][role=alert]", /could not be read\. .*answered too late/);
    assert.equal(await page.locator("[data-configure]").count(), 0, "nothing is set on what is not known");
    await accessible(page);
    await page.locator("[data-unread]").scrollIntoViewIfNeeded();
    await picture(page, "made-up-configuration-unread");
    house.state.broken = null;
    await page.click("[data-unread] button");
    await page.waitForSelector("[data-configure]");
    assert.equal(await page.locator("[data-unread]").count(), 0);
    calm(page);
  });

  test("a map of settings that is none is said at once, and beside its field", async () => {
    const page = await at(DEVICE, "it");
    await page.click("[data-configure]");
    const field = page.locator("[name=config]");
    assert.equal(await field.getAttribute("aria-invalid"), null);
    for (const [wrong, is] of [["{", true], ['{"a": 1}', false], ["[1]", true], ["7", true], ["{}", false]]) {
      await field.fill(wrong);
      assert.equal(await field.getAttribute("aria-invalid"), is ? "true" : null, wrong);
      const why = page.locator(`#${await field.getAttribute("aria-describedby")}[role=alert]`);
      assert.equal((await why.textContent()).trim() !== "", is, wrong);
      assert.equal(await page.locator("[data-configuration] form button.primary").isDisabled(), is, wrong);
    }
    await field.fill("{");
    await accessible(page);
    calm(page);
  });

  test("a dose that the server refuses interrupts, one that it takes does not", async () => {
    const refuse = async (page) => page.route(/\/next-dose$/, (route) => (page.asked = (page.asked ?? 0) + 1) === 1 ? route.fulfill({ status: 409, json: { title: "no", status: 409, detail: "the time of the dose is over" } }) : route.continue());
    const page = await at(`/patients/${uuid(3, 4)}?tab=medication`, "nurse", {}, {}, refuse);
    await page.fill("[name=dose]", "1 g paracetamol");
    await page.locator(".dose-form [type=submit]").click();
    await says(page, ".dose-form [role=alert]", /time of the dose is over/);
    assert.equal((await page.locator(".dose-form [role=status]").textContent()).trim(), "");
    await page.locator(".dose-form [type=submit]").click();
    await page.waitForSelector("[data-dose]");
    assert.equal((await page.locator(".dose-form [role=alert]").textContent()).trim(), "");
    calm(page);
  });
});
