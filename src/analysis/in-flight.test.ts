import fc from "fast-check";
import { expect, test } from "vitest";
import { inFlightAtStart } from "./in-flight.ts";

const counts = (spans: readonly (readonly [start: number, end: number, group?: number])[]) => [
  ...inFlightAtStart(
    Float64Array.from(spans, (s) => s[0]),
    Float64Array.from(spans, (s) => s[1]),
    Int32Array.from(spans, (s) => s[2] ?? 0),
  ),
];

test("by hand", () => {
  // |-----------|
  //    |----|
  //      |-------|
  //         |--|     starts when the second ends
  //              .   without duration
  expect(
    counts([
      [0, 12],
      [3, 8],
      [5, 13],
      [8, 11],
      [13, 13],
    ]),
  ).toEqual([0, 1, 2, 2, 0]);
});

test("groups do not see each other; of equal starts the lower row is first", () => {
  expect(
    counts([
      [0, 9, 1],
      [1, 9, 2],
      [2, 9, 1],
      [2, 9, 1],
    ]),
  ).toEqual([0, 0, 1, 2]);
});

test("property: agrees with counting every pair, in any order of rows", () => {
  const span = fc.tuple(
    fc.integer({ min: 0, max: 20 }),
    fc.integer({ min: 0, max: 8 }),
    fc.integer({ min: 0, max: 2 }),
  );
  fc.assert(
    fc.property(fc.array(span, { maxLength: 25 }), (list) => {
      const spans = list.map(([start, length, group]) => [start, start + length, group] as const);
      const brute = spans.map(
        ([s, , g], i) =>
          spans.filter(([s2, e2, g2], j) => g2 === g && e2 > s && (s2 < s || (s2 === s && j < i)) && e2 > s2).length,
      );
      expect(counts(spans)).toEqual(brute);
    }),
  );
});
