import { describe, expect, test } from "vitest";
import { Random } from "../../analysis/random.ts";
import { arrivalTimesMs, expectedBy, meanRate } from "./arrivals.ts";
import { USUAL_LOAD, type LoadPlan, type Schedule } from "./load-plan.ts";

const SECONDS = 100;

/** Each schedule, its rate at a second, and its integral over 100 s by hand. */
const SCHEDULES: readonly { schedule: Schedule; rateAt: (s: number) => number; integral: number }[] = [
  { schedule: { kind: "steady" }, rateAt: () => 1, integral: 100 },
  // Trapezium: (0.5 + 3) / 2 x 100.
  { schedule: { kind: "ramp", from: 0.5, to: 3 }, rateAt: (s) => 0.5 + 0.025 * s, integral: 175 },
  { schedule: { kind: "ramp", from: 0, to: 2 }, rateAt: (s) => 0.02 * s, integral: 100 },
  { schedule: { kind: "ramp", from: 2, to: 0 }, rateAt: (s) => 2 - 0.02 * s, integral: 100 },
  // 40 x 1 + 60 x 2.5.
  { schedule: { kind: "step", at: 0.4, before: 1, after: 2.5 }, rateAt: (s) => (s < 40 ? 1 : 2.5), integral: 190 },
  { schedule: { kind: "step", at: 0.4, before: 0, after: 1 }, rateAt: (s) => (s < 40 ? 0 : 1), integral: 60 },
  // Six whole periods of 12 x 1 + 3 x 5, and 10 s of calm.
  {
    schedule: { kind: "burst", everySeconds: 15, lengthSeconds: 3, factor: 5 },
    rateAt: (s) => (s % 15 < 12 ? 1 : 5),
    integral: 172,
  },
  {
    schedule: { kind: "burst", everySeconds: 10, lengthSeconds: 4, factor: 0 },
    rateAt: (s) => (s % 10 < 6 ? 1 : 0),
    integral: 60,
  },
  // Whole periods of a sine leave the mean.
  {
    schedule: { kind: "diurnal", periods: 3, depth: 1 },
    rateAt: (s) => 1 + Math.sin((2 * Math.PI * 3 * s) / 100),
    integral: 100,
  },
  // A rising half period: 100 + 0.5 x 100 x 2 / pi.
  {
    schedule: { kind: "diurnal", periods: 0.5, depth: 0.5 },
    rateAt: (s) => 1 + 0.5 * Math.sin((Math.PI * s) / 100),
    integral: 100 + 100 / Math.PI,
  },
];

const planOf = (schedule: Schedule, perSecond = 50): LoadPlan => ({
  ...USUAL_LOAD,
  schedule,
  perSecond,
  seconds: SECONDS,
});

const secondsOf = (plan: LoadPlan, seed = 7): Float64Array =>
  arrivalTimesMs(plan, new Random(seed)).map((dueMs) => dueMs / 1000);

describe.each(SCHEDULES)("$schedule", ({ schedule, rateAt, integral }) => {
  test("its integral is the one by hand, and by the midpoint rule at every fifth", () => {
    expect(expectedBy(schedule, SECONDS, SECONDS)).toBeCloseTo(integral, 9);
    expect(meanRate(planOf(schedule))).toBeCloseTo((50 * integral) / SECONDS, 9);
    const step = 0.005;
    let sum = 0;
    for (let i = 0; i < SECONDS / step; i++) {
      if (i * step === 20 || i * step === 60) expect(expectedBy(schedule, SECONDS, i * step)).toBeCloseTo(sum, 2);
      sum += rateAt((i + 0.5) * step) * step;
    }
    expect(sum).toBeCloseTo(integral, 2);
  });

  test("arrivals are ascending, within the plan, as many as expected within 4 standard deviations", () => {
    const due = secondsOf(planOf(schedule));
    expect(due).toEqual(due.toSorted());
    expect(due[0]!).toBeGreaterThan(0);
    expect(due.at(-1)!).toBeLessThanOrEqual(SECONDS);
    expect(Math.abs(due.length - 50 * integral)).toBeLessThan(4 * Math.sqrt(50 * integral));
  });

  test("given their number, arrivals are spread as the rate is (Kolmogorov-Smirnov, 0.1 %)", () => {
    const due = secondsOf(planOf(schedule));
    // The share of the rate that has passed by then, by the midpoint rule rather than by the closed form.
    const cells = 20_000;
    const passed = new Float64Array(cells + 1);
    for (let i = 0; i < cells; i++) passed[i + 1] = passed[i]! + rateAt(((i + 0.5) * SECONDS) / cells);
    let distance = 0;
    due.forEach((at, i) => {
      const cell = Math.min(cells - 1, Math.floor((at / SECONDS) * cells));
      const inCell = (at / SECONDS) * cells - cell;
      const share = (passed[cell]! + inCell * (passed[cell + 1]! - passed[cell]!)) / passed[cells]!;
      distance = Math.max(distance, Math.abs(share - i / due.length), Math.abs(share - (i + 1) / due.length));
    });
    expect(distance).toBeLessThan(1.95 / Math.sqrt(due.length));
  });

  test("the k-th arrival of a seed is the same draw as with a steady rate, at its own moment", () => {
    const own = secondsOf(planOf(schedule));
    const steady = secondsOf({ ...planOf({ kind: "steady" }), seconds: 200 });
    own.forEach((at, k) => expect(expectedBy(schedule, SECONDS, at)).toBeCloseTo(steady[k]!, 6));
  });
});

test("gaps of a steady load are exponential and independent", () => {
  const due = secondsOf(planOf({ kind: "steady" }, 200));
  // Ten classes that an exponential gap hits equally often: F(gap) in tenths; 27.9 is the 99.9 % point of chi-square(9).
  const counts = new Float64Array(10);
  for (let i = 1; i < due.length; i++) counts[Math.floor(10 * (1 - Math.exp(-200 * (due[i]! - due[i - 1]!))))]!++;
  const even = (due.length - 1) / 10;
  expect(counts.reduce((sum, n) => sum + (n - even) ** 2 / even, 0)).toBeLessThan(27.9);
  // Counts in 400 quarters of a second: their index of dispersion times 399 is chi-square(399), 399 +- 3.3 x 28.2.
  const quarters = new Float64Array(400);
  for (const at of due) quarters[Math.min(399, Math.floor(at * 4))]!++;
  const mean = due.length / 400;
  const dispersion = quarters.reduce((sum, n) => sum + (n - mean) ** 2 / mean, 0);
  expect(Math.abs(dispersion - 399)).toBeLessThan(3.3 * Math.sqrt(2 * 399));
});

test("twice the rate halves the moments and changes nothing else", () => {
  const once = secondsOf(planOf({ kind: "steady" }, 50));
  const twice = secondsOf(planOf({ kind: "steady" }, 100));
  once.forEach((at, k) => expect(twice[k]).toBeCloseTo(at / 2, 9));
});
