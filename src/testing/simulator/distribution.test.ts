import { expect, it } from "vitest";
import {
  constant,
  type Distribution,
  exponential,
  gamma,
  lognormal,
  mean,
  sample,
  scaled,
  secondMoment,
  sometimes,
} from "./distribution.ts";
import { Draws, mixKey } from "./random.ts";

const KINDS: [string, Distribution][] = [
  ["constant", constant(3)],
  ["exponential", exponential(2)],
  ["uniform", { kind: "uniform", low: 1, high: 5 }],
  ["lognormal", lognormal(2, 0.8)],
  ["gamma above one", gamma(2, 0.5)],
  ["gamma below one", gamma(2, 1.5)],
  ["mixture", sometimes(0.1, lognormal(9, 0.3), exponential(1))],
  ["scaled", scaled(exponential(2), 3, 1)],
];

it.each(KINDS)("%s has the moments that it states", (_, distribution) => {
  const draws = new Draws(5, 1);
  const n = 200_000;
  let first = 0;
  let second = 0;
  for (let i = 0; i < n; i++) {
    const x = sample(distribution, draws);
    first += x;
    second += x * x;
  }
  expect(first / n / mean(distribution)).toBeCloseTo(1, 1.7);
  expect(second / n / secondMoment(distribution)).toBeCloseTo(1, 1);
});

it("draws the same from the same key and other things from its neighbours", () => {
  const of = (key: number, stream: number): number[] => {
    const draws = new Draws(key, stream);
    return [draws.next32(), draws.next32()];
  };
  expect(of(7, 1)).toEqual(of(7, 1));
  expect(of(7, 1)).not.toEqual(of(7, 2));
  expect(of(7, 1)).not.toEqual(of(8, 1));
});

it("neighbouring keys give uniform, uncorrelated first draws", () => {
  const n = 100_000;
  const bins = new Float64Array(20);
  let product = 0;
  let before = 0.5;
  const draws = new Draws(0);
  for (let i = 0; i < n; i++) {
    const u = draws.seed(mixKey(42, i), 3).uniform();
    bins[Math.floor(20 * u)]!++;
    product += (u - 0.5) * (before - 0.5);
    before = u;
  }
  // chi-square with 19 degrees of freedom: 43.8 is its 99.9 % point
  expect(bins.reduce((sum, count) => sum + (count - n / 20) ** 2 / (n / 20), 0)).toBeLessThan(43.8);
  // correlation of lag one: standard error 1 / sqrt(n)
  expect(Math.abs((12 * product) / n)).toBeLessThan(4 / Math.sqrt(n));
});
