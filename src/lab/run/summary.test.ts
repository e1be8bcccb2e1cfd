import { describe, expect, it } from "vitest";
import type { RunScore } from "./score-recording.ts";
import { LAB_SCORES_SCHEMA, summarise, tableOf, worsened, type LabScores } from "./summary.ts";

const P = { completed: 500, p50Ms: 5, p95Ms: 10, p99Ms: 20 };

function run(ranks: readonly (readonly [service: number, cause: number])[], more: Partial<RunScore> = {}): RunScore {
  const verdict = {
    ranks: ranks.map(([byService, byServiceAndMechanism]) => ({ byService, byServiceAndMechanism })),
    alarms: 1,
    falseAlarms: 0,
    first: [],
  };
  return {
    fault: "some-fault",
    kind: "fault",
    seenFrom: "traces",
    seed: 1,
    now: P,
    verdict,
    predictions: [],
    analysisSeconds: 1,
    ...more,
  };
}

const error = (metric: "p50" | "p99", value: number): RunScore["predictions"][number] => ({
  by: "what-if",
  metric,
  nowMs: 9,
  predictedMs: 5,
  lowMs: 4,
  highMs: 6,
  measuredMs: 5,
  error: value,
});

describe("summary", () => {
  it("takes shares over runs with something wrong, and the median of absolute errors", () => {
    const summary = summarise([
      run([[1, 1]], { predictions: [error("p50", -0.1), error("p99", 0.4)] }),
      run([[1, 3]], { predictions: [error("p50", 0.3), error("p99", -0.2)] }),
      run([[2, 0]], { predictions: [error("p50", 0.05)] }),
      run([[1, 1]], { seenFrom: "profiles" }),
      run([], { kind: "healthy" }),
    ]);
    // of three: one first, two within the first three, two whose first finding is the service
    expect(summary.visible).toEqual({ runs: 3, rank1: 1 / 3, top3: 2 / 3, serviceRank1: 2 / 3 });
    expect(summary.inside).toEqual({ runs: 1, rank1: 1, top3: 1, serviceRank1: 1 });
    expect([summary.healthyRuns, summary.healthyWithAlarm]).toEqual([1, 1]);
    expect(summary.medianErrorP50).toBeCloseTo(0.1);
    expect(summary.medianErrorP99).toBeCloseTo(0.3);
    expect(summary.limiterRight).toBeNull();
  });

  it("counts a run that broke off as missed", () => {
    const failed = { fault: "some-fault", seenFrom: "traces", hasCause: true, reason: "no database" } as const;
    const healthy = { ...failed, hasCause: false };
    expect(summarise([run([[1, 1]])], [failed, healthy]).visible).toEqual({
      runs: 2,
      rank1: 0.5,
      top3: 0.5,
      serviceRank1: 0.5,
    });
    const now = { ...scoresOf([]), failed: [failed] };
    expect(worsened(scoresOf([]), now)).toEqual(["some-fault failed: no database"]);
    expect(tableOf(now)).toContain("- some-fault: FAILED, counted as missed: no database");
  });

  it("says nothing of nothing", () => {
    expect(summarise([]).visible).toEqual({ runs: 0, rank1: 0, top3: 0, serviceRank1: 0 });
    expect(summarise([]).medianErrorP99).toBeNull();
  });
});

const scoresOf = (runs: readonly RunScore[]): LabScores => ({
  schema: LAB_SCORES_SCHEMA,
  at: "2026-11-25T00:00:00Z",
  machine: { node: "20", cores: 2 },
  summary: summarise(runs),
  runs,
  failed: [],
  skipped: [{ fault: "network-loss", reason: "the kernel has no netem" }],
});

describe("comparison", () => {
  const good = scoresOf([run([[1, 1]], { predictions: [error("p99", 0.1)] }), run([[1, 1]])]);
  it("is silent where nothing became worse", () => {
    expect(worsened(good, good)).toEqual([]);
  });
  it("names each figure that became worse", () => {
    const bad = scoresOf([
      run([[1, 0]], { predictions: [error("p99", -0.3)] }),
      run([[1, 1]]),
      run([], { kind: "healthy" }),
    ]);
    expect(worsened(good, bad)).toEqual([
      "first finding names the cause: 100.0 %, now 50.0 %",
      "one of the first three names the cause: 100.0 %, now 50.0 %",
      "median error of p99: 10.0 %, now 30.0 %",
      "runs with nothing wrong and an alarm: 0 of 0, now 1 of 1",
    ]);
  });
});

it("draws misses, false alarms and what was not run", () => {
  const healthy = run([], { fault: "healthy-usual", kind: "healthy" });
  const table = tableOf(scoresOf([run([[1, 0]]), healthy]));
  expect(table).toContain("| some-fault | – → 5.0 → – | – → 20 → – | missed | – | 1 |");
  expect(table).toContain("ALARM");
  expect(table).toContain("- network-loss: not run, the kernel has no netem");
});
