import fc from "fast-check";
import { expect, test } from "vitest";
import { ascendingOrder } from "./ascending-order.ts";

/** By the definition: sort stable by value, NaN behind all. */
function plainly(values: Float64Array): number[] {
  const rank = (value: number): [number, number] => (Number.isNaN(value) ? [1, 0] : [0, value]);
  return Array.from(values, (value, i) => ({ value, i }))
    .sort((a, b) => {
      const [x, y] = [rank(a.value), rank(b.value)];
      return x[0] - y[0] || (x[1] === y[1] ? 0 : x[1] < y[1] ? -1 : 1);
    })
    .map(({ i }) => i);
}

test("orders by hand: ties by index, NaN last, -0 equals 0", () => {
  expect([...ascendingOrder(Float64Array.of(2, Number.NaN, -1, 0, -0, -Infinity, 2, Infinity))]).toEqual([
    5, 2, 3, 4, 0, 6, 7, 1,
  ]);
});

test.each([100, 600])("law: %i of any doubles are ordered as a stable sort orders them", (most) => {
  const some = fc.array(fc.oneof(fc.double(), fc.constantFrom(0, -0, Number.NaN, 1, 1e15, 1e15 + 1, 5e-324)), {
    minLength: most - 1,
    maxLength: most,
  });
  fc.assert(
    fc.property(some, (list) => {
      const values = Float64Array.from(list);
      expect([...ascendingOrder(values)]).toEqual(plainly(values));
    }),
    { numRuns: 30, seed: 1 },
  );
});

test("times of a window, many of them equal", () => {
  const values = Float64Array.from({ length: 5000 }, (_, i) => 9e11 + Math.imul(i, 2654435761) / 2 ** 20);
  expect([...ascendingOrder(values)]).toEqual(plainly(values));
});
