import { expect, test } from "vitest";
import { burstFactor, dispersion } from "./burstiness.ts";
import { Random } from "./random.ts";

/** Starts at random at `perSecond`, or of that in bursts of `burst` at a time. */
function starts(perSecond: number, seconds: number, burst: number, seed: number): Float64Array {
  const random = new Random(seed);
  const out: number[] = [];
  for (let at = 0; at < seconds;) {
    at += (-burst * Math.log(1 - random.uniform())) / perSecond;
    for (let i = 0; i < burst; i++) out.push((at + i * 1e-6) * 1e9);
  }
  return Float64Array.from(out);
}

test.each([1, 2, 3])("at random the counts vary as much as their mean, seed %i", (seed) => {
  expect(Math.abs(dispersion(starts(100, 200, 1, seed), 1e8) - 1)).toBeLessThan(0.15);
});

test("five at a time vary five times as much, and wait three times as long: (5 + 1) / 2", () => {
  const bursty = starts(100, 400, 5, 4);
  expect(Math.abs(dispersion(bursty, 1e9) / 5 - 1)).toBeLessThan(0.2);
  expect(Math.abs(burstFactor(bursty, 1e9) / 3 - 1)).toBeLessThan(0.2);
});

test("a metronome varies not at all, and never counts as less than random", () => {
  const even = Float64Array.from({ length: 1000 }, (_, i) => i * 1e7);
  expect(dispersion(even, 1e8)).toBeLessThan(0.2);
  expect(burstFactor(even, 1e8)).toBe(1);
});

test.each([
  ["no starts", new Float64Array(0), 1e9],
  ["one", Float64Array.of(5), 1e9],
  ["too short for twenty stretches", starts(100, 10, 1, 1), 1e9],
  ["no width", starts(100, 100, 1, 1), 0],
])("cannot tell: %s", (_, at, width) => {
  expect(dispersion(at, width)).toBe(Number.NaN);
  expect(burstFactor(at, width)).toBe(1);
});
