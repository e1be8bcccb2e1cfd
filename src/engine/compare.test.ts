import { describe, expect, test } from "vitest";
import { Random } from "../analysis/random.ts";
import { SpanKind, SpanStatus, type SpanTable } from "../model/span-table.ts";
import { loadInputs } from "../formats/load-inputs.ts";
import { HEALTHY_KINDS, healthyCase } from "../testing/accuracy/healthy-case.ts";
import { lognormal } from "../testing/distributions.ts";
import { spansFromRows, type SpanRow } from "../testing/spans-from-rows.ts";
import { compare } from "./compare.ts";
import type { Slice } from "./regression/operations.ts";
import { buildWindow } from "./window.ts";

const MS = 1e6;

const slice = async (spans: SpanTable): Promise<Slice> => ({ window: await buildWindow(spans, async () => {}) });

/** What is not as usual in a drawn recording. */
interface Unusual {
  /** median of the statement below GET /orders, 5 ms as a rule */
  readonly statementMs?: number;
  /** share of GET /report, 0.1 as a rule */
  readonly reports?: number;
  /** share of GET /orders in error, 0.01 as a rule */
  readonly errors?: number;
  readonly requests?: number;
  readonly withoutReports?: boolean;
}

/** GET /orders: 2 ms of its own and a statement; GET /report: 50 ms. A request every 100 ms. */
function drawn(seed: number, unusual: Unusual = {}): SpanTable {
  const random = new Random(seed);
  const rows: SpanRow[] = [];
  const failed: number[] = [];
  for (let trace = 1; trace <= (unusual.requests ?? 3000); trace++) {
    const startNs = trace * 100 * MS;
    const time = (medianMs: number): number => Math.round(lognormal(random, medianMs, 0.4) * MS);
    if (unusual.withoutReports !== true && random.uniform() < (unusual.reports ?? 0.1)) {
      rows.push({
        trace,
        id: 1,
        parent: 0,
        startNs,
        endNs: startNs + time(50),
        kind: SpanKind.server,
        name: "GET /report",
      });
      continue;
    }
    const own = time(2);
    const statement = time(unusual.statementMs ?? 5);
    if (random.uniform() < (unusual.errors ?? 0.01)) failed.push(rows.length);
    rows.push(
      {
        trace,
        id: 1,
        parent: 0,
        startNs,
        endNs: startNs + own + statement,
        kind: SpanKind.server,
        name: "GET /orders",
      },
      {
        trace,
        id: 2,
        parent: 1,
        startNs: startNs + own,
        endNs: startNs + own + statement,
        kind: SpanKind.client,
        name: "SELECT",
      },
    );
  }
  const table = spansFromRows(rows);
  for (const row of failed) table.status[row] = SpanStatus.error;
  return table;
}

describe("a recording and itself", () => {
  test("are the same in every respect", async () => {
    const one = await slice(drawn(1));
    const report = compare(one, one);
    expect(report.verdict).toBe("same");
    expect(report.endpoints.map(({ operation, verdict }) => [operation, verdict])).toEqual([
      ["GET /orders", "same"],
      ["GET /report", "same"],
    ]);
    for (const endpoint of report.endpoints) {
      for (const { differenceMs, lowMs, highMs } of [endpoint.p50, endpoint.p95, endpoint.p99]) {
        expect(differenceMs).toBe(0);
        if (lowMs !== null) expect([Math.sign(lowMs), Math.sign(highMs!)]).toEqual([-1, 1]);
      }
      expect([endpoint.errors.difference, endpoint.mixMs, endpoint.slowdownMs]).toEqual([0, 0, 0]);
    }
    expect(report.mean).toMatchObject({ changeMs: 0, mixMs: 0, slowdownMs: 0 });
    expect([report.paths, report.otherPaths.slowdownMs]).toEqual([[], 0]);
    expect([report.newEndpoints, report.vanishedEndpoints, report.cautions]).toEqual([[], [], []]);
  });
});

describe("a statement that takes 8 instead of 5 ms", () => {
  const report = (async () => compare(await slice(drawn(1)), await slice(drawn(2, { statementMs: 8 }))))();

  test("makes its endpoint worse and no other", async () => {
    const { verdict, endpoints } = await report;
    expect(verdict).toBe("worse");
    expect(endpoints.map(({ operation, verdict: own }) => [operation, own])).toEqual([
      ["GET /orders", "worse"],
      ["GET /report", "same"],
    ]);
    const { p50 } = endpoints[0]!;
    // medians of sums of lognormals: about 7.2 and 10.2 ms
    expect(p50.lowMs).toBeGreaterThan(2);
    expect(p50.highMs).toBeLessThan(4);
  });

  test("is named as the call path that brings the slowdown", async () => {
    const { paths } = await report;
    expect(paths[0]!.path).toEqual(["service GET /orders", "service SELECT"]);
    // the mean of a lognormal is exp(sigma^2 / 2) of its median: 3 ms x 1.083 at 90 % of the requests
    expect(paths[0]!.slowdownMs).toBeGreaterThan(2.5);
    expect(paths[0]!.slowdownMs).toBeLessThan(3.3);
  });

  test("splits the mean exactly", async () => {
    const { mean, paths, otherPaths, endpoints } = await report;
    const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
    expect(mean!.mixMs + mean!.slowdownMs).toBeCloseTo(mean!.changeMs, 9);
    expect(mean!.nowMs - mean!.beforeMs).toBeCloseTo(mean!.changeMs, 9);
    expect(sum(paths.map(({ slowdownMs }) => slowdownMs)) + otherPaths.slowdownMs).toBeCloseTo(mean!.slowdownMs, 9);
    expect(sum(endpoints.map(({ mixMs }) => mixMs))).toBeCloseTo(mean!.mixMs, 9);
    expect(sum(endpoints.map(({ slowdownMs }) => slowdownMs))).toBeCloseTo(mean!.slowdownMs, 9);
  });

  test("the other way round it is better", async () => {
    const back = compare(await slice(drawn(2, { statementMs: 8 })), await slice(drawn(1)));
    expect([back.verdict, back.endpoints[0]!.verdict]).toEqual(["better", "better"]);
  });

  test("below the threshold it is the same", async () => {
    const lax = compare(await slice(drawn(1)), await slice(drawn(2, { statementMs: 8 })), { threshold: 0.9 });
    expect(lax.verdict).toBe("same");
  });
});

