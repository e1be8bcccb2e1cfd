import { describe, expect, test } from "vitest";
import { usually } from "../testing/long-tests.ts";
import { judgeStep, type Verdict } from "./judge-step.ts";
import { bracketOf, nextStep, rampCeiling, type JudgedStep, type RampPlan } from "./knee.ts";
import { observeStep, Outcome, type StepRecord } from "./load-step.ts";
import { Random } from "./random.ts";

const PLAN: RampPlan = {
  startPerSecond: 10,
  step: { kind: "times", by: 2 },
  maxPerSecond: Infinity,
  stepSeconds: 10,
};

/** Runs the search against a verdict for each rate; it has to end by itself. */
function search(
  plan: RampPlan,
  verdictAt: (rate: number, seconds: number) => Verdict,
): { steps: JudgedStep[]; stop: string } {
  const steps: JudgedStep[] = [];
  for (;;) {
    const next = nextStep(plan, steps);
    if (typeof next === "string") return { steps, stop: next };
    expect(steps.length).toBeLessThan(60);
    steps.push({ perSecond: next.perSecond, purpose: next.purpose, verdict: verdictAt(next.perSecond, next.seconds) });
  }
}

const SEEDS = Array.from({ length: usually(100, 400) }, (_, i) => i + 1);

test.each(SEEDS)("a sharp knee lies within the bracket, which is narrow; seed %i", (seed) => {
  const random = new Random(seed);
  const capacity = 0.9 * 10 ** (4 * random.uniform());
  const { steps, stop } = search(PLAN, (rate) => (rate <= capacity ? "steady" : "queue-grows"));
  const { low, high } = bracketOf(steps);
  if (low === null) {
    // Down by quarters while a step has thirteen requests: to 2.5 per second.
    expect([stop, capacity < 2.5]).toEqual(["no-steady-rate", true]);
    return;
  }
  expect(stop).toBe("knee");
  expect(low).toBeLessThanOrEqual(capacity);
  expect(high).toBeGreaterThan(capacity);
  expect(high! / low).toBeLessThan(1.06);
  expect(steps.at(-1)).toEqual({ perSecond: low, purpose: "confirm", verdict: "steady" });
});

test.each(SEEDS)(
  "it ends whatever the verdicts are, and its bracket never contradicts the last of them; seed %i",
  (seed) => {
    const random = new Random(seed);
    const verdicts: Verdict[] = ["steady", "steady", "steady", "unsettled", "queue-grows", "objective", "errors"];
    const { steps, stop } = search({ ...PLAN, maxPerSecond: 1e6 }, () => verdicts[random.below(verdicts.length)]!);
    const { low, high } = bracketOf(steps);
    expect(["knee", "max-rate", "no-steady-rate"]).toContain(stop);
    if (low !== null) expect(steps.findLast(({ perSecond }) => perSecond === low)?.verdict).toBe("steady");
    if (low !== null && high !== null) expect(low).toBeLessThan(high);
  },
);

test("a larger rate than wanted is never asked for, and it is tried", () => {
  const { steps, stop } = search({ ...PLAN, maxPerSecond: 70 }, () => "steady");
  expect([stop, steps.map(({ perSecond }) => perSecond)]).toEqual(["max-rate", [10, 20, 40, 70]]);
});

test("steps of a fixed size; the generator's limit ends it when it is met twice in a row", () => {
  const plan: RampPlan = { ...PLAN, step: { kind: "plus", by: 50 } };
  const { steps, stop } = search(plan, (rate) => (rate > 150 ? "generator" : "steady"));
  expect([stop, steps.map(({ perSecond }) => perSecond)]).toEqual(["generator", [10, 60, 110, 160, 160]]);
});

