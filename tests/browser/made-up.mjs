/** The prologue of tests on made-up data: a stand-in for the server that forgets between tests, and its pages as somebody sees them. */
import { after, afterEach, before, beforeEach } from "node:test";
import { open, shut, tidy } from "./browser.mjs";
import { fresh } from "./stand-in/house.mjs";
import { serve } from "./stand-in/server.mjs";

/** Stands around the tests of the `describe` that calls it. */
export function madeUp() {
  let house;
  before(async () => {
    house = await serve();
  });
  beforeEach(fresh);
  afterEach(tidy);
  after(async () => {
    await shut();
    house?.close();
  });
  return {
    get state() {
      return house.state;
    },
    get url() {
      return house.url;
    },
    /** A path as a role sees it while the house is so; `page.refused` has every answer that was an error. `prepare` comes before the first request. */
    at: async (path, role, options = {}, change = {}, prepare = async () => {}) => {
      Object.assign(house.state, { role, signedIn: true, empty: false, broken: null, blind: false, recording: true, crowd: 0, closed: false, system: null }, change);
      const page = await open(options);
      page.refused = [];
      page.on("response", (r) => r.status() >= 400 && page.refused.push(`${r.status()} ${r.url()}`));
      await prepare(page);
      await page.goto(`${house.url}${path}${path.includes("?") ? "&" : "?"}theme=${options.theme ?? "dark"}`);
      return page;
    },
  };
}

/** Waits until one of the elements says this. */
export const says = (page, selector, pattern) => page.waitForFunction(([where, source]) => [...document.querySelectorAll(where)].some((e) => new RegExp(source).test(e.textContent)), [selector, pattern.source]);

/** Sizes and looks of hands and of desks, in the order in which one page goes through them. */
export const HANDS = [["phone", "dark"], ["phone", "light"], ["tablet", "dark"]];
export const DESKS = [["desk", "dark"], ["desk", "light"], ["desk", "contrast"], ["large", "dark"], ["wall", "light"]];
