import { describe, expect, test } from "vitest";
import { Random } from "../analysis/random.ts";
import { SpanKind, SpanStatus, type SpanTable } from "../model/span-table.ts";
import { percentiles } from "../testing/accuracy/case.ts";
import { HEALTHY_KINDS, healthyCase } from "../testing/accuracy/healthy-case.ts";
import { lognormal } from "../testing/distributions.ts";
import { joinedTables } from "../testing/joined-tables.ts";
import { usually } from "../testing/long-tests.ts";
import { FAULTS } from "../testing/simulator/faults/table.ts";
import { Draws, mixKey, nameKey } from "../testing/simulator/random.ts";
import { simulate } from "../testing/simulator/simulate.ts";
import { numberSteps } from "../testing/simulator/system-walk.ts";
import { spansFromRows } from "../testing/spans-from-rows.ts";
import { splitAtChange, type WindowSplit } from "./change-in-window.ts";
import { viewEndpoint } from "./endpoint-view.ts";
import { buildWindow, type Window } from "./window.ts";

const MS = 1e6;
const REQUESTS = 1500;

async function split(spans: SpanTable, seed = 1): Promise<{ window: Window; found: WindowSplit | undefined }> {
  const window = await buildWindow(spans, async () => {});
  const views = window.endpoints.map((_, index) => viewEndpoint(window, index));
  return { window, found: splitAtChange(window, views, seed) };
}

/** One request every 100 ms of one span each, lognormal with sigma 0.4; `medianMs` and `errors` by place in the window, 0 .. 1. */
function requests(medianMs: (place: number) => number, errors: (place: number) => number = () => 0): SpanTable {
  const random = new Random(11);
  const rows = Array.from({ length: REQUESTS }, (_, i) => {
    const startNs = i * 100 * MS;
    const endNs = startNs + Math.round(lognormal(random, medianMs(i / REQUESTS), 0.4) * MS);
    return { trace: i + 1, id: 1, parent: 0, startNs, endNs, kind: SpanKind.server, name: "GET /" };
  });
  const table = spansFromRows(rows);
  for (let i = 0; i < REQUESTS; i++) if (random.uniform() < errors(i / REQUESTS)) table.status[i] = SpanStatus.error;
  return table;
}

const stepped =
  (from: number, to: number) =>
  (place: number): number =>
    place < 0.6 ? from : to;

describe("a step that lasts", () => {
  test("splits the window where it happened", async () => {
    const spans = requests(stepped(20, 30));
    const { window, found } = await split(spans);
    // 60 buckets of 25 requests: the step at 0.6 is the start of bucket 36, request 900
    expect(found?.evidence).toMatchObject({ metric: "p50", buckets: 60, bucket: 36 });
    expect(Number(window.spans.baseUnixNs - spans.baseUnixNs) + found!.atNs).toBe(900 * 100 * MS);
    expect(Math.abs(found!.evidence.before / MS - 20)).toBeLessThan(1.5);
    expect(Math.abs(found!.evidence.after / MS - 30)).toBeLessThan(1.5);
    expect(found!.evidence.perSecondBefore).toBeCloseTo(10, 1);
    expect(found!.evidence.perSecondAfter).toBeCloseTo(10, 1);
    const ones = (mask: Uint8Array): number => mask.reduce((sum, one) => sum + one, 0);
    // all requests are shorter than the 100 ms between two of them, but perhaps a few
    expect(ones(found!.before)).toBeGreaterThanOrEqual(890);
    expect(ones(found!.after)).toBe(600);
    expect(found!.before.some((one, trace) => one + found!.after[trace]! > 1)).toBe(false);
    for (let trace = 0; trace < window.forest.traceCount; trace++) {
      const root = window.forest.root[trace]!;
      if (found!.before[trace] === 1) expect(window.forest.endNs[root]!).toBeLessThan(found!.atNs);
    }
  });

  test("of the share of errors splits it too", async () => {
    const { found } = await split(requests(() => 20, stepped(0.01, 0.2)));
    expect(found?.evidence.metric).toBe("errors");
    expect(Math.abs(found!.evidence.bucket - 36)).toBeLessThanOrEqual(2);
  });

  test("is found again with another seed", async () => {
    const table = requests(stepped(20, 30));
    expect((await split(table, 2)).found?.atNs).toBe((await split(table, 1)).found?.atNs);
  });
});

