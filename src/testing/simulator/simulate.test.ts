import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  assertSpanTable,
  SpanKind,
  type SpanTable,
  spanIdHex,
  SpanStatus,
  traceIdHex,
} from "../../model/span-table.ts";
import { attributeText, findAttribute } from "../../model/attribute-table.ts";
import { constant, exponential } from "./distribution.ts";
import { Draws } from "./random.ts";
import { type Run, simulate } from "./simulate.ts";
import { call, compute, db, loop, step, together, wait } from "./steps.ts";
import type { ServiceSpec, Step, SystemSpec } from "./system.ts";
import { cloneSystem, numberSteps, offeredWork, operationOf, serviceOf } from "./system-walk.ts";
import { chain } from "./systems/chain.ts";
import { shop } from "./systems/shop.ts";
import { threeTier } from "./systems/three-tier.ts";
import { worker } from "./systems/worker.ts";

const SHAPES = [threeTier, shop, worker, chain];

/** One service per entry, in one instance with plenty of cores; the first is called from outside at "GET /". */
function tiny(programs: Record<string, Step[]>, change: (system: SystemSpec) => void = () => {}): SystemSpec {
  const services = Object.entries(programs).map(([name, steps]): ServiceSpec => ({
    name,
    language: "go",
    instances: 1,
    cores: 64,
    cpu: "threads",
    workers: 0,
    speeds: [],
    pauses: [],
    pools: {},
    operations: { "GET /": { steps } },
  }));
  const system: SystemSpec = {
    name: "tiny",
    ratePerSecond: 1,
    arrivals: "poisson",
    endpoints: [{ service: services[0]!.name, operation: "GET /", share: 1 }],
    services,
    databases: [{ name: "store", system: "postgresql", cores: 64 }],
    queues: [],
    requestAttributes: [],
    network: constant(1),
    edgeDelay: {},
    telemetry: {
      conventions: "new",
      clientNames: "route",
      literals: false,
      clockSkewMs: 0,
      headSampling: 1,
      consumerIs: "child",
    },
  };
  change(system);
  return system;
}

const spans = (
  { table }: Run,
  of: number = SpanKind.server,
): { name: string; ms: number; start: number; status: number }[] =>
  [...table.kind.keys()]
    .filter((row) => table.kind[row] === of)
    .map((row) => ({
      name: table.strings.get(table.name[row]!),
      ms: (table.endOffsetNs[row]! - table.startOffsetNs[row]!) / 1e6,
      start: table.startOffsetNs[row]! / 1e6,
      status: table.status[row]!,
    }));

/** Rows of each trace, and for each row the row of its parent. */
function parents(table: SpanTable): Int32Array {
  const rowOf = new Map<string, number>();
  for (let row = 0; row < table.rowCount; row++) rowOf.set(traceIdHex(table, row) + spanIdHex(table, row), row);
  return Int32Array.from({ length: table.rowCount }, (_, row) => {
    const [high, low] = [table.parentSpanId[2 * row]!, table.parentSpanId[2 * row + 1]!];
    if (high === 0 && low === 0) return -1;
    return (
      rowOf.get(traceIdHex(table, row) + high.toString(16).padStart(8, "0") + low.toString(16).padStart(8, "0")) ?? -2
    );
  });
}

