/** What every browser test needs: a page in Debian's Chromium, a picture in target/screens, and the eyes of axe. */
import { mkdir, readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import assert from "node:assert/strict";
import { chromium } from "playwright-core";

const SCREENS = fileURLToPath(new URL("../../target/screens/", import.meta.url));
const AXE = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const CHROMIUM = process.env.CHROMIUM ?? ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find(existsSync);

export const SIZES = { phone: [390, 844], tablet: [768, 1024], desk: [1280, 800], large: [1920, 1080], wall: [3840, 2160] };
/** What is looked at from some steps away shows what a desk shows, in its colours; axe has seen it there. */
export const FAR = new Set(["large", "wall"]);

/** Whether there is a browser at all; without one the tests say so and are skipped. */
export const noBrowser = CHROMIUM ? false : "no Chromium: apt-get install chromium, or name one in CHROMIUM";

/** The one browser, promised once: pages that are opened side by side share it. */
let running = null;
export async function open({ size = "desk", motion = "no-preference", ...more } = {}) {
  running ??= chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox", "--autoplay-policy=user-gesture-required"] });
  const [width, height] = SIZES[size];
  const context = await (await running).newContext({ viewport: { width, height }, isMobile: size === "phone", hasTouch: size === "phone" || size === "tablet", reducedMotion: motion, acceptDownloads: true, ignoreHTTPSErrors: true, ...more });
  const page = await context.newPage();
  page.complaints = [];
  page.on("pageerror", (error) => page.complaints.push(error.stack ?? String(error)));
  page.on("console", (message) => message.type() === "error" && /Content Security Policy|Refused to/.test(message.text()) && page.complaints.push(message.text()));
  return page;
}

/** Closes every page, so that one test's work is not another's. */
export async function tidy() {
  const contexts = (await running)?.contexts() ?? [];
  await Promise.all(contexts.map((context) => context.close()));
}

export async function shut() {
  await (await running)?.close();
  running = null;
}

/** Another size or look on the page that is already open, as when a window is resized or somebody chooses a theme. */
export async function look(page, { size, theme }) {
  const [width, height] = SIZES[size];
  await page.setViewportSize({ width, height });
  await page.evaluate((chosen) => {
    document.documentElement.dataset.theme = chosen;
  }, theme);
}

/** Waits until the page has its letters, loads nothing more, and every trace has taken its size and two frames have been drawn. */
export async function settled(page) {
  await page.waitForFunction(() => {
    const sized = (canvas) => !canvas.offsetWidth || Math.abs(canvas.width - canvas.getBoundingClientRect().width * devicePixelRatio) <= 2;
    return document.fonts.status === "loaded" && !document.querySelector("[aria-busy=true]") && [...document.querySelectorAll(".sweep canvas")].every(sized);
  });
  await page.evaluate(() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))));
}

/** Waits until so many traces have a line in their own colour; the hatch of what is missing does not count. */
export async function painted(page, selector, lanes, pixels = 200) {
  const enough = ({ selector, lanes, pixels }) => {
    const lined = (canvas) => {
      const [red, green, blue] = getComputedStyle(canvas).color.match(/[\d.]+/g).map(Number);
      const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      let n = 0;
      for (let i = 0; i < data.length; i += 4) if (data[i + 3] > 99 && Math.abs(data[i] - red) + Math.abs(data[i + 1] - green) + Math.abs(data[i + 2] - blue) < 24) n++;
      return n > pixels;
    };
    let found = 0;
    for (const canvas of document.querySelectorAll(selector)) if (canvas.width && lined(canvas) && ++found >= lanes) return true;
    return false;
  };
  await page.waitForFunction(enough, { selector, lanes, pixels }, { polling: 200, timeout: 20_000 });
}

/** Keeps a picture under the name of the screen, its size and its look; not in CI, where nobody looks at it. */
export async function picture(page, name) {
  if (process.env.CI) return;
  await mkdir(SCREENS, { recursive: true });
  await page.screenshot({ path: `${SCREENS}${name}.png` });
}

/** Fails on anything that axe calls serious or critical, naming the rule and the element. */
export async function accessible(page) {
  // Injected through the protocol: the page's own policy would not let a script in, and must not.
  if (!(await page.evaluate(() => "axe" in globalThis))) await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"], runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] }));
  const bad = violations.filter((v) => v.impact === "serious" || v.impact === "critical");
  assert.deepEqual(bad.map((v) => `${v.id}: ${v.nodes.slice(0, 4).map((n) => `${n.target} ${n.failureSummary?.split("\n")[1]?.trim() ?? ""}`).join(" | ")}`), []);
}

/** Nothing was thrown, nothing broke the policy. */
export const calm = (page) => assert.deepEqual(page.complaints, []);