describe("no split:", () => {
  test.each([
    ["nothing happens", () => 20],
    ["it becomes faster", stepped(30, 20)],
    ["a ramp over all of the window", (place: number) => 20 + 20 * place],
    ["a ramp to ten times as much", (place: number) => 20 * 10 ** place],
    ["a ramp that sets in half-way", (place: number) => 20 + 60 * Math.max(0, place - 0.5)],
    ["a ramp that comes to rest", (place: number) => 20 + 60 * Math.min(0.5, place)],
    ["it recovers", (place: number) => (place > 0.3 && place < 0.6 ? 40 : 20)],
    ["less than 20 %", stepped(20, 22.5)],
    ["less than a millisecond", stepped(0.4, 0.8)],
    ["at the very end", (place: number) => (place < 0.97 ? 20 : 40)],
  ])("%s", async (_, medianMs) => {
    expect((await split(requests(medianMs))).found?.evidence).toBeUndefined();
  });

  test("healthy systems of all kinds", async () => {
    for (let seed = 1; seed <= usually(HEALTHY_KINDS.length, 40); seed++) {
      const kind = HEALTHY_KINDS[seed % HEALTHY_KINDS.length]!;
      const { found } = await split(healthyCase(kind, seed, 800).current);
      expect([kind.name, seed, found?.evidence]).toEqual([kind.name, seed, undefined]);
    }
  });
});

/** A run of a healthy system, then one of the same system with a fault; when the second one starts. */
function glued(faultName: string, seed: number): { spans: SpanTable; windowNs: number; startNs: number } {
  const fault = FAULTS.find(({ name }) => name === faultName)!;
  const key = mixKey(nameKey("glue"), seed);
  for (const shape of new Draws(key, nameKey("shape")).shuffled(fault.shapes)) {
    const system = shape.build(new Draws(key, nameKey("system")));
    numberSteps(system);
    const p50Ms = percentiles(simulate(system, { seed, requests: 500 }).roots.durationMs).p50Ms;
    const injection = fault.inject(
      system,
      { severity: 0.5, p50Ms, extraMs: 1.3 * p50Ms },
      new Draws(key, nameKey("place")),
    );
    if (injection === null) continue;
    const count = Math.ceil(800 / injection.faulty.endpoints[0]!.share);
    const lengthMs = (count / injection.fixed.ratePerSecond) * 1000;
    const healthy = simulate(injection.fixed, { seed: mixKey(key, 1), requests: count, startMs: -lengthMs });
    const faulty = simulate(injection.faulty, { seed: key, requests: count });
    const first = faulty.table.startOffsetNs.reduce((least, start) => Math.min(least, start), Infinity);
    const spans = joinedTables(healthy.table, faulty.table);
    const startNs = Number(faulty.table.baseUnixNs - spans.baseUnixNs) + first;
    return { spans, windowNs: 2 * lengthMs * MS, startNs };
  }
  throw new Error(`${faultName}: no system has a place for it`);
}

test.each(["slow-code", "slow-query"])("%s from half-time on is placed within two buckets", async (fault) => {
  const seeds = usually(4, 20);
  let placed = 0;
  for (let seed = 1; seed <= seeds; seed++) {
    const { spans, windowNs, startNs } = glued(fault, seed);
    const { found } = await split(spans);
    if (found === undefined) continue;
    if (Math.abs(found.atNs - startNs) <= (2 * windowNs) / found.evidence.buckets) placed++;
  }
  expect(placed).toBeGreaterThanOrEqual(usually(3, 18));
});
