import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { InputError, Intake } from "../model/intake.ts";
import { camelAndSnake, JsonKeys, UNKNOWN_KEY } from "./json-keys.ts";
import { END_OF_OBJECT, JsonKind, JsonReader } from "./json-reader.ts";

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
const reading = (source: string | Uint8Array, intake = new Intake(), byteBase = 0): JsonReader =>
  new JsonReader(typeof source === "string" ? encode(source) : source, intake, "f.json", byteBase);

/** The value of a document, by the reader alone. */
function valueOf(source: string | Uint8Array, intake?: Intake): unknown {
  const reader = reading(source, intake);
  const value = readAny(reader);
  reader.expectEnd();
  return value;
}

function readAny(reader: JsonReader): unknown {
  switch (reader.kind()) {
    case JsonKind.object: {
      const entries: [string, unknown][] = [];
      reader.enterObject();
      while (reader.nextKeyText()) {
        const key = text(reader);
        entries.push([key, readAny(reader)]);
      }
      return Object.fromEntries(entries);
    }
    case JsonKind.array: {
      const list: unknown[] = [];
      reader.enterArray();
      while (reader.nextElement()) list.push(readAny(reader));
      return list;
    }
    case JsonKind.string:
      reader.readString();
      return text(reader);
    case JsonKind.number:
      return reader.readNumber();
    case JsonKind.boolean:
      return reader.readBoolean();
    case JsonKind.null:
      reader.skipValue();
      return null;
  }
}

const text = (reader: JsonReader): string =>
  new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(
    reader.text.subarray(reader.textStart, reader.textEnd),
  );

/** The InputError that `run` throws. */
function errorOf(run: () => unknown): InputError {
  try {
    run();
  } catch (error) {
    if (error instanceof InputError) return error;
    throw error;
  }
  throw new Error("nothing thrown");
}

const wellFormed = (string: string): string => string.replaceAll(/\p{Surrogate}/gu, "\ufffd");

/** What JSON.parse makes of it, with lone surrogates as we read them; undefined where it refuses. */
function parsed(source: string): { value: unknown } | undefined {
  const fix = (value: unknown): unknown => {
    if (typeof value === "string") return wellFormed(value);
    if (Array.isArray(value)) return value.map(fix);
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, held]) => [wellFormed(key), fix(held)]));
  };
  try {
    return { value: fix(JSON.parse(source)) };
  } catch {
    return undefined;
  }
}

test.each([
  ['"plain"', "plain"],
  ['"\\"\\\\\\/\\b\\f\\n\\r\\t"', '"\\/\b\f\n\r\t'],
  ['"\\u0041\\u00e9\\u20ac\\ud83d\\ude00"', "Aé€😀"],
  ['"\\ud83d\\ude"', undefined],
  ['"é€😀"', "é€😀"],
  ['"a\\nb\\nc"', "a\nb\nc"],
  ['""', ""],
  [' \t\r\n"x" \n', "x"],
  ['\ufeff"bom"', "bom"],
  ['"\ttab"', undefined],
  ['"\\x"', undefined],
  ["'x'", undefined],
])("string %s", (source, expected) => {
  if (expected === undefined) expect(errorOf(() => valueOf(source)).code).toBe("malformed");
  else expect(valueOf(source)).toBe(expected);
});

test.each(['"\\ud83d"', '"\\ude00\\ud83d"', '"\\ud83d\\n"', '"\\ud83d\\ud83d\\ude00"'])(
  "lone surrogates of %s become U+FFFD and are counted once",
  (source) => {
    const intake = new Intake();
    expect(valueOf(source, intake)).toBe(wellFormed(JSON.parse(source) as string));
    expect(intake.invalidUtf8).toBe(1);
  },
);

test("invalid UTF-8 is counted per string and read as WHATWG's decoder does", () => {
  const intake = new Intake();
  const bytes = Uint8Array.of(0x5b, 0x22, 0xff, 0x61, 0xe2, 0x82, 0x22, 0x2c, 0x22, 0xc3, 0xa9, 0x22, 0x5d);
  expect(valueOf(bytes, intake)).toEqual(["\ufffda\ufffd", "é"]);
  expect(intake.invalidUtf8).toBe(1);
});