test("more of the dear endpoint is mix, and no endpoint is worse", async () => {
  const report = compare(await slice(drawn(1)), await slice(drawn(2, { reports: 0.3 })));
  expect(report.verdict).toBe("same");
  // 20 % of the requests cost some 54 instead of 7.6 ms
  expect(report.mean!.mixMs).toBeGreaterThan(8);
  expect(Math.abs(report.mean!.slowdownMs)).toBeLessThan(1);
});

test("more errors are a regression though nothing is slower", async () => {
  const report = compare(await slice(drawn(1)), await slice(drawn(2, { errors: 0.05 })));
  const [orders] = report.endpoints;
  expect([report.verdict, orders!.errors.verdict, orders!.p50.verdict]).toEqual(["worse", "worse", "same"]);
  expect(orders!.errors.low).toBeGreaterThan(0);
});

test("new and vanished endpoints are named and count as mix", async () => {
  const without = await slice(drawn(1, { withoutReports: true }));
  const report = compare(without, await slice(drawn(2)));
  expect(report.newEndpoints.map(({ operation }) => operation)).toEqual(["GET /report"]);
  expect(report.verdict).toBe("same");
  expect(report.mean!.mixMs).toBeGreaterThan(3);
  expect(compare(await slice(drawn(2)), without).vanishedEndpoints[0]).toMatchObject({ operation: "GET /report" });
});

test.each([
  [15, ["insufficient-data", "insufficient-data", "insufficient-data", "insufficient-data"]],
  [60, ["same", "same", "insufficient-data", "insufficient-data"]],
  [400, ["same", "same", "same", "insufficient-data"]],
  [1100, ["same", "same", "same", "same"]],
])(
  "%i requests: the endpoint, p50, p95 and p99 are judged as far as 10 requests are slower",
  async (requests, expected) => {
    const one = await slice(drawn(3, { requests, withoutReports: true }));
    const { endpoints } = compare(one, one);
    const { verdict, p50, p95, p99 } = endpoints[0]!;
    expect([verdict, p50.verdict, p95.verdict, p99.verdict]).toEqual(expected);
  },
);

test("nothing in common, nothing at all: cannot tell, no exception", async () => {
  const nothing = await slice(spansFromRows([]));
  const some = await slice(drawn(1, { requests: 30 }));
  expect(compare(nothing, nothing)).toMatchObject({ verdict: "insufficient-data", mean: null, endpoints: [] });
  const report = compare(nothing, some);
  expect([report.verdict, report.newEndpoints.length, report.mean]).toEqual(["insufficient-data", 2, null]);
  expect(report.cautions).toContain("the baseline has no complete trace");
  expect(() => JSON.stringify(report)).not.toThrow();
});

test("the same data, the same report", async () => {
  const [a, b] = [await slice(drawn(1)), await slice(drawn(2))];
  expect(JSON.stringify(compare(a, b))).toBe(JSON.stringify(compare(a, b)));
});

describe("healthy systems", () => {
  test("two runs of one: no regression", async () => {
    const kind = HEALTHY_KINDS.find(({ name }) => name === "same-as-before")!;
    for (let seed = 1; seed <= 8; seed++) {
      const { current, baseline } = healthyCase(kind, seed, 1200);
      const { endpoints } = compare(await slice(baseline!), await slice(current));
      expect([seed, endpoints.filter(({ verdict }) => verdict === "worse")]).toEqual([seed, []]);
    }
  });

  test("a recorded system against itself, first half and second half: no regression", async () => {
    const loading = loadInputs(["examples/healthy/calm/traces.otlp.pb.gz"], {});
    let step = await loading.next();
    while (step.done !== true) step = await loading.next();
    const { window } = await slice(step.value.spans);
    const { forest } = window;
    const starts = Float64Array.from(forest.root, (root) => forest.startNs[root]!);
    const middle = starts.toSorted()[starts.length >> 1]!;
    const before = { window, traces: Uint8Array.from(starts, (start) => (start < middle ? 1 : 0)) };
    const after = { window, traces: Uint8Array.from(starts, (start) => (start < middle ? 0 : 1)) };
    const report = compare(before, after);
    expect(report.endpoints.length).toBe(3);
    expect(report.endpoints.filter(({ verdict }) => verdict === "worse")).toEqual([]);
    expect(compare(after, before).endpoints.filter(({ verdict }) => verdict === "worse")).toEqual([]);
    expect(report.before.traces + report.now.traces).toBe(forest.complete.reduce((sum, one) => sum + one, 0));
  });
});