test("a step that the generator could not keep up with once is none of the target's", () => {
  let isFirst = true;
  const { steps, stop } = search({ ...PLAN, maxPerSecond: 80 }, (rate) => {
    if (rate !== 40 || !isFirst) return "steady";
    isFirst = false;
    return "generator";
  });
  expect([stop, bracketOf(steps)]).toEqual(["max-rate", { low: 80, high: null }]);
});

test("a rate that does not settle is tried once more for twice as long, and left open", () => {
  const lengths: number[] = [];
  const { steps } = search(PLAN, (rate, seconds) => {
    if (rate > 80 && rate < 160) lengths.push(seconds);
    return rate <= 80 ? "steady" : rate < 160 ? "unsettled" : "errors";
  });
  expect(lengths).toEqual([10, 20]);
  expect(bracketOf(steps)).toEqual({ low: 80, high: 160 });
});

/** Requests through `servers` first come, first served: the truth that steps are judged by. */
function simulate(perSecond: number, servers: number, serviceMs: () => number, seed: number): StepRecord {
  const random = new Random(seed);
  const lengthMs = 10_000;
  const count = Math.round((perSecond * lengthMs) / 1000);
  const dueMs = Float64Array.from({ length: count }, () => random.uniform() * lengthMs).sort();
  const free = new Float64Array(servers);
  const endedMs = dueMs.map((due) => {
    const first = free.indexOf(free.reduce((a, b) => Math.min(a, b)));
    return (free[first] = Math.max(due, free[first]!) + serviceMs());
  });
  const lateMs = new Float64Array(count).fill(0.2);
  return {
    perSecond,
    startUnixMs: 0,
    lengthMs,
    dueMs,
    lateMs,
    connectedMs: dueMs,
    endedMs,
    outcome: new Uint8Array(count).fill(Outcome.answered),
    errors: {},
    connections: 1e6,
    generatorBusy: 0.1,
  };
}

interface Server {
  readonly name: string;
  readonly servers: number;
  /** requests per second, by hand: servers / mean service time */
  readonly capacity: number;
  readonly service: (random: Random) => number;
  /** variance of the service time over its squared mean, by hand */
  readonly variation: number;
}

const SERVERS: readonly Server[] = [
  { name: "one thread, 5 ms each", servers: 1, capacity: 200, service: () => 5, variation: 0 },
  {
    name: "one thread, exponential",
    servers: 1,
    capacity: 200,
    service: (r) => -5 * Math.log(1 - r.uniform()),
    variation: 1,
  },
  { name: "eight connections, 20 ms each", servers: 8, capacity: 400, service: () => 20, variation: 0 },
  // Mean 0.9 x 2 + 0.1 x 82 = 10 ms; variance 0.9 x 64 + 0.1 x 5184 = 576.
  {
    name: "four threads, a tenth is slow",
    servers: 4,
    capacity: 400,
    service: (r) => (r.uniform() < 0.9 ? 2 : 82),
    variation: 5.76,
  },
];

