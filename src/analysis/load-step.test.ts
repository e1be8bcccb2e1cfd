import { expect, test } from "vitest";
import { chanceOfAsMany, observeStep, Outcome, type StepRecord } from "./load-step.ts";

interface Row {
  readonly due: number;
  readonly took: number;
  readonly outcome?: number;
  readonly connectedAfter?: number;
}

function recordOf(rows: readonly Row[], lengthMs: number, given: Partial<StepRecord> = {}): StepRecord {
  return {
    perSecond: (1000 * rows.length) / lengthMs,
    startUnixMs: 1_700_000_000_000,
    lengthMs,
    dueMs: Float64Array.from(rows, ({ due }) => due),
    lateMs: new Float64Array(rows.length),
    connectedMs: Float64Array.from(rows, ({ due, connectedAfter = 0 }) => due + connectedAfter),
    endedMs: Float64Array.from(rows, ({ due, took }) => due + took),
    outcome: Uint8Array.from(rows, ({ outcome = Outcome.answered }) => outcome),
    errors: {},
    connections: 100,
    generatorBusy: 0.1,
    ...given,
  };
}

test("figures are of the requests that were due after the settling, by hand", () => {
  // One each 10 ms for a second; the first fifth takes 500 ms, the others 1 .. 80 ms in turn.
  const rows = Array.from({ length: 100 }, (_, i) => ({ due: 10 * i, took: i < 20 ? 500 : i - 19 }));
  const step = observeStep(recordOf(rows, 1000));
  expect(step).toMatchObject({ fromMs: 200, toMs: 1000, requests: 80, offeredPerSecond: 100, failures: 0 });
  // Ranks 40, 76 and 80 of 80.
  expect([step.p50Ms, step.p95Ms, step.p99Ms]).toEqual([40, 76, 80]);
});

test("requests in flight: 20 ms each at 100/s is 2 on average, and they do not grow", () => {
  const rows = Array.from({ length: 100 }, (_, i) => ({ due: 10 * i, took: 20 }));
  const { inFlight, growth, throughput } = observeStep(recordOf(rows, 1000));
  expect(inFlight).toBeCloseTo(2, 9);
  expect(growth.value).toBeCloseTo(0, 9);
  expect(throughput.value).toBeCloseTo(100, 9);
});

test("one server with 20 ms each, offered one each 10 ms: half is answered and half is added to the queue", () => {
  // The i-th is answered at 20 (i + 1): 50 by the end, of which 40 within the window; 80 came meanwhile.
  const rows = Array.from({ length: 100 }, (_, i) => ({ due: 10 * i, took: 20 * (i + 1) - 10 * i }));
  const { growth, throughput, growthByChance } = observeStep(recordOf(rows, 1000));
  expect(throughput.value).toBeCloseTo(50, 9);
  expect(throughput.high - throughput.low).toBeLessThan(1e-9);
  expect(growth.value).toBeGreaterThan(38);
  expect(growth.value).toBeLessThan(42);
  // Four answers in each block, always: chance has no part.
  expect(growthByChance).toBeCloseTo(0, 9);
});

test("a quick refusal is a failure and no latency; a request given up counts with the time it was waited for", () => {
  const rows = [
    { due: 10, took: 1, outcome: Outcome.failed },
    { due: 20, took: 30 },
    { due: 30, took: 900, outcome: Outcome.noAnswer },
    { due: 40, took: Number.NaN, outcome: Outcome.neverSent },
  ];
  const step = observeStep(recordOf(rows, 1000), 0);
  expect(step).toMatchObject({ requests: 3, failures: 2, p50Ms: 30, p99Ms: 900 });
  expect(step.throughput.value).toBeCloseTo(1, 9);
});

test("all connections in use is told from the most that were at one moment", () => {
  // Four of 35 ms, 10 ms apart: four at the same time from 30 to 35 ms.
  const rows = Array.from({ length: 4 }, (_, i) => ({ due: 10 * i, took: 35 }));
  expect(observeStep(recordOf(rows, 100, { connections: 4 }), 0).connectionsFull).toBe(true);
  expect(observeStep(recordOf(rows, 100, { connections: 5 }), 0).connectionsFull).toBe(false);
});

test("nothing at all gives no percentiles", () => {
  expect(observeStep(recordOf([], 1000))).toMatchObject({ requests: 0, p99Ms: Number.NaN, inFlight: 0 });
});

test("chance of as many: against sums of the binomial by hand", () => {
  // 1 - 0.99^80 = 0.5525; P(K >= 1).
  expect(chanceOfAsMany(1, 80, 0.01)).toBeCloseTo(1 - 0.99 ** 80, 10);
  // Two of two with 1/2 each: 1/4; two or three of three: 1/2.
  expect(chanceOfAsMany(2, 2, 0.5)).toBeCloseTo(0.25, 10);
  expect(chanceOfAsMany(2, 3, 0.5)).toBeCloseTo(0.5, 10);
  expect(chanceOfAsMany(0, 3, 0.5)).toBe(1);
  expect(chanceOfAsMany(1, 3, 0)).toBe(0);
});
