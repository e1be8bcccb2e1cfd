import fc from "fast-check";
import { expect, test } from "vitest";
import { usually } from "../testing/long-tests.ts";
import { fitUsl, uslThroughput, type UslFit } from "./usl.ts";

type Points = readonly (readonly [load: number, throughput: number])[];

/** Sun SPARCcenter 2000 in the SPEC SDM91 benchmark, October 1994: users, scripts per hour (Gunther 2007). */
const SDM91: Points = [
  [1, 64.9],
  [18, 995.9],
  [36, 1652.4],
  [72, 1853.2],
  [108, 1828.9],
  [144, 1775],
  [216, 1702.2],
];
/** A ray tracer on a NUMA machine: processors, rays per second (Gunther 2007, table 5.1). */
const RAYTRACER: Points = [
  [1, 20],
  [4, 78],
  [8, 130],
  [12, 170],
  [16, 190],
  [20, 200],
  [24, 210],
  [28, 230],
  [32, 260],
  [48, 280],
  [64, 310],
];

function fit(points: Points): UslFit {
  const found = fitUsl(
    points.map(([load]) => load),
    points.map(([, throughput]) => throughput),
  );
  if (found.status === "insufficient-data") throw new Error(found.detail);
  return found;
}

test("SPEC SDM91 has the published coefficients and peak", () => {
  const { status, alpha, beta, gamma, peakLoad, peakThroughput, limit, intervals } = fit(SDM91);
  expect([status, alpha.toFixed(5), beta.toExponential(3), gamma.toFixed(1)]).toEqual([
    "ok",
    "0.02773",
    "1.044e-4",
    "90.0",
  ]);
  expect([peakLoad!.toFixed(1), peakThroughput!.toFixed(0)]).toEqual(["96.5", "1884"]);
  expect(limit).toBeCloseTo(gamma / alpha, 9);
  // The published standard errors (4 degrees of freedom) give symmetric intervals that lie close to these.
  expect(intervals.beta.low! > 0 && intervals.beta.low! < 1.044e-4 - 1.99e-5).toBe(true);
  expect(intervals.beta.high! > 1.044e-4 + 1.99e-5 && intervals.beta.high! < 1.044e-4 + 4 * 1.99e-5).toBe(true);
  expect(intervals.peakLoad!.low! < 96.5 && intervals.peakLoad!.high! > 96.5).toBe(true);
});

test("the ray tracer's first six points have the published coefficients, and a peak that is called extrapolated", () => {
  const { alpha, beta, gamma, peakLoad, detail } = fit(RAYTRACER.slice(0, 6));
  expect([alpha.toFixed(5), beta.toFixed(5), gamma.toFixed(3)]).toEqual(["0.02444", "0.00163", "20.856"]);
  expect(peakLoad).toBeCloseTo(Math.sqrt((1 - alpha) / beta), 9);
  expect(detail).toContain("extrapolated");
});

test("all eleven points of the ray tracer have no peak", () => {
  expect(fit(RAYTRACER)).toMatchObject({
    status: "no-peak",
    beta: 0,
    peakLoad: null,
    peakThroughput: null,
    intervals: { beta: { low: 0 }, peakLoad: null },
  });
});

test.each([
  ["too few loads", [1, 1, 2, 3], [1, 1, 2, 3], "points"],
  ["loads too close together", [10, 11, 12, 13, 14], [10, 11, 12, 13, 14], "range"],
  ["nothing done at any load", [1, 2, 3, 4], [0, 0, 0, 0], "points"],
])("%s: what is missing", (_, loads, throughputs, missing) => {
  expect(fitUsl(loads, throughputs)).toMatchObject({ status: "insufficient-data", missing });
});

test("without noise the law's own parameters come back, in any unit of load and throughput", () => {
  const law = fc.record({
    alpha: fc.double({ min: 0, max: 0.3, noNaN: true }),
    beta: fc.double({ min: 0, max: 0.01, noNaN: true }),
    gamma: fc.double({ min: 1e-3, max: 1e6, noNaN: true }),
  });
  fc.assert(
    fc.property(law, (truth) => {
      const loads = [1, 2, 4, 8, 16, 32, 64];
      const { alpha, beta, gamma } = fit(loads.map((load) => [load, uslThroughput(truth, load)]));
      expect(Math.abs(alpha - truth.alpha)).toBeLessThan(1e-5);
      expect(Math.abs(beta - truth.beta)).toBeLessThan(1e-6);
      expect(Math.abs(gamma / truth.gamma - 1)).toBeLessThan(1e-5);
    }),
    { seed: 1, numRuns: usually(15, 200) },
  );
});
