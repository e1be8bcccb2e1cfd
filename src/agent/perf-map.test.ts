import { expect, test } from "vitest";
import { parsePerfMap, readJitName } from "./perf-map.ts";

test("code that was moved: of overlapping entries the later one holds; damaged lines are counted", () => {
  const map = parsePerfMap("1000 100 old\n2000 10 other\n1080 100 new\nnonsense\n3000 0 empty\n");
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

test("an old entry that reaches over later ones is found behind them", () => {
  const map = parsePerfMap("1000 1000 wide\n1100 10 narrow\n");
  expect([map.find(0x1105), map.find(0x1200)]).toEqual(["narrow", "wide"]);
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
