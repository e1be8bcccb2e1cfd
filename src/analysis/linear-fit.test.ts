import { expect, test } from "vitest";
import { exponential } from "../testing/distributions.ts";
import { inFlightAtStart } from "./in-flight.ts";
import { fitQueueing, type QueueingFit } from "./linear-fit.ts";
import { Random } from "./random.ts";

/** First-come first-served single server: what each request finds, and how long it stays. */
function singleServer(n: number, load: number, service: (random: Random) => number, seed: number) {
  const random = new Random(seed);
  const start = new Float64Array(n);
  const end = new Float64Array(n);
  let now = 0;
  let free = 0;
  for (let i = 0; i < n; i++) {
    now += exponential(random, 10 / load);
    start[i] = now;
    free = Math.max(now, free) + service(random);
    end[i] = free;
  }
  const inFlight = inFlightAtStart(start, end, new Int32Array(n));
  return { inFlight, stay: end.map((e, i) => e - start[i]!) };
}

function fitted(inFlight: Int32Array, time: Float64Array): QueueingFit {
  const fit = fitQueueing(inFlight, time);
  if (fit.kind !== "fit") throw new Error(`${fit.kind}: ${fit.what}`);
  return fit;
}

test("an exact line is returned as it is", () => {
  const inFlight = Int32Array.from({ length: 300 }, (_, i) => i % 10);
  const fit = fitted(
    inFlight,
    Float64Array.from(inFlight, (k) => 5 + 3 * k),
  );
  expect(fit.intercept).toBeCloseTo(5, 9);
  expect(fit.slope).toBeCloseTo(3, 9);
  expect(fit.r2).toBeCloseTo(1, 9);
  // 3 x mean 4.5 = 13.5 of 18.5
  expect(fit.queueShare).toBeCloseTo(13.5 / 18.5, 9);
});

test("M/M/1 with mean service 10: a request that finds k others stays 10 (k + 1) on the average", () => {
  let covered = 0;
  for (let seed = 1; seed <= 40; seed++) {
    const { inFlight, stay } = singleServer(3000, 0.7, (random) => exponential(random, 10), seed);
    const fit = fitted(inFlight, stay);
    if (fit.slopeLow <= 10 && 10 <= fit.slopeHigh) covered++;
    if (seed > 5) continue;
    expect(Math.abs(fit.slope - 10)).toBeLessThan(1.5);
    expect(Math.abs(fit.intercept - 10)).toBeLessThan(2);
  }
  // 95 % nominal: at 40 runs fewer than 33 come with p < 0.001
  expect(covered).toBeGreaterThanOrEqual(33);
});

test("M/D/1: the one in service is half done on the average, so the slope is below the service time", () => {
  const { inFlight, stay } = singleServer(5000, 0.8, () => 10, 3);
  const fit = fitted(inFlight, stay);
  expect(fit.slope).toBeGreaterThan(9);
  expect(fit.slope).toBeLessThan(10.5);
  expect(fit.r2).toBeGreaterThan(0.9);
});

test("as many servers as requests: no queueing, the interval of the slope holds 0", () => {
  const random = new Random(9);
  const n = 4000;
  const start = new Float64Array(n);
  let now = 0;
  for (let i = 0; i < n; i++) start[i] = now += exponential(random, 4);
  const time = start.map(() => exponential(random, 20));
  const fit = fitted(
    inFlightAtStart(
      start,
      start.map((s, i) => s + time[i]!),
      new Int32Array(n),
    ),
    time,
  );
  expect(fit.slopeLow).toBeLessThan(0);
  expect(fit.slopeHigh).toBeGreaterThan(0);
  expect(Math.abs(fit.intercept - 20)).toBeLessThan(3);
  expect(fit.r2).toBeLessThan(0.01);
});

test("one level that is off does not turn the line", () => {
  const inFlight = Int32Array.from({ length: 1200 }, (_, i) => i % 12);
  const random = new Random(4);
  const fit = fitted(
    inFlight,
    Float64Array.from(inFlight, (k) => (k === 11 ? 500 : 10 + 2 * k) + random.uniform()),
  );
  // least squares would give a slope of 14
  expect(fit.slope).toBeLessThan(4);
});

test("hardly any variation, or too few spans, cannot tell", () => {
  expect(fitQueueing(new Int32Array(500), new Float64Array(500).fill(1))).toEqual({
    kind: "insufficient-data",
    what: "levels of in-flight",
    have: 1,
    need: 3,
  });
  expect(fitQueueing(new Int32Array(10), new Float64Array(10))).toMatchObject({ what: "spans", have: 10, need: 60 });
});
