import { expect, test } from "vitest";
import { Random } from "./random.ts";

// The same recurrence written with Python's big integers, seeded (a, b, c) = (0, low word, high word), 12 discarded.
test.each([
  { seed: 1, first: [2012149540, 1872316204, 1707632675, 1779833415] },
  { seed: 2 ** 40 + 7, first: [1614752920, 2544231158, 2841167337, 645591171] },
  { seed: 0, first: [1363572419, 145230303] },
])("seed $seed", ({ seed, first }) => {
  const random = new Random(seed);
  expect(first.map(() => random.uint32())).toEqual(first);
});

test("negative seeds differ from positive ones", () => {
  expect(new Random(-5).uint32()).not.toBe(new Random(5).uint32());
});

test("a seed that is not a whole number is refused", () => {
  expect(() => new Random(0.5)).toThrow(RangeError);
});

test("below: each of 10 values comes about as often (chi-squared, 9 degrees of freedom, p = 0.001 at 27.9)", () => {
  const random = new Random(3);
  const counts = new Float64Array(10);
  for (let i = 0; i < 100_000; i++) counts[random.below(10)]!++;
  expect(counts.reduce((sum, count) => sum + (count - 10_000) ** 2 / 10_000, 0)).toBeLessThan(27.9);
});

test("uniform: mean 1/2 and variance 1/12 within five standard errors, never 1", () => {
  const random = new Random(4);
  const n = 100_000;
  let sum = 0;
  let squares = 0;
  for (let i = 0; i < n; i++) {
    const u = random.uniform();
    if (u < 0 || u >= 1) throw new Error(`out of range: ${u}`);
    sum += u;
    squares += (u - 0.5) ** 2;
  }
  expect(Math.abs(sum / n - 0.5)).toBeLessThan(5 * Math.sqrt(1 / 12 / n));
  // variance of (u - 1/2)^2 is 1/80 - 1/144
  expect(Math.abs(squares / n - 1 / 12)).toBeLessThan(5 * Math.sqrt((1 / 80 - 1 / 144) / n));
});
