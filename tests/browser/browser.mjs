/** What every browser test needs: a page in Debian's Chromium, a picture in target/screens, and the eyes of axe. */
import { mkdir, readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import assert from "node:assert/strict";
import { chromium } from "playwright-core";

const SCREENS = fileURLToPath(new URL("../../target/screens/", import.meta.url));
const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
const CHROMIUM = process.env.CHROMIUM ?? ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find(existsSync);

export const SIZES = { phone: [390, 844], tablet: [768, 1024], desk: [1280, 800], large: [1920, 1080], wall: [3840, 2160] };

/** Whether there is a browser at all; without one the tests say so and are skipped. */
export const noBrowser = CHROMIUM ? false : "no Chromium: apt-get install chromium, or name one in CHROMIUM";

let running = null;
export async function open({ size = "desk", motion = "no-preference", ...more } = {}) {
  running ??= await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox", "--autoplay-policy=user-gesture-required"] });
  const [width, height] = SIZES[size];
  const context = await running.newContext({ viewport: { width, height }, isMobile: size === "phone", hasTouch: size === "phone" || size === "tablet", reducedMotion: motion, acceptDownloads: true, ignoreHTTPSErrors: true, ...more });
  const page = await context.newPage();
  page.complaints = [];
  page.on("pageerror", (error) => page.complaints.push(error.stack ?? String(error)));
  page.on("console", (message) => message.type() === "error" && /Content Security Policy|Refused to/.test(message.text()) && page.complaints.push(message.text()));
  return page;
}

/** Closes every page, so that one test's work is not another's. */
export async function tidy() {
  await Promise.all((running?.contexts() ?? []).map((context) => context.close()));
}

export async function shut() {
  await running?.close();
  running = null;
}

/** Keeps a picture under the name of the screen, its size and its look. */
export async function picture(page, name) {
  await mkdir(SCREENS, { recursive: true });
  await page.screenshot({ path: `${SCREENS}${name}.png` });
}

/** Fails on anything that axe calls serious or critical, naming the rule and the element. */
export async function accessible(page) {
  // Injected through the protocol: the page's own policy would not let a script in, and must not.
  await page.evaluate(await readFile(AXE, "utf8"));
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"], runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] }));
  const bad = violations.filter((v) => v.impact === "serious" || v.impact === "critical");
  assert.deepEqual(bad.map((v) => `${v.id}: ${v.nodes.slice(0, 4).map((n) => `${n.target} ${n.failureSummary?.split("\n")[1]?.trim() ?? ""}`).join(" | ")}`), []);
}

/** Nothing was thrown, nothing broke the policy. */
export const calm = (page) => assert.deepEqual(page.complaints, []);
