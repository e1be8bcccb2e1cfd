import { expect, test } from "vitest";
import { PerfLineCache } from "./perf-line-cache.ts";

const ADDRESS = "\t          414b3b ";

/** Size and value of the line that is all of `text` but what stands behind, as the cache has it. */
function lookUp(cache: PerfLineCache, text: DataView): [number, number] | "new" {
  const values = new Int32Array(1);
  cache.begin();
  return cache.readKnown(text, 0, values, 0) === 0 ? "new" : [cache.at, values[0]!];
}

function give(cache: PerfLineCache, text: string, value: number): void {
  const bytes = Buffer.from(text, "latin1");
  cache.add(bytes, viewOf(bytes), 0, bytes.length, value);
}

/** What the cache says to each of `texts`, after it was given all of `given`, numbered from 0. */
function found(given: readonly string[], texts: readonly string[]): ([number, number] | "new")[] {
  const cache = new PerfLineCache();
  given.forEach((text, value) => give(cache, text, value));
  return texts.map((text) => lookUp(cache, viewOf(Buffer.from(`${text}and more behind it, too`, "latin1"))));
}

const viewOf = (bytes: Buffer): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.length);

test("a line is known by all of its text", () => {
  const one = `${ADDRESS}handle_request_one (/bin/x)\n`;
  const two = `${ADDRESS}handle_request_two (/bin/x)\n`;
  const other = [
    // Another symbol, another module, another address; longer, shorter, cut.
    `${ADDRESS}handle_request_six (/bin/x)\n`,
    `${ADDRESS}handle_request_one (/bin/y)\n`,
    `\t          414b3c handle_request_one (/bin/x)\n`,
    `${ADDRESS}handle_request_one (/bin/x) \n`,
    `${ADDRESS}handle_request_one (/bin/)\n`,
    `${ADDRESS}handle_request_one (/bin/x)\r\n`,
  ];
  expect(found([one, two], [one, two, ...other])).toEqual([
    [one.length, 0],
    [two.length, 1],
    ...other.map(() => "new"),
  ]);
});

test("a third line in one place drives out the first", () => {
  // The place is computed from the first 24 bytes.
  const lines = ["a", "b", "c"].map((name) => `${ADDRESS}same_start_${name} (/bin/x)\n`);
  expect(found(lines, lines)).toEqual(["new", [lines[1]!.length, 1], [lines[2]!.length, 2]]);
});

test("a zero byte, which as a number is another byte's equal, is never remembered", () => {
  const zeros = `${ADDRESS}12345678${"\0".repeat(8)}12345678\n`;
  const minus = `${ADDRESS}12345678${"\0".repeat(7)}\x8012345678\n`;
  expect(found([zeros, minus], [zeros, minus])).toEqual(["new", "new"]);
});

test("short lines, and one that ends with the text", () => {
  expect(found(["\t 1 f (x)\n"], ["\t 1 f (x)\n"])).toEqual(["new"]);
  const line = `${ADDRESS}main (/bin/x)\n`;
  const bytes = Buffer.from(line);
  const cache = new PerfLineCache();
  cache.add(bytes, viewOf(bytes), 0, bytes.length, 3);
  expect(lookUp(cache, viewOf(bytes))).toEqual([line.length, 3]);
  expect(lookUp(cache, viewOf(bytes.subarray(0, -1)))).toBe("new");
});

test("lines one behind the other, up to one that is new, or to the end of the room", () => {
  const [one, two, other] = ["one", "two", "other"].map((name) => `${ADDRESS}${name} (/bin/x)\n`) as [
    string,
    string,
    string,
  ];
  const cache = new PerfLineCache();
  give(cache, one, 5);
  give(cache, two, 6);
  const text = viewOf(Buffer.from(one + two + one + other + one));
  cache.begin();
  const values = new Int32Array(9);
  expect(cache.readKnown(text, 0, values, 2)).toBe(5);
  expect([Array.from(values.subarray(2, 5)), cache.at]).toEqual([[5, 6, 5], 2 * one.length + two.length]);
  expect([cache.readKnown(text, 0, values, 8), values[8], cache.at]).toEqual([9, 5, one.length]);
});

test("what followed a line last is tried first, and is no more than a guess", () => {
  const [a, b, c] = ["a", "b", "c"].map((name) => `${ADDRESS.replace("4b", `${name}b`)}main (/bin/x)\n`) as [
    string,
    string,
    string,
  ];
  const cache = new PerfLineCache();
  [a, b, c].forEach((text, value) => give(cache, text, value));
  for (const lines of [
    [a, b, c],
    [a, c, b],
    [b, a, b, b],
    [c, c, c, a],
    [a, b, c],
  ]) {
    const values = new Int32Array(9);
    cache.begin();
    expect(cache.readKnown(viewOf(Buffer.from(lines.join(""))), 0, values, 0)).toBe(lines.length);
    expect(Array.from(values.subarray(0, lines.length))).toEqual(lines.map((line) => [a, b, c].indexOf(line)));
  }
});

test("more text than it holds: what came last is known, and nothing is mistaken", () => {
  const cache = new PerfLineCache();
  const lines = Array.from(
    { length: 6000 },
    (_, i) => `\t${i.toString(16).padStart(16)} ${"f".repeat(3000)}${i} (/bin/x)\n`,
  );
  lines.forEach((text, value) => give(cache, text, value));
  const answers = lines.map((text) => lookUp(cache, viewOf(Buffer.from(text))));
  const known = answers.filter((answer) => answer !== "new").length;
  answers.forEach((answer, i) => expect(["new", [lines[i]!.length, i]]).toContainEqual(answer));
  // 18 MB were given, of which 8 MiB fit.
  expect([known > 100, known < 3000, answers.at(-1)]).toEqual([true, true, [lines[5999]!.length, 5999]]);
});
