import fc from "fast-check";
import { expect, test } from "vitest";
import { lognormal, normal, pareto, sampleOf } from "../testing/distributions.ts";
import { changePoints, type ChangePointOptions } from "./change-points.ts";
import { Random } from "./random.ts";

/** Levels of equal length, with noise of the given size. */
function steps(levels: readonly number[], length: number, noise: number, seed: number): Float64Array {
  const random = new Random(seed);
  return sampleOf(levels.length * length, () => noise * normal(random)).map(
    (e, i) => levels[Math.floor(i / length)]! + e,
  );
}

const indices = (values: Float64Array, options?: ChangePointOptions) =>
  changePoints(values, options).map((c) => c.index);

test("constant, empty and tiny series have none", () => {
  expect(changePoints(new Float64Array(100).fill(5))).toEqual([]);
  expect(changePoints(new Float64Array(0))).toEqual([]);
  expect(changePoints(Float64Array.of(1, 2))).toEqual([]);
});

test("a step without noise is found where it is, with both means", () => {
  const [point, ...more] = changePoints(steps([10, 20], 25, 0, 1));
  expect(more).toEqual([]);
  expect(point).toMatchObject({ index: 25, before: 10, after: 20 });
  expect(point!.pValue).toBeLessThan(0.001);
});

test("four samples against four: 2 of the 70 arrangements are as clear, p = 0.029", () => {
  const [point] = changePoints(Float64Array.of(10.1, 10.2, 10, 10.15, 20.1, 20.3, 20, 20.2));
  expect(point!.index).toBe(4);
  expect(indices(Float64Array.of(10.1, 10.2, 10, 20.1, 20.3, 20))).toEqual([]);
});

test.each([20, 100, 500])(
  "a step of three times the noise, %d samples a side, is found within two samples",
  (length) => {
    let near = 0;
    for (let seed = 1; seed <= 20; seed++) {
      const found = indices(steps([100, 103], length, 1, seed));
      if (found.length === 1 && Math.abs(found[0]! - length) <= 2) near++;
    }
    // The likelihood itself places a step of this size wrongly by more than 2 in about 1 of 50; and p = 0.05 errs.
    expect(near).toBeGreaterThanOrEqual(18);
  },
);

test("two steps, up and down, and up twice", () => {
  for (const levels of [
    [0, 5, 0],
    [0, 5, 10],
  ]) {
    const found = indices(steps(levels, 40, 1, 3));
    expect(found.length).toBe(2);
    expect(Math.abs(found[0]! - 40)).toBeLessThanOrEqual(1);
    expect(Math.abs(found[1]! - 80)).toBeLessThanOrEqual(1);
  }
});

test("a short bump in a long series is found", () => {
  const random = new Random(8);
  const values = sampleOf(2000, () => normal(random)).map((e, i) => e + (i >= 900 && i < 930 ? 4 : 0));
  const found = indices(values);
  expect(found.length).toBe(2);
  expect(Math.abs(found[0]! - 900)).toBeLessThanOrEqual(2);
  expect(Math.abs(found[1]! - 930)).toBeLessThanOrEqual(2);
});

test("a single spike is not a change point, wherever it stands", () => {
  for (const at of [0, 1, 50, 97, 98, 99]) {
    const values = steps([10], 100, 1, 4);
    values[at] = 500;
    expect(indices(values)).toEqual([]);
  }
});

test("series above 5,000 samples: a clear step, a small one over a long time, none in noise", () => {
  const random = new Random(6);
  const noise = sampleOf(12_000, () => normal(random));
  expect(indices(noise)).toEqual([]);
  const found = indices(noise.map((e, i) => e + (i < 3000 ? 0 : i < 3100 ? 3 : i < 8000 ? 0 : 0.3)));
  expect(found.length).toBe(3);
  expect(Math.abs(found[0]! - 3000)).toBeLessThanOrEqual(2);
  expect(Math.abs(found[1]! - 3100)).toBeLessThanOrEqual(2);
  // 0.3 of the noise: placed to about (1 / 0.3)^2 = 11 samples, times a few
  expect(Math.abs(found[2]! - 8000)).toBeLessThanOrEqual(60);
});

test("a slow ramp is answered with a rising staircase", () => {
  const random = new Random(5);
  const values = sampleOf(300, () => normal(random)).map((e, i) => e + i / 20);
  const found = changePoints(values);
  expect(found.length).toBeGreaterThan(1);
  for (const point of found) expect(point.after).toBeGreaterThan(point.before);
});

test("latencies: a step of a fifth in a heavy tail is found on the logarithmic and the rank scale", () => {
  const random = new Random(12);
  const values = sampleOf(400, () => lognormal(random, 100, 0.5)).map((v, i) => (i < 200 ? v : v * 1.4));
  for (let i = 7; i < 400; i += 40) values[i]! *= 50;
  for (const scale of ["log", "rank"] as const) {
    const found = indices(values, { scale });
    expect(found.length).toBe(1);
    expect(Math.abs(found[0]! - 200)).toBeLessThanOrEqual(12);
  }
});

// 200 series of noise at p = 0.05: 10 expected, standard deviation 3.1; the 99.9 % bound of the binomial is 21.
test.each([
  { name: "normal", draw: (random: Random) => normal(random), n: 100 },
  { name: "normal, long", draw: (random: Random) => normal(random), n: 400 },
  { name: "lognormal", draw: (random: Random) => lognormal(random, 1, 1), n: 100 },
  { name: "Pareto with infinite variance", draw: (random: Random) => pareto(random, 1.5), n: 100 },
])("false alarms in $name noise of $n samples come at the nominal rate", ({ draw, n }) => {
  const random = new Random(1);
  let alarms = 0;
  for (let i = 0; i < 200; i++)
    if (
      changePoints(
        sampleOf(n, () => draw(random)),
        { seed: i },
      ).length > 0
    )
      alarms++;
  expect(alarms).toBeLessThanOrEqual(21);
});

test("property: shifting and scaling the values moves nothing; the same input gives the same answer", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 1000 }),
      fc.integer({ min: -50, max: 50 }),
      fc.integer({ min: 1, max: 9 }),
      (seed, shift, factor) => {
        const values = steps([0, 3, 1], 15, 1, seed).map((v) => Math.round(v * 1000));
        const found = indices(values);
        expect(indices(values)).toEqual(found);
        expect(indices(values.map((v) => v * 2 ** factor + shift))).toEqual(found);
      },
    ),
    { numRuns: 20, seed: 1 },
  );
});
