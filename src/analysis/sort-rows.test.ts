import fc from "fast-check";
import { expect, test } from "vitest";
import { sortRows } from "./sort-rows.ts";

test("sorts a range, stably, as Array's sort does", () => {
  const lists = fc.array(fc.nat(30), { maxLength: 200 });
  fc.assert(
    fc.property(lists, lists, (left, keys) => {
      const rows = Int32Array.from([...left, ...keys].keys());
      const keyOf = (row: number): number => [...left, ...keys][row]!;
      sortRows(rows, left.length, rows.length, (a, b) => keyOf(a) < keyOf(b));
      const expected = [...keys.keys()].map((i) => i + left.length).toSorted((a, b) => keyOf(a) - keyOf(b));
      expect([...rows]).toEqual([...left.keys(), ...expected]);
    }),
    { numRuns: 300, seed: 5 },
  );
});

test("costs one comparison per element and merge when sorted already", () => {
  const n = 1 << 14;
  let comparisons = 0;
  sortRows(
    Int32Array.from({ length: n }, (_, i) => i),
    0,
    n,
    (a, b) => {
      comparisons++;
      return a < b;
    },
  );
  expect(comparisons).toBeLessThan(1.1 * n);
});
