import { expect, test } from "vitest";
import { fitWithinBounds } from "./bounded-least-squares.ts";

test("Rosenbrock's valley: residuals 10 (y - x²) and 1 - x, minimum 0 at (1, 1)", () => {
  const { parameters, sumOfSquares } = fitWithinBounds(
    {
      observations: 2,
      low: [-10, -10],
      high: [10, 10],
      residuals: (p, out) => {
        out[0] = 10 * (p[1]! - p[0]! ** 2);
        out[1] = 1 - p[0]!;
      },
    },
    [-1.2, 1],
  );
  expect([...parameters].map((p) => p.toFixed(6))).toEqual(["1.000000", "1.000000"]);
  expect(sumOfSquares).toBeLessThan(1e-12);
});

test("a bound that is in the way is kept to, and the other parameter fits what remains", () => {
  // (x + 1)² + (x + y - 2)² with x >= 0: at x = 0 the rest is least at y = 2, and the sum is 1.
  const { parameters, sumOfSquares } = fitWithinBounds(
    {
      observations: 2,
      low: [0, 0],
      high: [Infinity, Infinity],
      residuals: (p, out) => {
        out[0] = p[0]! + 1;
        out[1] = p[0]! + p[1]! - 2;
      },
    },
    [3, 3],
  );
  expect([...parameters].map((p) => p.toFixed(6))).toEqual(["0.000000", "2.000000"]);
  expect(sumOfSquares).toBeCloseTo(1, 9);
});
