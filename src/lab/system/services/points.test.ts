import fc from "fast-check";
import { expect, test } from "vitest";
import { parsePoints } from "./parse-points.ts";
import { rollUp } from "./rollups.ts";

test.each(["scan", "regex"] as const)("%s reads a point per line and counts what is none", (parser) => {
  const text = "cpu,host=a 1.5 60000\n\ncpu 2 61000\nnonsense\ncpu,host=a x 1\ncpu,host=a 1\n 1 2\nlast -3e2 5";
  expect(parsePoints(Buffer.from(text), parser)).toEqual({
    points: [
      { series: "cpu,host=a", value: 1.5, timeUnixMs: 60_000 },
      { series: "cpu", value: 2, timeUnixMs: 61_000 },
      { series: "last", value: -300, timeUnixMs: 5 },
    ],
    rejected: 4,
  });
});

test("both parsers read the same points", () => {
  const word = fc.stringMatching(/^[a-z.é]{1,6}$/);
  const point = fc.record({
    series: fc.tuple(word, fc.array(fc.tuple(word, word), { maxLength: 3 })).map(([metric, tags]) => {
      // A tag that comes twice has no meaning in the format.
      const unique = new Map(tags);
      return [metric, ...[...unique].map(([name, value]) => `${name}=${value}`)].join(",");
    }),
    value: fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e9, max: 1e9 }).map((value) => value + 0),
    timeUnixMs: fc.nat(),
  });
  fc.assert(
    fc.property(fc.array(point, { minLength: 1, maxLength: 20 }), (points) => {
      const lines = points.map(({ series, value, timeUnixMs }) => `${series} ${value} ${timeUnixMs}`).join("\n");
      const expected = { points, rejected: 0 };
      expect(parsePoints(Buffer.from(lines), "scan")).toEqual(expected);
      expect(parsePoints(Buffer.from(lines), "regex")).toEqual(expected);
    }),
    { seed: 1, numRuns: 100 },
  );
});

test("points of a series and minute become one row, ordered by series and minute", () => {
  const point = (series: string, value: number, timeUnixMs: number) => ({ series, value, timeUnixMs });
  expect(rollUp([point("b", 1, 0), point("a", 5, 60_001), point("a", 2, 119_999), point("a", 9, 59_999)])).toEqual([
    { series: "a", minuteUnixMs: 0, points: 1, sum: 9, min: 9, max: 9 },
    { series: "a", minuteUnixMs: 60_000, points: 2, sum: 7, min: 2, max: 5 },
    { series: "b", minuteUnixMs: 0, points: 1, sum: 1, min: 1, max: 1 },
  ]);
});
