import { expect, test } from "vitest";
import { solveLinear } from "./linear-system.ts";

test("needs a swap of rows: 2y = 4, x + y = 5", () => {
  expect(
    solveLinear(
      [
        [0, 2],
        [1, 1],
      ],
      [4, 5],
    ),
  ).toEqual([3, 2]);
});

test.each([
  [
    [
      [1, 2],
      [2, 4],
    ],
    [1, 2],
  ],
  [[[0]], [1]],
  [[[Number.NaN]], [1]],
])("%j has no solution", (matrix, right) => {
  expect(solveLinear(matrix, right)).toBe(undefined);
});

test("nothing to solve", () => {
  expect(solveLinear([], [])).toEqual([]);
});
