/** The parts of the screens that need no browser: decoders, ranges, sound patterns, words, colours, what is vendored. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { ecg, frame } from "./stand-in/signals.mjs";

const WEB = fileURLToPath(new URL("../../web/", import.meta.url));
const { decode } = await import("../../web/feed/cbor.js");
const { Range } = await import("../../web/wave/range.js");
const { lengthMs, pulses, repeatMs } = await import("../../web/sound/bursts.js");
const { joinedPoints, gapAt, rangeOf } = await import("../../web/patient/trend-data.js");

const words = JSON.parse(await readFile(join(WEB, "i18n/en.json"), "utf8"));
async function sources(folder = WEB) {
  const entries = await readdir(folder, { withFileTypes: true });
  const below = await Promise.all(entries.map((e) => (e.isDirectory() ? (e.name === "vendor" ? [] : sources(join(folder, e.name))) : [join(folder, e.name)])));
  return below.flat();
}
const scripts = await Promise.all((await sources()).filter((f) => f.endsWith(".js")).map(async (f) => [f.slice(WEB.length), await readFile(f, "utf8")]));

describe("a wave frame", () => {
  const wave = { device: "0192f0c1-0005-7000-8000-000000000004", patient: "0192f0c1-0003-7000-8000-000000000004", channel: "MDC_ECG_ELEC_POTL_II", unit: "mV", rate: 250, sample: ecg(80) };

  test("comes back as it went", () => {
    const bytes = frame(wave, 1_795_226_400_123, 100);
    const fields = decode(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
    assert.equal(fields.get(1), wave.channel);
    assert.equal(fields.get(2), 1_795_226_400_123);
    assert.deepEqual(fields.get(3), [250, 1]);
    assert.deepEqual(fields.get(4), [1, -3]);
    assert.equal(fields.get(7).length, 200);
    assert.equal(fields.get(8), null);
    assert.equal(fields.get(10), false);
  });

  test("that is cut short is refused and never half drawn", () => {
    const bytes = frame(wave, 0, 100);
    for (let length = 1; length < bytes.length; length++) {
      const cut = Uint8Array.from(bytes.subarray(0, length)).buffer;
      assert.throws(() => decode(cut), RangeError, `${length} bytes`);
    }
  });

  for (const [name, hex, want] of [["a small number", "17", 23], ["a byte", "1818", 24], ["a word", "1903e8", 1000], ["a long", "1a000f4240", 1_000_000], ["a number of eight bytes", "1b000000e8d4a51000", 1_000_000_000_000], ["a negative", "3903e7", -1000], ["a half float", "f93e00", 1.5], ["a float", "fa47c35000", 100_000], ["a double", "fb3ff199999999999a", 1.1], ["true", "f5", true], ["nothing", "f6", null], ["text", "6449455446", "IETF"], ["a list", "83010203", [1, 2, 3]], ["a tag", "c11a514b67b0", 1_363_896_240]]) {
    test(`holds ${name} (RFC 8949, appendix A)`, () => assert.deepEqual(decode(Uint8Array.from(Buffer.from(hex, "hex")).buffer), want));
  }

  test("nested without end is refused", () => assert.throws(() => decode(new Uint8Array(64).fill(0x81).buffer), RangeError));
});

describe("the range of a trace", () => {
  test("holds what came, with air above and below", () => {
    const range = new Range();
    range.take([-0.2, 1.1]);
    assert.equal(range.settle(0), true);
    assert.ok(range.part(1.1) < 1 && range.part(1.1) > 0.85);
    assert.ok(range.part(-0.2) > 0 && range.part(-0.2) < 0.15);
  });
  test("does not change with every beat", () => {
    const range = new Range();
    range.take([-0.2, 1]);
    range.settle(1);
    range.take([-0.2, 1.4]);
    assert.equal(range.settle(100), false, "too soon");
    range.take([-0.2, 1.4]);
    assert.equal(range.settle(5000), true, "later it does");
  });
  test("passes over what is not a number", () => {
    const range = new Range();
    range.take([NaN, 0.5, NaN, 0.7]);
    range.settle(0);
    assert.ok(range.low < 0.5 && range.high > 0.7);
  });
});

describe("a burst of sound", () => {
  for (const [priority, count, least, most] of [["high", 10, 2500, 15_000], ["medium", 3, 2500, 30_000], ["low", 2, 15_000, Infinity]]) {
    test(`of ${priority} priority has ${count} pulses and a pause as IEC 60601-1-8 asks`, () => {
      assert.equal(pulses(priority), count);
      const pause = repeatMs(priority) - lengthMs(priority);
      assert.ok(pause >= least && pause <= most, `${pause} ms`);
    });
  }
});

describe("a trend", () => {
  const gap = { from: "2026-11-21T02:10:00.000Z", to: "2026-11-21T02:20:00.000Z", reason: "probe off" };
  const at = (minute) => Date.parse(`2026-11-21T02:${minute}:00.000Z`);
  test("breaks its line at a gap", () => {
    const [times, values] = joinedPoints([{ points: [[at("09"), 97], [at("21"), 95]], gaps: [gap] }]);
    assert.deepEqual(times, [at("09"), at("15"), at("21")]);
    assert.deepEqual(values, [97, null, 95]);
  });
  test("knows the reason under the crosshair", () => {
    const series = { points: [[at("09"), 97]], gaps: [gap] };
    joinedPoints([series]);
    assert.equal(gapAt(series.gaps, at("12")).reason, "probe off");
    assert.equal(gapAt(series.gaps, at("25")), undefined);
  });
  test("keeps every value and limit in sight", () => {
    const [min, max] = rangeOf([[1, 2], [97, 84]], [88, null]);
    assert.ok(min < 84 && max > 97);
  });
  test("without a value still has a scale", () => assert.deepEqual(rangeOf([[], []], [null, undefined]), [0, 1]));
});

describe("the words", () => {
  const find = (key) => key.split(".").reduce((found, part) => found?.[part], words);
  test("are there for every key that a screen asks for", () => {
    const asked = scripts.flatMap(([file, text]) => [...text.matchAll(/\b(?:t|rich)\(\s*"([^"]+)"/g)].map((m) => [file, m[1]]));
    assert.ok(asked.length > 200);
    assert.deepEqual(asked.filter(([, key]) => find(key) === undefined), []);
  });
  test("are all asked for", () => {
    const all = scripts.map(([, text]) => text).join("\n");
    const groups = [...all.matchAll(/`([a-z_0-9.]+)\.\$\{/g)].map((m) => m[1]).concat([...all.matchAll(/word\("([a-z_0-9]+)"/g)].map((m) => m[1]));
    const leaves = (tree, path = "") => Object.entries(tree).flatMap(([name, value]) => (typeof value === "string" ? [path + name] : ["one", "other"].every((n) => n in value) ? [path + name] : leaves(value, `${path}${name}.`)));
    const stem = (key) => groups.some((group) => key.startsWith(`${group}.`));
    const partial = [...all.matchAll(/`([a-z_0-9.]+_)\$\{/g)].map((m) => m[1]);
    const unused = leaves(words).filter((key) => !all.includes(`"${key}"`) && !stem(key) && !partial.some((p) => key.startsWith(p)));
    assert.deepEqual(unused, []);
  });
  test("do not stand in the markup", () => {
    const bare = scripts.flatMap(([file, text]) => [...text.matchAll(/>\s*([A-Z][a-z]+(?: [a-z]+)+)\s*</g)].map((m) => `${file}: ${m[1]}`));
    assert.deepEqual(bare, []);
  });
});

describe("the colours", async () => {
  const css = await readFile(join(WEB, "styles/tokens.css"), "utf8");
  const theme = (name) => {
    const block = css.split(`[data-theme="${name}"]`)[1].split("}")[0];
    return Object.fromEntries([...block.matchAll(/--([\w-]+):\s*(#[0-9a-f]{6})/g)].map((m) => [m[1], m[2]]));
  };
  const luminance = (hex) => [0, 1, 2].map((i) => parseInt(hex.slice(1 + 2 * i, 3 + 2 * i), 16) / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)).reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const ratio = (a, b) => {
    const [high, low] = [luminance(a), luminance(b)].sort((x, y) => y - x);
    return (high + 0.05) / (low + 0.05);
  };
  const text = [["fg", "surface"], ["fg2", "surface"], ["fg3", "surface"], ["fg3", "bg"], ["fg3", "raised"], ["fg3", "selected"], ["fg2", "selected"], ["invert-fg", "invert-bg"], ["on-high", "high"], ["on-medium", "medium"], ["on-low", "low"], ["high-ink", "high-tint"], ["medium-ink", "medium-tint"], ["low-ink", "low-tint"], ["p-ecg", "surface"], ["p-spo2", "surface"], ["p-resp", "surface"], ["p-bp", "surface"], ["p-temp", "surface"]];
  for (const name of ["dark", "light", "contrast"]) {
    test(`of ${name} can be read: 4.5 for text, 3 for edges`, () => {
      const tokens = theme(name);
      const weak = text.filter(([f, b]) => ratio(tokens[f], tokens[b]) < 4.45).map(([f, b]) => `${f} on ${b}: ${ratio(tokens[f], tokens[b]).toFixed(2)}`);
      assert.deepEqual(weak, []);
      assert.ok(ratio(tokens.edge, tokens.surface) >= 3 && ratio(tokens.edge, tokens.bg) >= 3);
    });
  }
  test("stand in one file, and alarm hues are named in one other", async () => {
    const sheets = (await sources()).filter((f) => f.endsWith(".css") && !f.endsWith("tokens.css"));
    for (const sheet of sheets) {
      const rules = await readFile(sheet, "utf8");
      assert.doesNotMatch(rules.replace(/@media print[^\n]*/g, ""), /#[0-9a-f]{3,8}\b(?!\w*[ ,{])|rgb\(|hsl\(/, sheet);
      if (!sheet.endsWith("alarm.css")) assert.doesNotMatch(rules, /var\(--(high|medium|low)\)/, sheet);
    }
  });
});

