import { describe, expect, it, test } from "vitest";
import { fitPowerGrowth, type PowerGrowth } from "./power-growth.ts";
import { Random } from "./random.ts";

/** 600 sizes spread evenly in the logarithm from 1,000 to 1,000 x range. */
function sizes(range: number): Float64Array {
  return Float64Array.from({ length: 600 }, (_, i) => 1000 * range ** (i / 599));
}

/** Lognormal noise of 20 %: a statement's ordinary spread. */
function noisy(times: Float64Array, seed: number): Float64Array {
  const random = new Random(seed);
  const normal = (): number =>
    Math.sqrt(-2 * Math.log(1 - random.uniform())) * Math.cos(2 * Math.PI * random.uniform());
  return times.map((time) => time * Math.exp(0.2 * normal()));
}

function fitted(size: Float64Array, time: Float64Array): PowerGrowth {
  const fit = fitPowerGrowth(size, time, 1);
  if (fit.kind !== "fit") throw new Error(fit.what);
  return fit;
}

describe("exponents are those the times were made with", () => {
  test.each([
    ["an index", 0, 2],
    ["a scan", 1, 2],
    ["a scan", 1, 100],
    ["a sort", 1.15, 50],
    ["all pairs", 2, 4],
  ])("%s: %d over a factor of %d", (_, exponent, range) => {
    const size = sizes(range);
    const exact = fitted(
      size,
      size.map((n) => 3 * n ** exponent),
    );
    // the grid of exponents is 0.05 wide
    expect(exact.exponent.value).toBeCloseTo(exponent, 1);
    for (const seed of [1, 2, 3]) {
      const { exponent: found } = fitted(
        size,
        noisy(
          size.map((n) => 3 * n ** exponent),
          seed,
        ),
      );
      expect(found.low).toBeLessThanOrEqual(exponent + 0.051);
      expect(found.high).toBeGreaterThanOrEqual(exponent - 0.051);
    }
  });
});

it("tells a constant from a smaller exponent where sizes span enough doublings", () => {
  // 2,000 + n: at n = 1,000 to 100,000 a line; without the constant the slope in the logarithms would be 0.72 or so
  const size = sizes(100);
  const fit = fitted(
    size,
    size.map((n) => 2000 + n),
  );
  expect(fit.exponent.value).toBeCloseTo(1, 1);
  // the next doubling, by hand: 2,000 + 200,000
  expect(fit.timeAt(200_000) / 202_000).toBeCloseTo(1, 1);
});

it("forecasts a scan over one doubling", () => {
  const size = sizes(2);
  const fit = fitted(
    size,
    size.map((n) => 0.01 * n),
  );
  expect(fit.timeAt(4000)).toBeCloseTo(40, 0);
  expect([fit.smallest, fit.largest, fit.observations]).toEqual([1000, 2000, 600]);
});

it("is not moved by a tail of slow ones", () => {
  const size = sizes(3);
  const time = size.map((n, i) => n * (i % 10 === 0 ? 50 : 1));
  expect(fitted(size, time).exponent.value).toBeCloseTo(1, 1);
});

describe("refusals say what is missing", () => {
  it("of a size that hardly changes", () => {
    const size = sizes(1.1);
    expect(fitPowerGrowth(size, size, 1)).toMatchObject({
      kind: "insufficient-data",
      what: "range of sizes",
      need: 1.3,
    });
  });
  it("of a jump between two sizes", () => {
    const size = Float64Array.from({ length: 600 }, (_, i) => (i < 300 ? 1000 : 2000));
    expect(fitPowerGrowth(size, size, 1)).toEqual({
      kind: "insufficient-data",
      what: "sizes with enough observations",
      have: 2,
      need: 4,
    });
  });
  it("of nothing, and of what is no number", () => {
    expect(fitPowerGrowth(new Float64Array(0), new Float64Array(0), 1).kind).toBe("insufficient-data");
    const broken = Float64Array.from([Number.NaN, Infinity, 0, -1]);
    expect(fitPowerGrowth(broken, broken, 1).kind).toBe("insufficient-data");
  });
});
