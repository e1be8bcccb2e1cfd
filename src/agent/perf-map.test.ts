import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from "vitest";
import { PerfMap, PerfMapFile, readJitName } from "./perf-map.ts";

let folder = "";
beforeAll(() => (folder = mkdtempSync(join(tmpdir(), "longpole-perf-map-"))));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function mapOf(...texts: readonly string[]): PerfMap {
  const map = new PerfMap();
  for (const text of texts) map.add(Buffer.from(text));
  return map;
}

test("code that was moved: of overlapping entries the later one holds; damaged lines are counted", () => {
  const map = mapOf("1000 100 old\n2000 10 other\n1080 100 new\nnonsense\n3000 0 empty\n");
  const find = (address: number): string | undefined => map.find(address);
  expect([map.count, map.damaged]).toEqual([4, 1]);
  expect([find(0xfff), find(0x1000), find(0x107f), find(0x1080), find(0x117f), find(0x1180)]).toEqual([
    undefined,
    "old",
    "old",
    "new",
    "new",
    undefined,
  ]);
  expect([find(0x200f), find(0x2010), find(0x3000)]).toEqual(["other", undefined, undefined]);
});

test("numbers with and without 0x, of small and capital letters; what is no entry is damaged, an empty line is none", () => {
  const map = mapOf(
    "0xAB 0x10 a b\n\nab 10\nab 10 \n10 g0 x\n 1 1 x\n12345678123456781 1 long\nab1x 1 y\nffff800000000000 1000 k",
  );
  expect([map.count, map.damaged]).toEqual([2, 6]);
  expect([map.find(0xab), map.find(0xffff800000000000)]).toEqual(["a b", "k"]);
  expect(mapOf("").count).toBe(0);
});

test("an old entry that reaches over later ones is found behind them", () => {
  const map = mapOf("1000 1000 wide\n1100 10 narrow\n");
  expect([map.find(0x1105), map.find(0x1200)]).toEqual(["narrow", "wide"]);
});

test("what is added later holds, however it was cut", () => {
  // 0x1000 is compiled anew twelve times, each time with another name; 0x5000 stays.
  const lines = Array.from({ length: 12 }, (_, i) => `1000 ${(16 + i).toString(16)} f${i}\n`);
  const map = mapOf("5000 10 stays\n", ...lines);
  expect([map.count, map.find(0x1000), map.find(0x500f)]).toEqual([13, "f11", "stays"]);
  // 0x1000 + 16 + 11 is behind the last one, and behind all of them.
  expect([map.find(0x101a), map.find(0x101b)]).toEqual(["f11", undefined]);
  expect(mapOf("5000 10 stays\n" + lines.join("")).find(0x1000)).toBe("f11");
});

test("a map that grows by small parts is put in order some ten times in all, not once for each few of them", () => {
  const map = new PerfMap();
  let ordered = 0;
  const concat = vi.spyOn(Buffer, "concat");
  onTestFinished(() => {
    concat.mockRestore();
  });
  const line = (i: number): string =>
    `${(0x1000 * (i % 300) + 0x100000).toString(16)} 100 f${String(i).padStart(4, "0")}\n`;
  for (let i = 0; i < 1000; i++) map.add(Buffer.from(line(i)));
  for (const { value } of concat.mock.results) ordered += (value as Buffer).length;
  const all = 1000 * line(0).length;
  // Each byte of n parts is in log2(n) of them at most.
  expect(ordered).toBeLessThanOrEqual(10 * all);
  // The last one written at a place holds: that of 900 to 999, then that of 700 on.
  expect([map.find(0x100000), map.find(0x100000 + 0x1000 * 99), map.find(0x100000 + 0x1000 * 100)]).toEqual([
    "f0900",
    "f0999",
    "f0700",
  ]);
});

test("of a map that grows what is new is read, lines only when they are whole", () => {
  const path = join(folder, "grows.map");
  const file = new PerfMapFile(path);
  expect(file.read()).toBeUndefined();
  writeFileSync(path, "1000 10 one\n2000 10 tw");
  expect([file.read()?.count, file.read()?.find(0x2000)]).toEqual([1, undefined]);
  appendFileSync(path, "o\n3000 10 three\n");
  const map = file.read()!;
  expect([map.count, map.damaged, map.find(0x1000), map.find(0x2000), map.find(0x3000)]).toEqual([
    3,
    0,
    "one",
    "two",
    "three",
  ]);
});

test("a map that is written anew is read anew: shorter, or longer with another beginning", () => {
  const path = join(folder, "anew.map");
  const file = new PerfMapFile(path);
  writeFileSync(path, "1000 10 one\n2000 10 two\n");
  expect(file.read()?.count).toBe(2);
  writeFileSync(path, "1000 10 other\n");
  expect([file.read()?.count, file.read()?.find(0x1000)]).toEqual([1, "other"]);
  writeFileSync(path, "1000 10 third\n4000 10 four\n5000 10 five\n");
  expect([file.read()?.count, file.read()?.find(0x1000)]).toEqual([3, "third"]);
});

test.each([
  ["JS:*parse file:///srv/a.js:39:12", "parse", "/srv/a.js", 39],
  ["LazyCompile:~Foo.bar /srv/b c.js:7", "Foo.bar", "/srv/b c.js", 7],
  ["JS:^ /srv/a.js:1:1", "(anonymous)", "/srv/a.js", 1],
  ["JS:~processTimers node:internal/timers:505:21", "processTimers", "node:internal/timers", 505],
  ["Builtin:ArrayMap", "Builtin:ArrayMap", "", -1],
  ["py::parse:/srv/a.py", "parse", "/srv/a.py", -1],
])("%s", (name, called, file, line) => {
  expect(readJitName(name)).toMatchObject({ name: called, file, line });
});