describe("the house rules of the screens", () => {
  test("every script is under three hundred lines and opens with its sentence", () => {
    const bad = scripts.filter(([, text]) => text.split("\n").length > 300 || !/^\/\*\* [A-Z]/.test(text)).map(([file]) => file);
    assert.deepEqual(bad, []);
  });
  test("components never fetch: screens do", () => {
    const bad = scripts.filter(([file, text]) => file.startsWith("components/") && /api\/http|api\/act|fetch\(/.test(text)).map(([file]) => file);
    assert.deepEqual(bad, []);
  });
  test("nothing is written into the page as a string", () => {
    const bad = scripts.filter(([, text]) => /innerHTML|outerHTML|insertAdjacentHTML|dangerouslySetInnerHTML|eval\(|new Function/.test(text)).map(([file]) => file);
    assert.deepEqual(bad, []);
  });
  test("what is vendored is what its list says", async () => {
    const list = await readFile(join(WEB, "vendor/README.md"), "utf8");
    const rows = [...list.matchAll(/^\| `([\w.-]+)` .*`([0-9a-f]{64})` \|$/gm)];
    const there = (await readdir(join(WEB, "vendor"))).filter((f) => /\.(js|css)$/.test(f)).sort();
    assert.deepEqual(rows.map((r) => r[1]).sort(), there);
    for (const [, file, sum] of rows) assert.equal(createHash("sha256").update(await readFile(join(WEB, "vendor", file))).digest("hex"), sum, file);
  });
});
