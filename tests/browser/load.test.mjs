/** How much work a full board is for the browser, forty beds with a trace each on made-up data; and how soon a real server's page is painted first. Figures are printed and not judged, as machines differ. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { calm, noBrowser, open, picture, settled, shut } from "./browser.mjs";
import { serve } from "./stand-in/server.mjs";
import { crowd, UNIT } from "./stand-in/ward.mjs";
import { noServer, realWard, signedIn } from "./ward-server.mjs";

const BEDS = 40;
const MEASURED_MS = 8000;

/** What the main thread has done so far, in milliseconds of its own time, and how many frames it has shown. */
async function work(cdp, page) {
  const { metrics } = await cdp.send("Performance.getMetrics");
  const of = (name) => metrics.find((m) => m.name === name).value * 1000;
  return { task: of("TaskDuration"), script: of("ScriptDuration"), layout: of("LayoutDuration") + of("RecalcStyleDuration"), frames: await page.evaluate(() => globalThis.framesShown) };
}

describe("a board of forty beds", { skip: noBrowser, concurrency: false }, () => {
  let house;
  before(async () => {
    crowd(BEDS);
    house = await serve();
  });
  after(async () => {
    await shut();
    house?.close();
  });

  for (const [name, path, size] of [["at a desk", `/ward/${UNIT.id}`, "large"], ["on a wall", `/ward/${UNIT.id}?wall=1`, "large"]]) {
    test(`${name} shows every bed and says what a frame costs`, async () => {
      const page = await open({ size });
      await page.addInitScript(() => {
        globalThis.framesShown = 0;
        const count = () => {
          globalThis.framesShown++;
          requestAnimationFrame(count);
        };
        requestAnimationFrame(count);
      });
      await page.goto(`${house.url}${path}`);
      await page.waitForFunction((beds) => document.querySelectorAll(".sector").length === beds, BEDS);
      await settled(page);
      await page.waitForFunction(() => document.querySelectorAll(".sector [data-live]").length > 80);
      const cdp = await page.context().newCDPSession(page);
      await cdp.send("Performance.enable", { timeDomain: "threadTicks" });
      const first = await work(cdp, page);
      await page.waitForFunction((until) => performance.now() > until, (await page.evaluate(() => performance.now())) + MEASURED_MS, { timeout: MEASURED_MS * 5 });
      const last = await work(cdp, page),
        frames = last.frames - first.frames;
      assert.ok(frames > 0, "frames were shown");
      const each = (part) => ((last[part] - first[part]) / frames).toFixed(2);
      process.stdout.write(`# ${BEDS} beds ${name}: ${each("task")} ms of main thread a frame (script ${each("script")}, style and layout ${each("layout")}), ${frames} frames in ${MEASURED_MS / 1000} s\n`);
      const lowest = await page.locator(".sector").last().evaluate((e) => e.getBoundingClientRect().bottom);
      if (path.includes("wall")) assert.ok(lowest <= 1080, `the last bed ends at ${lowest} px`);
      await picture(page, `made-up-forty-beds-${path.includes("wall") ? "wall" : "desk"}`);
      calm(page);
    });
  }
});

const PAINTS = 15;

/** When the page that is open showed its first words, in milliseconds since it was asked for. */
const firstPaint = (page) =>
  page.evaluate(() => new Promise((found) => {
    new PerformanceObserver((seen, observer) => {
      const [paint] = seen.getEntriesByName("first-contentful-paint");
      if (!paint) return;
      observer.disconnect();
      found(paint.startTime);
    }).observe({ type: "paint", buffered: true });
  }));

describe("the first paint, from a real server on loopback", { skip: noBrowser || noServer, concurrency: false }, () => {
  const ward = realWard();

  for (const [name, path] of [["the sign-in page", "/sign-in"], ["the ward board", "/"]]) {
    test(`${name} is painted, each time by a browser that has nothing of it`, async () => {
      const first = await signedIn(ward, (await (await fetch(`${ward.url}/api/v1/demo-sign-ins`)).json()).items.find((p) => p.role === "nurse").login);
      const cookies = path === "/" ? await first.context().cookies() : [];
      const paints = [];
      for (let n = 0; n < PAINTS; n++) {
        // Another context has no cache and no service worker.
        const page = await open();
        await page.context().addCookies(cookies);
        await page.goto(`${ward.url}${path}`);
        paints.push(await firstPaint(page));
        if (path === "/") await page.waitForSelector(".sector");
        calm(page);
        await page.context().close();
      }
      paints.sort((a, b) => a - b);
      const at = (share) => paints[Math.floor((PAINTS - 1) * share)].toFixed(0);
      process.stdout.write(`# first paint of ${name}: median ${at(0.5)} ms, ${at(0)} to ${at(1)} ms, of ${PAINTS}\n`);
    });
  }
});