describe.each(SHAPES)("$name", ({ build }) => {
  const system = build(new Draws(3));
  const run = simulate(system, { seed: 9, requests: 1500 });

  it("repeats itself with the same seed, and only then", () => {
    const again = simulate(build(new Draws(3)), { seed: 9, requests: 1500 });
    expect(again.roots).toEqual(run.roots);
    expect(again.table.startOffsetNs).toEqual(run.table.startOffsetNs);
    expect(again.table.spanId).toEqual(run.table.spanId);
    expect(simulate(system, { seed: 10, requests: 1500 }).roots.durationMs).not.toEqual(run.roots.durationMs);
  });

  it("loses no span and answers every request", () => {
    expect(run.spans.written).toBe(run.spans.opened);
    expect(run.table.rowCount).toBe(run.spans.opened);
    expect(run.roots.durationMs.every((ms) => ms > 0)).toBe(true);
    expect(run.roots.flowMs.every((ms, i) => ms >= run.roots.durationMs[i]! - 1e-6)).toBe(true);
  });

  it("makes one tree per request, whose root spans are what the requester saw", () => {
    assertSpanTable(run.table);
    const { table } = run;
    const parent = parents(table);
    const roots = [...parent.keys()].filter((row) => parent[row] === -1);
    expect(roots).toHaveLength(1500);
    expect(new Set(roots.map((row) => traceIdHex(table, row))).size).toBe(1500);
    expect(parent.includes(-2)).toBe(false);
    // to the nanosecond to which both ends are rounded
    const told = Float64Array.from(roots, (row) => (table.endOffsetNs[row]! - table.startOffsetNs[row]!) / 1e6).sort();
    const seen = run.roots.durationMs.slice().sort();
    expect(told.every((ms, i) => Math.abs(ms - seen[i]!) < 1.5e-6)).toBe(true);
    // the base systems have no timeouts, and their clocks are checked elsewhere
    if (system.telemetry.clockSkewMs > 0) return;
    for (let row = 0; row < table.rowCount; row++) {
      const up = parent[row]!;
      if (up < 0 || table.kind[row] === SpanKind.consumer) continue;
      expect(
        table.startOffsetNs[row]! >= table.startOffsetNs[up]! && table.endOffsetNs[row]! <= table.endOffsetNs[up]!,
      ).toBe(true);
    }
  });

  it("does the work that the spec offers", () => {
    const offered = offeredWork(system);
    const nominal = run.windowMs;
    for (const { name, meanBusy } of run.usage) {
      const [kind, of] = name.split(":") as [string, string];
      if (kind !== "cpu" && kind !== "db") continue;
      const expected = (offered.get(of) ?? 0) / 1000;
      // 1500 requests: a few per cent of chance, and the CPU of event loops to take up answers, which is no step
      const wakeUps = (0.5 * run.table.rowCount * 0.02) / nominal;
      expect(meanBusy).toBeGreaterThan(0.85 * expected - 0.01);
      expect(meanBusy).toBeLessThan(1.15 * expected + wakeUps + 0.01);
    }
  });

  it("keeps Little's law: time-average of requests in the system = rate × mean residence", () => {
    // by counting the requests present at 20,000 instants, apart from any duration
    const ends = run.roots.arrivalMs.map((at, i) => at + run.roots.durationMs[i]!).sort();
    const last = run.roots.arrivalMs.at(-1)!;
    let present = 0;
    let [a, e] = [0, 0];
    const instants = 20_000;
    for (let i = 0; i < instants; i++) {
      const now = ((i + 0.5) * last) / instants;
      while (a < 1500 && run.roots.arrivalMs[a]! <= now) a++;
      while (e < 1500 && ends[e]! <= now) e++;
      present += a - e;
    }
    const meanMs = run.roots.durationMs.reduce((sum, ms) => sum + ms, 0) / 1500;
    expect(present / instants / ((1500 / last) * meanMs)).toBeCloseTo(1, 1.3);
  });
});

