import { describe, expect, test } from "vitest";
import type { Change } from "../model/change.ts";
import { traceFromText } from "../testing/trace-from-text.ts";
import { spansFromRows, type SpanRow } from "../testing/spans-from-rows.ts";
import type { SpanTable } from "../model/span-table.ts";
import { buildCallPaths } from "./call-paths.ts";
import { applyChange, ownTimeNs, positionOfRow, setOwnTime } from "./interventions.ts";
import { learnProgram } from "./program-model.ts";
import { prepareReplay, type ReplayPlan } from "./replay-plan.ts";
import { noEdits, replay } from "./replay.ts";
import { describeSpans } from "./span-facts.ts";
import { assembleTraces } from "./trace-assembly.ts";
import { predictEndpoints } from "./what-if-prediction.ts";

function planOf(table: SpanTable): ReplayPlan {
  const forest = assembleTraces(table, describeSpans(table));
  const paths = buildCallPaths(forest);
  return prepareReplay(forest, paths, learnProgram(forest, paths));
}

function columnsAfter(plan: ReplayPlan, change: Change): number[] {
  const edits = noEdits(plan);
  expect(applyChange(plan, edits, change, { seed: 1 }).kind).toBe("applied");
  return [...replay(plan, edits)].map((ns) => ns / 1000);
}

const LOOP = `
    shop root              |-----------------------------------|       server
      shop pg-pool.connect  |-|                                        client db.system=postgresql
      shop list                |---|                                   client db.system=postgresql db.statement="SELECT list"
      shop pg-pool.connect           |-|                               client db.system=postgresql
      shop item                         |---|                          client db.system=postgresql db.statement="SELECT item"
      shop pg-pool.connect                    |-|                      client db.system=postgresql
      shop item                                  |---|                 client db.system=postgresql db.statement="SELECT item"
      shop pg-pool.connect                             |-|             client db.system=postgresql
      shop item                                           |-|          client db.system=postgresql db.statement="SELECT item"`;

describe("pool acquisitions", () => {
  test("belong to the one call that they serve", () => {
    const plan = planOf(traceFromText(LOOP));
    // The first item starts at 13, as before; it takes 4 or 2 columns, and the tail of 3 follows.
    const [columns] = columnsAfter(plan, { kind: "batch", service: "shop", operation: "item" });
    expect([13 + 4 + 3, 13 + 2 + 3]).toContain(columns);
  });

  test("are the only part of their call that is not made in parallel to it", () => {
    const plan = planOf(traceFromText(LOOP));
    // Connects start at 1, 3, 5, 7 (the caller needs 2 between them), their calls 3 later, 4, 4, 4 and 2 long: 12, and
    // the tail of 3.
    expect(columnsAfter(plan, { kind: "parallel", service: "shop", operation: "root" })).toEqual([15]);
  });

  test("a connection that serves several statements stays when one of them goes", () => {
    const plan = planOf(
      traceFromText(`
    shop root              |---------------------|      server
      shop pg-pool.connect  |--|                        client db.system=postgresql
      shop one                  |---|                   client db.system=postgresql db.statement="SELECT one"
      shop two                       |---|              client db.system=postgresql db.statement="SELECT two"`),
    );
    expect(columnsAfter(plan, { kind: "remove", service: "shop", operation: "one" })).toEqual([22 - 4]);
  });
});

describe("cache", () => {
  const rows: SpanRow[] = [];
  for (let trace = 1; trace <= 4000; trace++) {
    rows.push({ trace, id: 2 * trace, parent: 0, startNs: 0, endNs: 10_000, kind: 2, service: "s", name: "root" });
    rows.push({
      trace,
      id: 2 * trace + 1,
      parent: 2 * trace,
      startNs: 1000,
      endNs: 9000,
      kind: 3,
      service: "s",
      name: "call",
    });
  }
  const hit = (list: readonly SpanRow[], seed: number): number[] => {
    const plan = planOf(spansFromRows(list));
    const edits = noEdits(plan);
    applyChange(plan, edits, { kind: "cache", service: "s", operation: "call", hitRatio: 0.8 }, { seed });
    const durations = replay(plan, edits);
    const traceOf = (t: number): number => plan.forest.spans.traceId[4 * plan.row[plan.traceStart[t]!]! + 3]!;
    return [...durations.keys()]
      .filter((t) => durations[t] === 2000)
      .map(traceOf)
      .sort((a, b) => a - b);
  };

  test("answers the asked-for share of calls: a mixture, not a mean", () => {
    // Five standard deviations of a binomial share: 5 · sqrt(0.8 · 0.2 / 4000) = 0.032.
    expect(Math.abs(hit(rows, 1).length / 4000 - 0.8)).toBeLessThan(0.032);
  });

  test("the draw hangs on seed and ids, not on the order of rows", () => {
    expect(hit(rows.toReversed(), 1)).toEqual(hit(rows, 1));
    expect(hit(rows, 2)).not.toEqual(hit(rows, 1));
  });
});

