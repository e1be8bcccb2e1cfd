import fc from "fast-check";
import { expect, test } from "vitest";
import { nonNegativeLeastSquares, normalEquations, scaledCondition } from "./nnls.ts";

const columns = (...of: number[][]): Float64Array[] => of.map((column) => Float64Array.from(column));
const solve = (of: number[][], target: number[]): number[] => [
  ...nonNegativeLeastSquares(normalEquations(columns(...of), Float64Array.from(target))),
];

test.each([
  [
    "nothing in the way: 2a + b",
    [
      [1, 0, 1],
      [0, 1, 1],
    ],
    [2, 1, 3],
    [2, 1],
  ],
  // By hand: with b held at 0 the best a is (1·3 + 1·1) / (1 + 1) = 2; unbounded it would be a = 3, b = -2.
  [
    "one at its bound",
    [
      [1, 1],
      [0, 1],
    ],
    [3, 1],
    [2, 0],
  ],
  [
    "all at their bound",
    [
      [1, 0],
      [0, 1],
    ],
    [-1, -2],
    [0, 0],
  ],
  [
    "a column twice: one of them takes all",
    [
      [1, 2],
      [1, 2],
    ],
    [2, 4],
    [2, 0],
  ],
  [
    "an empty column",
    [
      [0, 0],
      [1, 2],
    ],
    [2, 4],
    [0, 2],
  ],
])("%s", (_, of, target, expected) => {
  solve(of, target).forEach((value, i) => expect(value).toBeCloseTo(expected[i]!, 9));
});

test("the conditions of Kuhn and Tucker hold: no descent within the bounds is left", () => {
  const number = fc.double({ min: -5, max: 5, noNaN: true });
  const problem = fc.record({
    of: fc.array(fc.array(number, { minLength: 8, maxLength: 8 }), { minLength: 1, maxLength: 5 }),
    target: fc.array(number, { minLength: 8, maxLength: 8 }),
  });
  fc.assert(
    fc.property(problem, ({ of, target }) => {
      const x = solve(of, target);
      const residual = target.map((y, row) => y - of.reduce((sum, column, k) => sum + column[row]! * x[k]!, 0));
      of.forEach((column, k) => {
        const descent = column.reduce((sum, value, row) => sum + value * residual[row]!, 0);
        const size = 1e-6 * (1 + Math.hypot(...column) * Math.hypot(...target));
        expect(x[k]).toBeGreaterThanOrEqual(0);
        expect(descent).toBeLessThan(size);
        if (x[k]! > 0) expect(Math.abs(descent)).toBeLessThan(size);
      });
    }),
    { seed: 2, numRuns: 200 },
  );
});

test("condition: 1 of right angles, (1 + c) / (1 - c) under the root of two columns with cosine c, whatever their lengths", () => {
  const condition = (...of: number[][]): number =>
    scaledCondition(normalEquations(columns(...of), new Float64Array(2)));
  expect(condition([1, 0], [0, 7])).toBeCloseTo(1, 12);
  // cosine of (1, 0) and (3, 4) x 100 is 0.6: the root of 1.6 / 0.4
  expect(condition([1, 0], [300, 400])).toBeCloseTo(2, 12);
  expect(condition([1, 2], [2, 4])).toBe(Infinity);
  expect(condition([1, 2], [0, 0])).toBe(Infinity);
});