describe("programs, worked by hand", () => {
  it("adds up network, CPU and statements", () => {
    // 5 own + [1 there + 3 + (10 store + 2 network) + 1 back] = 22
    const store: Step = step({
      kind: "db",
      database: "store",
      statement: "SELECT a FROM t WHERE id = $1",
      time: constant(10),
      growsTo: 1,
    });
    const system = tiny({
      a: [step({ kind: "compute", time: constant(5) }), call("b", "GET /")],
      b: [step({ kind: "compute", time: constant(3) }), store],
    });
    const run = simulate(system, { seed: 1, requests: 20 });
    expect(run.roots.durationMs.every((ms) => Math.abs(ms - 22) < 1e-9)).toBe(true);
    const statement = [...run.table.kind.keys()].find(
      (row) => run.table.strings.get(run.table.name[row]!) === "SELECT t",
    )!;
    const row = findAttribute(run.table.attributes, statement, run.table.strings.intern("db.namespace"));
    expect(attributeText(run.table.attributes, run.table.strings, row)).toBe("store");
  });

  it("waits for the slowest of a join, or the first", () => {
    const branches = [[wait(constant(10))], [wait(constant(30))]];
    expect(simulate(tiny({ a: [together(...branches)] }), { seed: 1, requests: 3 }).roots.durationMs[0]).toBeCloseTo(
      30,
      9,
    );
    expect(
      simulate(tiny({ a: [step({ kind: "par", join: "first", branches })] }), { seed: 1, requests: 3 }).roots
        .durationMs[0],
    ).toBeCloseTo(10, 9);
  });

  it("runs loops one after another or in lanes", () => {
    const of = (width: number): number =>
      simulate(tiny({ a: [loop(constant(6), [wait(constant(5))], width)] }), { seed: 1, requests: 1 }).roots
        .durationMs[0]!;
    expect([of(1), of(3), of(6)]).toEqual([30, 10, 5]);
  });

  it("takes as long as the program says, for any program without contention", () => {
    const program = fc.letrec<{ list: Step[]; step: Step }>((tie) => ({
      list: fc.array(tie("step"), { maxLength: 4, depthIdentifier: "program" }),
      step: fc.oneof(
        { maxDepth: 4, depthIdentifier: "program" },
        fc.integer({ min: 1, max: 50 }).map((ms) => wait(constant(ms))),
        fc.constant(call("b", "GET /")),
        fc.array(tie("list"), { minLength: 1, maxLength: 3 }).map((branches) => together(...branches)),
        fc.tuple(fc.integer({ min: 0, max: 4 }), tie("list")).map(([times, steps]) => loop(constant(times), steps)),
        tie("list").map((steps) => step({ kind: "span", name: "part", steps })),
      ),
    })).list;
    // a second, direct reading of a program: its length, and the spans that it makes
    const read = (steps: Step[]): { ms: number; spans: number } => {
      let [ms, made] = [0, 0];
      for (const own of steps) {
        const inner = (own.kind === "par" ? own.branches : "steps" in own ? [own.steps] : []).map(read);
        const times = own.kind === "loop" ? Math.round(own.times.kind === "constant" ? own.times.value : 0) : 1;
        ms += times * Math.max(0, ...inner.map((one) => one.ms));
        made += times * inner.reduce((sum, one) => sum + one.spans, 0);
        if (own.kind === "wait" && own.time.kind === "constant") ms += own.time.value;
        if (own.kind === "call") [ms, made] = [ms + 2 + 7, made + 2];
        if (own.kind === "span") made++;
      }
      return { ms, spans: made };
    };
    fc.assert(
      fc.property(program, (steps) => {
        const run = simulate(tiny({ a: steps, b: [wait(constant(7))] }), { seed: 1, requests: 2 });
        const expected = read(steps);
        expect(run.roots.durationMs[0]).toBeCloseTo(expected.ms, 6);
        expect(run.spans).toEqual({
          opened: 2 * (expected.spans + 1),
          written: 2 * (expected.spans + 1),
          unsampled: 0,
        });
        expect(parents(run.table).includes(-2)).toBe(false);
      }),
      { seed: 20, numRuns: 150 },
    );
  });

  it("retries a failing call after its backoff, a span for each attempt", () => {
    const attempts: Step = step({
      kind: "call",
      service: "b",
      operation: "GET /",
      timeoutMs: 0,
      retries: 2,
      backoff: constant(40),
    });
    const run = simulate(tiny({ a: [attempts], b: [step({ kind: "fail", probability: 1, status: 503 })] }), {
      seed: 1,
      requests: 1,
    });
    // three times 2 ms of network, two backoffs
    expect(run.roots.durationMs[0]).toBeCloseTo(86, 9);
    expect(spans(run, SpanKind.client).map(({ status }) => status)).toEqual([
      SpanStatus.error,
      SpanStatus.error,
      SpanStatus.error,
    ]);
    expect(run.roots.failed[0]).toBe(1);
  });

  it("gives up at the timeout, while the callee goes on", () => {
    const impatient: Step = step({
      kind: "call",
      service: "b",
      operation: "GET /",
      timeoutMs: 50,
      retries: 0,
      backoff: constant(0),
    });
    const run = simulate(tiny({ a: [impatient], b: [wait(constant(200))] }), { seed: 1, requests: 1 });
    expect(run.roots.durationMs[0]).toBeCloseTo(50, 9);
    expect(
      spans(run)
        .map(({ ms }) => ms)
        .toSorted((x, y) => x - y),
    ).toEqual([50, 200]);
    expect(run.spans.written).toBe(run.spans.opened);
  });

  it("draws for a step what it drew before another was added", () => {
    const base = tiny({ a: [compute(5), call("b", "GET /")], b: [compute(3)] });
    numberSteps(base);
    const slower = cloneSystem(base);
    operationOf(serviceOf(slower, "b"), "GET /").steps.unshift(wait(constant(1000)));
    const [before, after] = [base, slower].map(
      (system) => simulate(system, { seed: 4, requests: 50 }).roots.durationMs,
    ) as [Float64Array, Float64Array];
    expect(after.every((ms, i) => Math.abs(ms - before[i]! - 1000) < 1e-6)).toBe(true);
  });

  it("makes requests of a full pool wait as M/M/c says", () => {
    // statements of 10 ms mean at 150 per second on 2 connections: Erlang C at a = 1.5 is 9/14; wait = C · S / (c - a)
    const read: Step = step({
      kind: "db",
      database: "store",
      statement: "SELECT a FROM t WHERE id = $1",
      time: exponential(10),
      growsTo: 1,
    });
    const system = tiny({ a: [read] }, (spec) => {
      spec.ratePerSecond = 150;
      spec.network = constant(0);
      spec.services[0]!.pools["store"] = { size: 2, spans: true };
    });
    const expected = ((9 / 14) * 10) / 0.5;
    const means = [1, 2, 3, 4, 5, 6, 7, 8].map((seed) => {
      const run = simulate(system, { seed, requests: 20_000 });
      const wait = run.usage.find(({ name }) => name === "pool:a:store")!.meanWaitMs;
      const told = spans(run, SpanKind.client).filter(({ name }) => name === "pg-pool.connect");
      expect(told.reduce((sum, { ms }) => sum + ms, 0) / told.length / wait).toBeCloseTo(1, 3);
      return wait;
    });
    const overall = means.reduce((sum, wait) => sum + wait, 0) / 8;
    const error = Math.sqrt(means.reduce((sum, wait) => sum + (wait - overall) ** 2, 0) / 7 / 8);
    // Student's t with 7 degrees of freedom: 3.5 errors are the 99 % interval
    expect(Math.abs(overall - expected)).toBeLessThan(3.5 * error);
    expect(error / overall).toBeLessThan(0.1);
  });

  it("marks sampled traces with their threshold and drops whole traces", () => {
    const system = tiny({ a: [call("b", "GET /")], b: [compute(1)] }, (spec) => (spec.telemetry.headSampling = 0.25));
    const run = simulate(system, { seed: 3, requests: 4000 });
    // 0.75 of 2^56, without trailing zeros
    expect(run.table.strings.get(run.table.traceState[0]!)).toBe("ot=th:c");
    expect(run.spans.written + run.spans.unsampled).toBe(run.spans.opened);
    expect(run.spans.written % 3).toBe(0);
    // binomial: standard deviation sqrt(.25 · .75 / 4000) = 0.0068
    expect(Math.abs(run.spans.written / run.spans.opened - 0.25)).toBeLessThan(0.03);
  });

  it("hands messages to consumers, as children or by links", () => {
    for (const consumerIs of ["child", "linked"] as const) {
      const system = tiny({ a: [step({ kind: "publish", queue: "jobs", time: constant(2) })], w: [] }, (spec) => {
        spec.queues = [{ name: "jobs", system: "kafka", consumer: "w", consumersPerInstance: 1 }];
        serviceOf(spec, "w").operations["process jobs"] = {
          steps: [wait(constant(30)), db("store", "SELECT a FROM t", 1)],
        };
        spec.telemetry.consumerIs = consumerIs;
      });
      const run = simulate(system, { seed: 5, requests: 10 });
      expect(spans(run, SpanKind.consumer)).toHaveLength(10);
      expect(run.table.links.rowCount).toBe(consumerIs === "linked" ? 10 : 0);
      expect(parents(run.table).includes(-2)).toBe(false);
      expect(run.roots.flowMs.every((ms) => ms > 32)).toBe(true);
      expect(run.roots.durationMs.every((ms) => Math.abs(ms - 2) < 1e-9)).toBe(true);
    }
  });
});
