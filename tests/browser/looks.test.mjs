/** Every screen of a nurse at every size and in every look: it fits, and whoever sees little can read it; on made-up data. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { accessible, calm, FAR, look, noBrowser, picture, settled, SIZES } from "./browser.mjs";
import { madeUp } from "./made-up.mjs";
import { UNIT, uuid } from "./stand-in/ward.mjs";

const WARD = `/ward/${UNIT.id}`,
  PATIENT = `/patients/${uuid(3, 4)}`,
  ALARM = `/alarms?open=${uuid(9, 1)}`,
  DEVICE = uuid(5, 4),
  STRIP = `${PATIENT}/strip?alarm=${uuid(9, 1)}`;

describe("every size and look", { skip: noBrowser, concurrency: false }, () => {
  const { at } = madeUp();

  /** One page for each kind of device; its further looks are taken without loading it again. A wall is a wall: nobody holds it in a hand. */
  const hands = [[["phone", "dark"], ["phone", "light"]], [["tablet", "dark"]]],
    desks = [["desk", "dark"], ["desk", "light"], ["desk", "contrast"], ["large", "dark"], ["wall", "dark"]];
  const screens = { ward: [WARD, ".sector .sweep"], "ward-s": [`${WARD}?density=S`, ".sector"], wall: [`${WARD}?wall=1`, ".wallbar"], patient: [PATIENT, ".trend canvas"], alarms: ["/alarms", "tr[data-alarm]"], alarm: [ALARM, ".drawer .life li"], mine: ["/mine", ".own-bed"], strip: [STRIP, ".strip-row .line"], history: [`/history${PATIENT}?range=90d`, ".trend canvas"], screen: ["/screen", ".ruler"], devices: ["/devices", "tr[data-device]"], device: [`/devices?open=${DEVICE}`, ".drawer [data-life] li"], refused: ["/devices?view=refused", "tr[data-refusal]"], claim: ["/claim", "form"], system: ["/system", ".stage"], "sign-in": ["/sign-in", ".person"], invite: ["/invite/fresh", "form"] };
  for (const [name, [path, mark]] of Object.entries(screens)) {
    test(`${name} is accessible and fits at every size and in every look`, async () => {
      const through = async (looks) => {
        const page = await at(path, "nurse", { size: looks[0][0], theme: looks[0][1] });
        await page.waitForSelector(mark);
        for (const [size, theme] of looks) {
          await look(page, { size, theme });
          await settled(page);
          await picture(page, `made-up-${name}-${SIZES[size][0]}-${theme}`);
          const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
          assert.ok(wide <= 1, `${name} at ${size} is ${wide} px too wide`);
          if (!FAR.has(size)) await accessible(page);
        }
        calm(page);
      };
      await Promise.all([...(name === "wall" ? [] : hands), desks].map(through));
    });
  }
});