describe.each(SERVERS)("$name: capacity $capacity/s", ({ servers, capacity, service, variation }) => {
  // What the mean of the service times of one window of eight seconds is off by, as a share.
  const error = Math.sqrt(variation / (8 * capacity));
  const verdictsAt = (load: number): Verdict[] =>
    SEEDS.map((seed) => {
      const random = new Random(10_000 + seed);
      const record = simulate(load * capacity, servers, () => service(random), seed);
      return judgeStep(observeStep(record), { maxErrors: 0 }, []).verdict;
    });
  const shareOf = (load: number, verdict: Verdict): number =>
    verdictsAt(load).filter((found) => found === verdict).length / SEEDS.length;

  test("at 85 % of it no queue is said to grow, at 70 % it is nearly always steady", () => {
    expect(shareOf(0.85, "queue-grows")).toBeLessThanOrEqual(0.02);
    expect(shareOf(0.7, "steady")).toBeGreaterThanOrEqual(0.95);
  });

  test("far enough above it the queue is nearly always said to grow, and at half of that it is hardly ever steady", () => {
    // Chance is allowed 2.8 of these errors (Student's t of nine degrees, 1 %); five exceed that with 95 %.
    const over = Math.max(0.08, 5 * error);
    expect(shareOf(1 + over, "queue-grows")).toBeGreaterThanOrEqual(0.9);
    expect(shareOf(1 + Math.max(0.06, over / 2), "steady")).toBeLessThanOrEqual(0.05);
  });

  test("a whole search brackets the capacity within 8 %, and finds the ceiling", () => {
    for (const seed of SEEDS.slice(0, usually(10, 50))) {
      const random = new Random(20_000 + seed);
      const run: { judged: JudgedStep; observation: ReturnType<typeof observeStep> }[] = [];
      for (;;) {
        const next = nextStep(
          PLAN,
          run.map(({ judged }) => judged),
        );
        if (typeof next === "string") break;
        const record = simulate(next.perSecond, servers, () => service(random), 1000 * seed + run.length);
        const observation = observeStep(record);
        const { verdict } = judgeStep(observation, { maxErrors: 0 }, []);
        run.push({ observation, judged: { perSecond: next.perSecond, purpose: next.purpose, verdict } });
      }
      const { low, high } = bracketOf(run.map(({ judged }) => judged));
      expect(low! / capacity, `seed ${seed}`).toBeLessThan(1.08);
      expect(high! / capacity, `seed ${seed}`).toBeGreaterThan(0.92);
      const ceiling = rampCeiling(run)!;
      expect(Math.abs(ceiling.value / capacity - 1), `seed ${seed}`).toBeLessThan(0.03 + 2 * error);
    }
  });
});

test("a request that does not need what is full is still answered in overload, and no part of the ceiling", () => {
  // Two thirds of all need one thread for 10 ms: full at 150 per second. The others are answered at once.
  const run: { judged: JudgedStep; observation: ReturnType<typeof observeStep> }[] = [];
  const random = new Random(1);
  for (;;) {
    const next = nextStep(
      PLAN,
      run.map(({ judged }) => judged),
    );
    if (typeof next === "string") break;
    let free = 0;
    const record = simulate(next.perSecond, 1, () => 0, run.length);
    const endedMs = record.dueMs.map((due) => {
      if (random.uniform() < 1 / 3) return due + 1;
      return (free = Math.max(due, free) + 10);
    });
    const observation = observeStep({ ...record, endedMs });
    const { verdict } = judgeStep(observation, { maxErrors: 0 }, []);
    run.push({ observation, judged: { perSecond: next.perSecond, purpose: next.purpose, verdict } });
  }
  expect(Math.abs(rampCeiling(run)!.value / 150 - 1)).toBeLessThan(0.05);
});

test("a system that answers less in overload: the ceiling is what it sustained, and to what it falls is told", () => {
  const step = (perSecond: number, verdict: Verdict, throughput: number): Parameters<typeof rampCeiling>[0][number] => {
    const observation = observeStep(simulate(perSecond, 1, () => 0, 1));
    const estimate = { value: throughput, low: throughput - 2, high: throughput + 2 };
    return { observation: { ...observation, throughput: estimate }, judged: { perSecond, purpose: "up", verdict } };
  };
  const found = rampCeiling([step(100, "steady", 100), step(110, "queue-grows", 80), step(200, "queue-grows", 40)]);
  expect(found).toEqual({ value: 100, low: 100, high: 110, from: "bracket", collapsesTo: 40 });
  expect(rampCeiling([step(100, "steady", 100), step(200, "errors", 150)])).toBeUndefined();
  // A rate above the knee that was answered nearly whole: the knee may be a disturbance, and the interval says so.
  const disturbed = [step(100, "steady", 100), step(150, "unsettled", 149), step(110, "queue-grows", 105)];
  expect(rampCeiling(disturbed)).toMatchObject({ value: 105, low: 100, high: 149 });
});
