import fc from "fast-check";
import { expect, test } from "vitest";
import { StackPool } from "./stack-pool.ts";

test("rows in the order of first appearance; a chain that was there keeps its row", () => {
  const pool = new StackPool();
  const a = pool.intern(-1, 7);
  const b = pool.intern(a, 8);
  expect([a, b, pool.intern(a, 9), pool.intern(-1, 8), pool.intern(b, 8)]).toEqual([0, 1, 2, 3, 4]);
  expect([pool.intern(-1, 7), pool.intern(a, 8), pool.intern(a, 9), pool.intern(-1, 8)]).toEqual([0, 1, 2, 3]);
  expect([Array.from(pool.parent), Array.from(pool.member)]).toEqual([
    [-1, 0, 0, -1, 1],
    [7, 8, 9, 8, 8],
  ]);
  expect(pool.size).toBe(5);
});

test("rows are those of a map of pairs, for trees that are wide, deep or both, beyond every growth", () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(), fc.nat(40)), { minLength: 1, maxLength: 3000 }),
      fc.constantFrom(0, 1, 50),
      (pairs, back) => {
        const pool = new StackPool();
        const known = new Map<string, number>();
        for (const [at, member] of pairs) {
          // The caller is the row before, or one of the first, or any.
          const parent = back === 0 ? pool.size - 1 : back === 1 ? (at % 2) - 1 : (at % (pool.size + 1)) - 1;
          const key = `${parent} ${member}`;
          const row = pool.intern(parent, member);
          expect(row).toBe(known.get(key) ?? known.size);
          known.set(key, row);
        }
        expect(Array.from(pool.parent, (parent, row) => `${parent} ${pool.member[row]!}`)).toEqual([...known.keys()]);
      },
    ),
    { numRuns: 30, seed: 5 },
  );
});