describe("answers that are no prediction", () => {
  const plan = planOf(traceFromText("shop GET /cart |----|  server\n  shop SELECT |--|  client"));
  const apply = (change: Change) => applyChange(plan, noEdits(plan), change, { seed: 1 });

  test("capacity cannot be told from traces alone", () => {
    const changes: Change[] = [
      { kind: "pool", service: "shop", pool: "p", size: 2 },
      { kind: "replicas", service: "shop", replicas: 2 },
      { kind: "cpu", service: "shop", cores: 2 },
      { kind: "without", service: "shop", host: "h" },
    ];
    for (const change of changes) expect(apply(change).kind).toBe("cannot-tell");
  });

  test("an unknown operation is answered with the nearest known one", () => {
    expect(apply({ kind: "remove", service: "shop", operation: "SELCT" })).toMatchObject({
      nearest: { service: "shop", operation: "SELECT" },
    });
    expect(apply({ kind: "remove", service: "hsop", operation: "SELECT" })).toMatchObject({
      nearest: { service: "shop", operation: "SELECT" },
    });
    expect(apply({ kind: "remove", service: "warehouse", operation: "SELECT" })).toMatchObject({
      nearest: { service: "shop", operation: "SELECT" },
    });
    expect(apply({ kind: "remove", service: "warehouse", operation: "xyz" })).toEqual({
      kind: "no-match",
      looked: 'operation "xyz" of service "warehouse"',
    });
    // An entry is not a call that can be left out.
    expect(apply({ kind: "remove", service: "shop", operation: "GET /cart" }).kind).toBe("no-match");
  });
});

test("parallel says what it takes for granted, and a transaction stays in order", () => {
  const picture = (a: string, b: string, c: string): string => `
    shop root  |---------------------|   server
      shop ${a}   |---|                  client db.system=postgresql db.statement="${a}"
      shop ${b}        |---|             client db.system=postgresql db.statement="${b}"
      shop ${c}             |---|        client db.system=postgresql db.statement="${c}"`;
  const run = (text: string) => {
    const plan = planOf(traceFromText(text));
    const edits = noEdits(plan);
    const applied = applyChange(plan, edits, { kind: "parallel", service: "shop", operation: "root" }, { seed: 1 });
    return { applied, ns: replay(plan, edits)[0] };
  };
  const free = run(picture("SELECT", "UPDATE", "INSERT"));
  expect(free.ns).toBeLessThan(20_000);
  expect(free.applied).toMatchObject({ spans: 2 });
  expect(JSON.stringify(free.applied)).toContain(
    "UPDATE does not need the result of SELECT: it followed it in all 1 cases",
  );
  const bound = run(picture("BEGIN", "INSERT", "COMMIT"));
  expect(bound.applied).toMatchObject({ spans: 0 });
  expect(bound.ns).toBe(22_000);
});

test("own time of a span can be set; nodes narrow a change down", () => {
  const table = traceFromText(`
    shop root  |-----------|     server
      shop A    |---|            client
      shop A         |---|       client`);
  const plan = planOf(table);
  const root = positionOfRow(plan)[0]!;
  expect(ownTimeNs(plan, root)).toBe(4000);
  const edits = noEdits(plan);
  expect(setOwnTime(plan, edits, root, 1000)).toBe(true);
  expect(replay(plan, edits)[0]).toBe(9000);
  const elsewhere = applyChange(
    plan,
    noEdits(plan),
    { kind: "time", service: "shop", operation: "A", factor: 0 },
    { seed: 1, nodes: [0] },
  );
  expect(elsewhere.kind).toBe("no-match");
});

test("predicted percentiles of each endpoint, weighted", () => {
  const rows: SpanRow[] = [];
  for (let i = 1; i <= 101; i++) {
    // 1.01 µs to 2.01 µs in steps of 10 ns; half of each is the call.
    rows.push({
      trace: i,
      id: 2 * i,
      parent: 0,
      startNs: 0,
      endNs: 1000 + 20 * i,
      kind: 2,
      service: "s",
      name: "root",
    });
    rows.push({
      trace: i,
      id: 2 * i + 1,
      parent: 2 * i,
      startNs: 0,
      endNs: 500 + 10 * i,
      kind: 3,
      service: "s",
      name: "call",
    });
  }
  const plan = planOf(spansFromRows(rows));
  const edits = noEdits(plan);
  applyChange(plan, edits, { kind: "time", service: "s", operation: "call", factor: 0.5 }, { seed: 1 });
  const [endpoint] = predictEndpoints(plan, edits, { seed: 1, resamples: 50 });
  // Durations 1000 + 20 i: the 51st and the 100th of 101; a quarter less after the change.
  expect(endpoint!.traces).toBe(101);
  expect([endpoint!.p50.now.value, endpoint!.p99.now.value]).toEqual([2020, 3000]);
  expect([endpoint!.p50.predicted.value, endpoint!.p99.predicted.value]).toEqual([1515, 2250]);
  expect(endpoint!.p50.predicted.low).toBeLessThanOrEqual(1515);
  expect(endpoint!.p50.predicted.high).toBeGreaterThanOrEqual(1515);
});
