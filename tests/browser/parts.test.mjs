/** The parts of the screens that need no browser: decoders, ranges, sound patterns, words, colours, what is vendored. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFile, readdir } from "node:fs/promises";
import { dirname, join, normalize } from "node:path";
import { after, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { ecg, frame } from "./stand-in/signals.mjs";

const WEB = fileURLToPath(new URL("../../web/", import.meta.url));
const { decode } = await import("../../web/feed/cbor.js");
const { Range } = await import("../../web/wave/range.js");
const { lengthMs, pulses, repeatMs } = await import("../../web/sound/bursts.js");
const paper = await import("../../web/strip/paper.js");
const { joined } = await import("../../web/wave/blank.js");
const { number, typed } = await import("../../web/format/number.js");
const { steps } = await import("../../web/patient/score-data.js");
const { joinedPoints, gapAt, rangeOf } = await import("../../web/patient/trend-data.js");

const lineData = await import("../../web/history/line-data.js");

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

describe("the range of a trace with a gain", () => {
  const centred = (...values) => {
    const range = new Range();
    range.span = 2;
    range.take(values);
    range.settle(0);
    return range;
  };
  test("is as wide as the gain says, whatever came", () => {
    const range = centred(-0.2, 1.0);
    assert.equal(range.high - range.low, 2);
    assert.equal(range.part(0.4), 0.5);
  });
  test("follows a drift of the middle, and lets a small one be", () => {
    const range = centred(0, 1);
    range.blocks = [];
    range.take([0.1, 1.1]);
    assert.equal(range.settle(10_000), false);
    range.blocks = [];
    range.take([1, 2]);
    assert.equal(range.settle(20_000), true);
    assert.equal(range.part(1.5), 0.5);
  });
});

describe("a strip on paper", () => {
  const span = paper.read({ start: new Date(0).toISOString(), rate_hz: 100, gain: 0.001, offset: 10, samples: [10, 1010, null, -990, 10] });
  test("reads counts as values, and a lost sample as none", () => assert.deepEqual([...span.values], [0, 1, NaN, -1, 0]));
  for (const [name, from, to, rowMs, want] of [["one row", 0, 10_000, 10_000, [[0, 10_000]]], ["a row more for what is left", 0, 10_001, 10_000, [[0, 10_000], [10_000, 20_000]]], ["three rows of ten seconds", 0, 30_000, 10_000, [[0, 10_000], [10_000, 20_000], [20_000, 30_000]]]]) {
    test(`is cut into ${name}`, () => assert.deepEqual(paper.rows(from, to, rowMs).map((r) => [r.from, r.to]), want));
  }
  for (const [name, from, to, want] of [["within a gap are none", 10, 30, [0, NaN, NaN, 3]], ["at the end of a gap count again", 0, 10, [NaN, 1, 2, 3]], ["beyond a gap are whole", 40, 90, [0, 1, 2, 3]], ["in a gap that began before are none", -50, 20, [NaN, NaN, 2, 3]]]) {
    test(`samples ${name}`, () => assert.deepEqual([...paper.read({ start: new Date(0).toISOString(), rate_hz: 100, gain: 1, offset: 0, samples: [0, 1, 2, 3] }, [{ from: new Date(from).toISOString(), to: new Date(to).toISOString() }]).values], want));
  }
  test("is 25 mm for a second and 10 mm for a millivolt", () => {
    const y = paper.scale([span], 30, 10);
    assert.equal(Math.round((y(0) - y(1)) * 1000) / 1000, 10);
    const path = paper.line([paper.read({ start: new Date(1000).toISOString(), rate_hz: 1, gain: 1, offset: 0, samples: [0, 0] })], { from: 0, to: 10_000 }, 25, () => 5);
    assert.equal(path, "M25.00 5.00L50.00 5.00");
  });
  test("tells gaps that touch as one, and two reasons as two", () => {
    const gap = (from, to, reason) => ({ from: new Date(from).toISOString(), to: new Date(to).toISOString(), reason });
    assert.deepEqual(joined([gap(1000, 2000, "leads off"), gap(0, 1000, "leads off"), gap(2000, 3000, "gap"), gap(3041, 4000, "gap")]), [gap(0, 2000, "leads off"), gap(2000, 3000, "gap"), gap(3041, 4000, "gap")]);
    assert.deepEqual(joined(undefined), []);
  });
  test("lifts its pen where a sample was lost", () => {
    const path = paper.line([span], { from: 0, to: 1000 }, 25, (v) => v);
    assert.equal(path.match(/M/g).length, 2);
    assert.equal(path.match(/L/g).length, 2);
  });
  test("without a gain fills its lane, with air above and below", () => {
    const y = paper.scale([span], 20, null);
    assert.equal(y(1), 2);
    assert.equal(y(-1), 18);
  });
  for (const [name, a, b, want] of [["forwards", 0, 10, { interval_ms: 10, rate_per_min: 6000, amplitude: 1 }], ["backwards", 10, 0, { interval_ms: 10, rate_per_min: 6000, amplitude: -1 }], ["over a lost sample", 0, 20, { interval_ms: 20, rate_per_min: 3000, amplitude: null }], ["on one place", 10, 10, { interval_ms: 0, rate_per_min: null, amplitude: 0 }], ["beyond what was recorded", 0, 90, { interval_ms: 90, rate_per_min: 60_000 / 90, amplitude: null }]]) {
    test(`is measured ${name}`, () => assert.deepEqual(paper.reading([span], a, b), want));
  }
  test("has a line for every millimetre and one for every fifth", () => {
    assert.equal(paper.grid(10, 5, 1).match(/M/g).length, 11 + 6);
    assert.equal(paper.grid(10, 5, 5).match(/M/g).length, 3 + 2);
  });
});

describe("a number", () => {
  test("is written without marks between its thousands", () => assert.equal(number(12_345.67, 1), "12345.7"));
  for (const [text, want] of [["37.2", 37.2], ["37,2", 37.2], [" 5 ", 5], ["", NaN], ["1.2.3", NaN], ["5 L", NaN]]) test(`typed as «${text}» is ${want}`, () => assert.deepEqual(typed(text), want));
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
  test("is not broken by a gap that nobody could see", () => {
    const [times] = joinedPoints([{ points: [[at("09"), 97], [at("21"), 95]], gaps: [{ ...gap, to: "2026-11-21T02:10:01.000Z" }] }], 1001);
    assert.deepEqual(times, [at("09"), at("21")]);
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

describe("the lines of a history", () => {
  const device = { id: "d", name: "Monitor" },
    of = (channel, more = {}) => ({ device, channel, vital: null, label: channel, patient: null, on_ms: [[0, 100]], ...more });
  const line = (channel, n, damaged_ms = []) => of(channel, { n, damaged_ms });
  const promised = (channel, covered_s, more = {}) => of(channel, { is_waveform: false, promised_s: 100, covered_s, gaps: [], ...more });
  const told = (lines, channels, next = null) => lineData.told({ lines, next }, channels && { channels }).map((it) => it.channel);

  test("tell of damage without a value, and of a promise of which nothing came", () => {
    assert.deepEqual(told([line("a", [1]), line("b", [], [[10, 20]]), line("c", [])], null), ["a", "b"]);
    const channels = [promised("a", 50), promised("b", 0), promised("c", 0), promised("w", 0, { is_waveform: true }), promised("x", 0, { promised_s: 0 })];
    assert.deepEqual(told([line("a", [1]), line("b", [], [[10, 20]])], channels), ["a", "b", "c"]);
    // Of what came in part the line follows with the next page.
    assert.deepEqual([told([], [promised("a", 50)], "p1"), told([], [promised("a", 50)])], [[], ["a"]]);
  });

  test("are hatched where what was stored is damaged, whatever the ledger knew once, and once", () => {
    const damaged = { from: 10, to: 20, reason: "damaged" };
    assert.deepEqual(lineData.gaps(line("a", [1], [[10, 20]]), promised("a", 100), 0, 100), [damaged]);
    const known = promised("a", 90, { gaps: [{ from_ms: 5, to_ms: 25, reason: "damaged" }] });
    assert.deepEqual(lineData.gaps(line("a", [1], [[10, 20]]), known, 0, 100), [{ from: 5, to: 25, reason: "damaged" }]);
  });
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

describe("the course of a score", () => {
  const at = (n) => new Date(n * 1000).toISOString(),
    of = (n, total, ...missing) => ({ at: at(n), total, missing });
  for (const [name, scores, points, gaps] of [
    ["holds until the next", [of(0, 3), of(10, 5)], [[0, 3], [9999, 3], [10_000, 5], [19_999, 5]], []],
    ["that began before the range holds at its beginning", [of(-5, 3)], [[0, 3], [19_999, 3]], []],
    ["has a gap with its reason where an input was missing", [of(0, 3), of(5, null, "pulse"), of(8, 4)], [[0, 3], [4999, 3], [8000, 4], [19_999, 4]], [{ from: 5000, to: 8000, reason: "pulse" }]],
    ["joins gaps for one reason", [of(0, null, "pulse"), of(5, null, "pulse")], [], [{ from: 0, to: 20_000, reason: "pulse" }]],
    ["keeps gaps for two reasons apart", [of(0, null, "pulse"), of(5, null, "oxygen")], [], [{ from: 0, to: 5000, reason: "pulse" }, { from: 5000, to: 20_000, reason: "oxygen" }]],
    ["of nothing is nothing", [], [], []],
  ]) {
    test(name, () => assert.deepEqual(steps(scores, 0, 20_000, ({ missing }) => missing.join()), { points, gaps }));
  }
});

describe("the languages", async () => {
  const { use, t, LANGUAGES } = await import("../../web/i18n/words.js");
  const { heard } = await import("../../web/i18n/heard.js");
  const files = new Map(await Promise.all(LANGUAGES.map(async (name) => [name, JSON.parse(await readFile(join(WEB, `i18n/${name}.json`), "utf8"))])));
  const counted = (value) => typeof value === "object" && value !== null && "other" in value && Object.keys(value).every((k) => ["zero", "one", "two", "few", "many", "other"].includes(k));
  const leaves = (tree, path = "") => Object.entries(tree).flatMap(([name, value]) => (typeof value === "string" || counted(value) ? [[path + name, value]] : leaves(value, `${path}${name}.`)));
  const blanks = (text) => [...new Set([...text.matchAll(/\{(\w+)\}/g)].map((m) => m[1]))].sort();
  after(() => use("en", files.get("en"), null));

  for (const name of LANGUAGES.filter((l) => l !== "en")) {
    const known = new Map(leaves(files.get(name))),
      base = leaves(files.get("en"));
    test(`${name} has every key of English, and no other`, () => assert.deepEqual([...known.keys()].sort(), base.map(([key]) => key).sort()));
    test(`${name} has the blanks of English, and the plurals of its own grammar`, () => {
      const forms = new Intl.PluralRules(name).resolvedOptions().pluralCategories.filter((c) => c !== "many");
      const wrong = base.filter(([key, value]) => {
        const own = known.get(key);
        if (typeof value === "string") return typeof own !== "string" || blanks(own).join() !== blanks(value).join();
        return typeof own !== "object" || forms.some((f) => typeof own[f] !== "string") || blanks(own.other).join() !== blanks(value.other).join();
      });
      assert.deepEqual(wrong.map(([key]) => key), []);
    });
    test(`${name} leaves nothing empty or in English by oversight`, () => {
      const same = base.filter(([key, value]) => typeof value === "string" && /[a-z]{4,} [a-z]{3,} [a-z]{3,}/i.test(value) && known.get(key) === value).map(([key]) => key);
      assert.deepEqual(same, []);
      assert.deepEqual([...known].filter(([key, value]) => value === "" && base.find(([k]) => k === key)?.[1] !== "").map(([key]) => key), []);
    });
  }

  for (const [name, text, want] of [
    ["de", "SpO₂ low 84 %", "SpO₂ niedrig 84 %"], ["de", "Temperature high 39.2 °C", "Temperatur hoch 39,2 °C"], ["de", "below 88", "unter 88"], ["de", "no beat for 4 s", "seit 4 s kein Schlag"], ["de", "Bedside monitor silent", "Bettmonitor stumm"], ["de", "NEWS2 9", "NEWS2 9"], ["de", "39.2", "39,2"], ["de", "Anything that nobody has translated", "Anything that nobody has translated"],
    ["es", "Heart rate high 128 /min", "Frecuencia cardíaca alta 128 /min"], ["es", "SpO₂ probe not on the patient", "Sensor de SpO₂ fuera del paciente"], ["es", "3 points for consciousness", "3 puntos por consciencia"], ["es", "1.5 s behind", "1,5 s de retraso"],
    ["en", "SpO₂ low 84 %", "SpO₂ low 84 %"],
    ["de", "days is 0; a page is shared for 1 to 90 days", "0 Tage gehen nicht; eine Seite wird für 1 bis 90 Tage geteilt"], ["es", "too many wrong passwords; try again in 58 s", "demasiadas contraseñas erróneas; inténtelo dentro de 58 s"], ["de", "a limit of the oxygen saturation must lie from 1 to 100 %", "bei Sauerstoffsättigung liegt eine Grenze von 1 bis 100 %"],
    ["de", "`alarm.end` is for charge nurses of the care unit; ask there, or be posted to it first", "`alarm.end` ist für Schichtleitungen der Station; fragen Sie dort, oder lassen Sie sich zuerst dort einteilen"], ["es", "there is no raised alarm to acknowledge or end", "no hay ninguna alarma activa que aceptar o terminar"], ["de", "nothing is shared with you any more", "mit Ihnen wird nichts mehr geteilt"],
  ]) {
    test(`${name} says «${text}» as «${want}»`, () => {
      use(name, files.get("en"), name === "en" ? null : files.get(name));
      assert.equal(heard(text), want);
    });
  }
  /** What a source of the server says, without its tests and its comments: those say what the server no longer may. */
  const said = (text) => text.replace(/^#\[cfg\(test\)\]\n(?:#\[[^\n]*\n)*mod \w+ \{[\s\S]*?^\}/gm, "").replace(/^(?:#\[[^\n]*\n)*#\[(?:tokio::)?test[^\n]*\n(?:#\[[^\n]*\n)*[^\n]*fn [\s\S]*?^\}/gm, "").replace(/^\s*\/\/.*$/gm, "").replace(/\\\n\s*/g, "");
  test("what a source says is read without its tests and comments", () => {
    const source = 'fn a() { refuse("too \\\n    old") }\n// an old word\n#[test]\nfn b() {\n    "a test word";\n}\n#[cfg(test)]\nmod tests {\n    fn c() {\n        "a deep word"\n    }\n}\nfn d() { "after" }\n';
    assert.match(said(source), /too old[\s\S]*after/);
    assert.doesNotMatch(said(source), /an old word|a test word|a deep word/);
  });
  test("know the server's refusals by the words that the server has", async () => {
    const product = (await readdir(join(WEB, "../crates"), { recursive: true })).filter((f) => /^(?:api|engine|care|security|store|model)\/src\/.*\.rs$/.test(f) && !/(?:^|[/_])tests?(?:\/|\.rs$)/.test(f));
    const rust = (await Promise.all(product.map((f) => readFile(join(WEB, "../crates", f), "utf8")))).map(said).join("\n");
    const refusals = Object.entries(files.get("en").heard).filter(([key]) => /^(?:bed_|device_(?:elsewhere|moved)|engine|fault|journal|limit|nothing_raised|not_(?:for|own|unit)|password|quiet_range|roles|share|sign_in|staff_answers|time_ahead|vital)/.test(key));
    assert.ok(refusals.length > 45);
    // Between two blanks a sentence stands as it is written where it is made.
    const lost = refusals.filter(([, text]) => text.split(/\{\w+\}/).some((part) => part.trim().length > 2 && !rust.includes(part.trim()))).map(([key]) => key);
    assert.deepEqual(lost, []);
  });
  test("count in their own grammar and fall back on English for what they lack", () => {
    use("es", files.get("en"), { alarm: { unanswered_n: { one: "{n} sola", other: "{n} varias" } } });
    assert.equal(t("alarm.unanswered_n", { n: 1 }), "1 sola");
    assert.equal(t("alarm.unanswered_n", { n: 5 }), "5 varias");
    assert.equal(t("act.close"), "Close");
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
    const bad = scripts.filter(([, text]) => text.split("\n").length > 300 || !/^\/\*\* [A-Z«]/.test(text)).map(([file]) => file);
    assert.deepEqual(bad, []);
  });
  test("components never fetch: screens do", () => {
    const bad = scripts.filter(([file, text]) => file.startsWith("components/") && /api\/http|api\/act|fetch\(/.test(text)).map(([file]) => file);
    assert.deepEqual(bad, []);
  });
  test("the page asks at once for every script that the board begins with", async () => {
    const seen = new Set(),
      left = ["app.js"],
      text = new Map(scripts);
    for (const vendored of await readdir(join(WEB, "vendor"))) if (vendored.endsWith(".js")) text.set(`vendor/${vendored}`, await readFile(join(WEB, "vendor", vendored), "utf8"));
    for (let file = left.shift(); file; file = left.shift()) {
      if (seen.has(file)) continue;
      seen.add(file);
      for (const [, path] of text.get(file).matchAll(/(?:^|[;}])\s*(?:import|export)\b[^;"]*?from\s*"(\.[^"]+)"/gm)) left.push(normalize(join(dirname(file), path)));
    }
    const page = await readFile(join(WEB, "index.html"), "utf8");
    assert.deepEqual([...page.matchAll(/rel="modulepreload" href="\/assets\/([^"]+)"/g)].map((m) => m[1]).sort(), [...seen].sort());
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