test.each([
  ['{"a":1,}', 7, "a key"],
  ["[1,]", 3, "a value"],
  ["[1 2]", 3, "',' or ']'"],
  ['{"a" 1}', 5, "':'"],
  ["{a:1}", 1, "a key"],
  ["[01]", 2, "',' or ']'"],
  ["[1.]", 3, "a digit"],
  ["[-]", 2, "a digit"],
  ["[1e+]", 4, "a digit"],
  ["[nul]", 4, "null"],
  ["[NaN]", 1, "a value"],
  ["[1] x", 4, "the end of the input"],
])("%s is malformed at byte %i", (source, byteOffset, expected) => {
  const walked = errorOf(() => valueOf(source));
  const skipped = errorOf(() => {
    const reader = reading(source);
    reader.skipValue();
    reader.expectEnd();
  });
  expect(walked).toMatchObject({ code: "malformed", byteOffset, expected, file: "f.json" });
  expect(skipped).toMatchObject({ code: "malformed", byteOffset, expected });
});

test("byte offsets count from the document's place in its file", () => {
  expect(errorOf(() => reading("[1,", new Intake(), 1000).skipValue())).toMatchObject({
    code: "truncated",
    byteOffset: 1003,
    found: "the end of the input",
  });
});

describe("nesting", () => {
  test("9,999 levels are skipped", () => {
    const reader = reading("[".repeat(9_999) + "]".repeat(9_999));
    reader.skipValue();
    expect(reader.position).toBe(2 * 9_999);
  });
  test.each(["[", '{"a":'])("a million of %s are refused", (open) => {
    expect(errorOf(() => reading(open.repeat(1_000_000)).skipValue()).code).toBe("too-large");
  });
});

test("reads and skips what JSON.parse reads, and refuses what it refuses", () => {
  const source = fc.json({ maxDepth: 4 });
  const mutated = fc
    .tuple(
      source,
      fc.nat(),
      fc.constantFrom(...Array.from('{}[]",:\\0123456789-+.eEtfnu \n\u0001x')),
      fc.integer({ min: 0, max: 1 }),
    )
    .map(
      ([json, at, letter, cut]) =>
        json.slice(0, at % (json.length + 1)) + letter + json.slice((at % (json.length + 1)) + cut),
    );
  fc.assert(
    fc.property(fc.oneof(source, mutated), (json) => {
      const expected = parsed(json);
      if (expected === undefined) {
        expect(() => valueOf(json)).toThrow(InputError);
        expect(() => {
          const reader = reading(json);
          reader.skipValue();
          reader.expectEnd();
        }).toThrow(InputError);
        return;
      }
      expect(valueOf(json)).toEqual(expected.value);
      const reader = reading(json);
      reader.skipValue();
      reader.expectEnd();
    }),
    { numRuns: 2000, seed: 7 },
  );
});

test("a number of a million digits is refused, or skipped where nobody asks for it", () => {
  const source = `[${"7".repeat(1_000_000)}]`;
  expect(errorOf(() => valueOf(source))).toMatchObject({ code: "too-large", byteOffset: 1 });
  const reader = reading(source);
  reader.skipValue();
  expect(reader.position).toBe(1_000_002);
});

test("keys are told apart by all of their bytes", () => {
  const names = Array.from({ length: 120 }, (_, i) => `k${i % 10}_${i}`);
  const keys = new JsonKeys(names.map((name, i) => [name, i]));
  for (const [i, name] of names.entries()) {
    const bytes = encode(`"${name}"`);
    expect(keys.find(bytes, 1, bytes.length - 1)).toBe(i);
    expect(keys.find(bytes, 1, bytes.length - 2)).not.toBe(i);
  }
  expect(keys.find(encode(""), 0, 0)).toBe(UNKNOWN_KEY);
  expect(
    () =>
      new JsonKeys([
        ["a", 0],
        ["a", 1],
      ]),
  ).toThrow(RangeError);
});

test("camelCase and snake_case are the same key, escaped or not", () => {
  const keys = new JsonKeys(camelAndSnake({ startTimeUnixNano: 4 }));
  const reader = reading('{"startTimeUnixNano":0,"start_time_unix_nano":0,"start\\u0054imeUnixNano":0,"StartTime":0}');
  reader.enterObject();
  const found: number[] = [];
  for (let key = reader.nextKey(keys); key !== END_OF_OBJECT; key = reader.nextKey(keys)) {
    found.push(key);
    reader.skipValue();
  }
  expect(found).toEqual([4, 4, 4, UNKNOWN_KEY]);
});
