import { expect, test } from "vitest";
import { judgeStep, type Limits } from "./judge-step.ts";
import type { StepObservation } from "./load-step.ts";

const NONE: Limits = { maxErrors: 0.01 };

function stepWith(given: Partial<StepObservation>): StepObservation {
  return {
    perSecond: 100,
    startUnixMs: 0,
    fromMs: 2000,
    toMs: 10_000,
    requests: 1000,
    offeredPerSecond: 100,
    throughput: { value: 100, low: 98, high: 102 },
    failures: 0,
    errors: {},
    p50Ms: 10,
    p95Ms: 20,
    p99Ms: 30,
    latencyMs: new Float64Array(1000).fill(10),
    serviceP50Ms: 10,
    inFlight: 1,
    growth: { value: 0, low: -2, high: 2 },
    growthByChance: 20,
    lateP50Ms: 0.3,
    lateP99Ms: 2,
    generatorBusy: 0.2,
    connectionsFull: false,
    ...given,
  };
}

test.each<[string, Partial<StepObservation>, string]>([
  ["nothing grows", {}, "steady"],
  ["more than chance adds to the queue", { growth: { value: 60, low: 50, high: 70 } }, "queue-grows"],
  ["no more than chance would", { growth: { value: 60, low: 50, high: 70 }, growthByChance: 80 }, "unsettled"],
  // A tenth of all is still there: whatever chance may do, that is no steady state.
  ["more than a tenth", { growth: { value: 110, low: 90, high: 130 }, growthByChance: 200 }, "queue-grows"],
  ["a trend that may be none", { growth: { value: 30, low: -5, high: 65 } }, "unsettled"],
  ["a trend that is surely small", { growth: { value: 8, low: 1, high: 15 } }, "steady"],
  ["a few requests more of few", { requests: 40, growth: { value: 1, low: -1, high: 2.9 } }, "steady"],
  ["hardly any request", { requests: 9 }, "unsettled"],
  ["errors above the limit", { failures: 11 }, "errors"],
  ["errors at the limit", { failures: 10 }, "steady"],
  ["a busy generator", { generatorBusy: 0.95 }, "generator"],
  ["a late generator", { lateP50Ms: 3 }, "generator"],
  ["a generator with a queue of its own, in front of a slow target", { lateP50Ms: 25, p50Ms: 6000 }, "generator"],
  ["late by less than a tenth of what is measured", { lateP50Ms: 3, p50Ms: 40 }, "steady"],
])("%s: %j is %s", (_, given, verdict) => {
  expect(judgeStep(stepWith(given), NONE, []).verdict).toBe(verdict);
});

test("the generator's fault comes first: nothing else can be believed then", () => {
  const all = { generatorBusy: 0.95, failures: 999, growth: { value: 500, low: 400, high: 600 } };
  expect(judgeStep(stepWith(all), NONE, []).verdict).toBe("generator");
  // But where nothing at all was answered there was nothing to spoil.
  expect(judgeStep(stepWith({ ...all, failures: 1000 }), NONE, []).verdict).toBe("errors");
});

test.each<[number, number, string]>([
  // 1 % of 1,000 is 10: from there on the percentile is taken as it stands.
  [10, 1000, "steady"],
  [11, 1000, "objective"],
  // Of 80 even 2 are above 1 %, but chance does that in 19 of 100: only from 4 on (0.9 %) it does not.
  [2, 80, "steady"],
  [4, 80, "objective"],
])("%i of %i answers above the p99's limit are %s", (over, n, verdict) => {
  const latencyMs = Float64Array.from({ length: n }, (_, i) => (i < n - over ? 10 : 500));
  const limits: Limits = { maxErrors: 0.01, objective: { share: 0.01, limitMs: 300 } };
  expect(judgeStep(stepWith({ requests: n, latencyMs }), limits, []).verdict).toBe(verdict);
});

test("all connections in use: the generator's limit where the server is as quick as before, else the server's", () => {
  const before = [stepWith({ serviceP50Ms: 2000 })];
  const full = { connectionsFull: true, growth: { value: 500, low: 450, high: 550 } };
  expect(judgeStep(stepWith({ ...full, serviceP50Ms: 2100 }), NONE, before).verdict).toBe("generator");
  expect(judgeStep(stepWith({ ...full, serviceP50Ms: 5000 }), NONE, before).verdict).toBe("queue-grows");
  // Nothing to compare with: it cannot be told, and the generator makes no claim.
  expect(judgeStep(stepWith({ ...full, serviceP50Ms: 5000 }), NONE, []).verdict).toBe("generator");
});
