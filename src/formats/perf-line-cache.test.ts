import { expect, test } from "vitest";
import { PerfLineCache } from "./perf-line-cache.ts";

const ADDRESS = "\t          414b3b ";

/** What the cache says to each of `texts`, after it was given all of `given`: size and value, or "new". */
function found(given: readonly string[], texts: readonly string[]): (string | [number, number])[] {
  const cache = new PerfLineCache();
  given.forEach((text, value) => {
    const bytes = Buffer.from(text, "latin1");
    cache.add(bytes, viewOf(bytes), 0, bytes.length, value);
  });
  return texts.map((text) => {
    const size = cache.find(viewOf(Buffer.from(`${text}and more behind it`, "latin1")), 0);
    return size === 0 ? "new" : [size, cache.value];
  });
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
  const cache = new PerfLineCache();
  const bytes = Buffer.from(line);
  cache.add(bytes, viewOf(bytes), 0, bytes.length, 3);
  expect(cache.find(viewOf(bytes), 0)).toBe(line.length);
  expect(cache.find(viewOf(bytes.subarray(0, -1)), 0)).toBe(0);
});

test("more text than it holds: what came last is known, and nothing is mistaken", () => {
  const cache = new PerfLineCache();
  const lines = Array.from({ length: 3000 }, (_, i) =>
    Buffer.from(`\t${i.toString(16).padStart(16)} ${"f".repeat(3000)}${i} (/bin/x)\n`),
  );
  lines.forEach((bytes, value) => cache.add(bytes, viewOf(bytes), 0, bytes.length, value));
  let known = 0;
  for (const [value, bytes] of lines.entries()) {
    if (cache.find(viewOf(bytes), 0) === 0) continue;
    known++;
    expect(cache.value).toBe(value);
  }
  // 9 MB were given, of which 4 MiB fit.
  expect(known).toBeGreaterThan(100);
  expect(known).toBeLessThan(1500);
  expect(cache.find(viewOf(lines[2999]!), 0)).toBe(lines[2999]!.length);
});
