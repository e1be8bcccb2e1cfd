import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Change } from "../model/change.ts";
import { traceFromText } from "../testing/trace-from-text.ts";
import { plainFacts } from "../testing/plain-facts.ts";
import { spansFromRows, type SpanRow } from "../testing/spans-from-rows.ts";
import type { SpanTable } from "../model/span-table.ts";
import { buildCallPaths } from "./call-paths.ts";
import { applyChange } from "./interventions.ts";
import { learnProgram } from "./program-model.ts";
import { prepareReplay, type ReplayPlan } from "./replay-plan.ts";
import { absoluteTimes, noEdits, replay, replaySpans } from "./replay.ts";
import { assembleTraces } from "./trace-assembly.ts";

function planOf(table: SpanTable): ReplayPlan {
  const forest = assembleTraces(table, plainFacts(table));
  const paths = buildCallPaths(forest);
  return prepareReplay(
    forest,
    paths,
    learnProgram(forest, paths),
    Int32Array.from({ length: forest.traceCount }, (_, t) => t),
  );
}

/** Durations of the roots, in columns of the picture, after changes. */
function columnsAfter(plan: ReplayPlan, ...changes: Change[]): number[] {
  const edits = noEdits(plan);
  for (const change of changes) expect(applyChange(plan, edits, change, { seed: 1 }).kind).toBe("applied");
  return [...replay(plan, edits)].map((ns) => ns / 1000);
}

const time = (service: string, operation: string, factor: number): Change => ({
  kind: "time",
  service,
  operation,
  factor,
});

/** `copies` of a picture, as traces of their own. */
const repeated = (picture: string, copies: number): string =>
  Array.from({ length: copies }, () => picture).join("\n\n");

describe("hand-worked pictures", () => {
  test("another branch becomes critical", () => {
    const plan = planOf(
      traceFromText(`
        shop root   |--------------------|
          a A       |----------|
          b B       |---------------|       `),
    );
    // B 15 → 3: A with its 11 is the longest; the tail of 5 behind B stays.
    expect(columnsAfter(plan)).toEqual([21]);
    expect(columnsAfter(plan, time("b", "B", 0.2))).toEqual([11 + 5]);
  });

  test("own work is what no call covers, in nested calls too", () => {
    const plan = planOf(
      traceFromText(`
        shop root     |--------------------|   server
          shop call     |--------------|       client
            cart get      |---------|          server
              cart work     |---|              `),
    );
    // cart get: 10 long, 4 of it in work: own 2 + 4.
    expect(columnsAfter(plan, time("cart", "get", 0.5))).toEqual([21 - 3]);
    expect(columnsAfter(plan, time("cart", "work", 0))).toEqual([21 - 4]);
    // Of the CLIENT the server's whole time is scaled, transit (2 + 3) is kept.
    expect(columnsAfter(plan, time("shop", "call", 0.5))).toEqual([21 - 5]);
    expect(columnsAfter(plan, time("shop", "root", 0))).toEqual([15]);
  });

  test("what waited for a removed call waits for what it waited for", () => {
    const plan = planOf(
      traceFromText(`
        shop root  |--------------------|
          a A      |----|
          b B           |------|          client
          c C                  |----|     `),
    );
    expect(columnsAfter(plan, { kind: "remove", service: "b", operation: "B" })).toEqual([21 - 7]);
  });

  test("a loop becomes one call that is as long as one of them; a single call stays", () => {
    const loop = `
        shop root    |--------------------------|
          shop list   |--|                        client
          shop item       |--|                    client
          shop item           |--|                client
          shop item               |-----|         client`;
    const single = `
        shop root    |--------|
          shop list   |--|                        client
          shop item       |--|                    client`;
    const plan = planOf(traceFromText(`${repeated(loop, 300)}\n\n${single}`));
    const after = columnsAfter(plan, { kind: "batch", service: "shop", operation: "item" });
    // 5 before the first item, an item of 3, 3 or 6, a tail of 8: 16 twice as often as 19.
    expect(after.pop()).toBe(9);
    expect(new Set(after)).toEqual(new Set([5 + 3 + 8, 5 + 6 + 8]));
    // Five standard deviations: 5 · sqrt(1/3 · 2/3 / 300) = 0.14.
    expect(Math.abs(after.filter((columns) => columns === 19).length / 300 - 1 / 3)).toBeLessThan(0.14);
    expect(columnsAfter(plan, { kind: "batch", service: "shop", operation: "list" }).slice(-2)).toEqual([27, 9]);
  });

  test("retries go with the pause before them", () => {
    const picture = `
        shop root    |--------------------|
          shop pay    |--|                  client error
          shop pay           |--|           client error
          shop pay                  |--|    client`;
    const plan = planOf(
      traceFromText(`${picture}\n\n        shop root    |----|\n          shop pay    |--|   client`),
    );
    const after = (retries: number) =>
      columnsAfter(plan, { kind: "retries", service: "shop", operation: "pay", retries });
    expect([after(2), after(1), after(0)]).toEqual([
      [21, 5],
      [14, 5],
      [7, 5],
    ]);
    expect(columnsAfter(plan, { kind: "retries", service: "shop", operation: "root", retries: 0 })).toEqual([7, 5]);
  });

  test("a detached child moves with its parent and does not hold it up", () => {
    const plan = planOf(
      traceFromText(
        repeated(
          `
        shop root   |----------|                 server
          shop A    |---|
          shop log      |-----------------|      `,
          5,
        ),
      ),
    );
    expect(columnsAfter(plan, time("shop", "log", 0.1))[0]).toBe(11);
    expect(columnsAfter(plan, time("shop", "log", 10))[0]).toBe(11);
    expect(columnsAfter(plan, time("shop", "A", 0.5))[0]).toBe(9);
  });

  test("a handler that ends early does not hide what the entry waits for", () => {
    const plan = planOf(
      traceFromText(
        repeated(
          `
        shop GET       |--------------|   server
          shop handler  |-|
            shop query    |--------|      client`,
          5,
        ),
      ),
    );
    expect(columnsAfter(plan, time("shop", "query", 0.5))[0]).toBe(15 - 4.5);
  });

  test("a CLIENT that gave up ends earlier when its SERVER gets fast enough", () => {
    const plan = planOf(
      traceFromText(`
        shop root     |--------------|          server
          shop call    |----------|             client error
            pay post    |------------------|    server`),
    );
    expect(columnsAfter(plan)).toEqual([15]);
    expect(columnsAfter(plan, time("pay", "post", 0.9))).toEqual([15]);
    // 1 to send, 19 · 4/19 = 4 of work, 1 assumed for the way back: the call takes 6 instead of 11.
    expect(columnsAfter(plan, time("pay", "post", 4 / 19))[0]).toBeCloseTo(10, 9);
  });

  test("a SERVER that ends a little after its CLIENT was not given up", () => {
    const plan = planOf(
      traceFromText(`
        shop root     |------------|          server
          shop call    |---------|            client
            pay post    |---------|           server`),
    );
    // The CLIENT keeps ending 1 before its SERVER: 1 + 10 · 0.5 - 1.
    expect(columnsAfter(plan, time("pay", "post", 0.5))).toEqual([13 - 5]);
  });

  test("of a race the winner counts, and the loser when it becomes the winner", () => {
    const plan = planOf(
      traceFromText(
        repeated(
          `
        shop root     |------------|
          a ask        |--------|
          a ask        |-----------------|`,
          6,
        ),
      ),
    );
    expect(columnsAfter(plan)[0]).toBe(13);
    expect(columnsAfter(plan, time("a", "ask", 0.5))[0]).toBe(13 - 4.5);
    expect(columnsAfter(plan, time("a", "ask", 2))[0]).toBe(13 + 9);
  });

  test("a worker pool of two starts the next call when a place is free", () => {
    const plan = planOf(
      traceFromText(
        repeated(
          `
        shop root    |-------------------|
          a slow     |-----------|
          shop get   |-----|                client
          shop get   |-------|              client
          shop get         |-----|          client
          shop get           |-----|        client`,
          6,
        ),
      ),
    );
    // Doubled: 12 and 16, then 12 + 12 = 24 and 16 + 12 = 28; the tail of 6 stays.
    expect(columnsAfter(plan, time("shop", "get", 2))[0]).toBe(28 + 6);
    expect(columnsAfter(plan, time("shop", "get", 0.5))[0]).toBe(12 + 6);
  });

  test("parallel: own time stays in sequence, calls overlap, what is no call keeps its place", () => {
    const plan = planOf(
      traceFromText(`
        shop root    |--------------------------|
          shop A      |-----|                     client
          shop B             |--------|           client
          shop sum                     |--|      `),
    );
    // A 1–7; B one column after A's start, 2–11; sum right behind B, 3 long; tail 2.
    const change: Change = { kind: "parallel", service: "shop", operation: "root" };
    expect(columnsAfter(plan, change)).toEqual([27 - (17 - 11) + 0]);
    expect(columnsAfter(plan, change, time("shop", "A", 3))).toEqual([27 - (17 - 11) + (19 - 11)]);
  });

  test("timeout cuts the call, what follows stays", () => {
    const plan = planOf(
      traceFromText(
        `
        shop root    |------------------|
          shop A      |--------|            client
          shop B                |--|        client`,
        { unitNs: 1_000_000 },
      ),
    );
    const edits = noEdits(plan);
    applyChange(plan, edits, { kind: "timeout", service: "shop", operation: "A", timeoutMs: 4 }, { seed: 1 });
    expect(replay(plan, edits)[0]).toBe(14e6);
  });
});

/** Random traces: any tree, any times, of few operations so that the model finds patterns in them. */
const randomTable = fc
  .array(
    fc.record({
      parent: fc.nat(),
      trace: fc.integer({ min: 1, max: 4 }),
      start: fc.integer({ min: -3000, max: 60_000 }),
      length: fc.oneof(fc.integer({ min: 0, max: 40_000 }), fc.integer({ min: 0, max: 1500 })),
      name: fc.constantFrom("a", "b", "c"),
      kind: fc.constantFrom(1, 1, 2, 3, 3, 4, 5),
      failed: fc.boolean(),
    }),
    { minLength: 1, maxLength: 60 },
  )
  .map((spans) => {
    const rows: SpanRow[] = [];
    const ofTrace = new Map<number, number[]>();
    spans.forEach((span, i) => {
      const earlier = ofTrace.get(span.trace) ?? [];
      ofTrace.set(span.trace, earlier);
      const up = earlier.length === 0 ? undefined : rows[earlier[span.parent % earlier.length]!]!;
      const startNs = (up?.startNs ?? 0) + Math.floor(span.start / (1 + earlier.length / 4));
      rows.push({
        trace: span.trace,
        id: i + 1,
        parent: up?.id ?? 0,
        startNs,
        endNs: startNs + (up === undefined ? span.length * 3 : span.length),
        kind: span.kind,
        service: "s",
        name: span.name,
      });
      earlier.push(i);
    });
    const table = spansFromRows(rows);
    spans.forEach((span, i) => (table.status[i] = span.failed ? 2 : 0));
    return table;
  });

const randomChange = fc
  .tuple(fc.constantFrom("a", "b", "c"), fc.nat(7), fc.double({ min: 0, max: 1, noNaN: true }))
  .map(([operation, kind, x]): Change => {
    const at = { service: "s", operation };
    const changes: Change[] = [
      { kind: "time", ...at, factor: x },
      { kind: "remove", ...at },
      { kind: "cache", ...at, hitRatio: x },
      { kind: "parallel", ...at },
      { kind: "retries", ...at, retries: Math.floor(3 * x) },
      { kind: "timeout", ...at, timeoutMs: 0.001 + x / 50 },
      { kind: "time", ...at, factor: x * x },
      { kind: "batch", ...at },
    ];
    return changes[kind]!;
  });

describe("laws", () => {
  test("without a change every start and end is reproduced bit for bit", () => {
    fc.assert(
      fc.property(randomTable, (table) => {
        const plan = planOf(table);
        const edits = noEdits(plan);
        const { startNs, endNs } = absoluteTimes(plan, edits, replaySpans(plan, edits));
        for (let at = 0; at < plan.count; at++) {
          expect(startNs[at]).toBe(plan.forest.startNs[plan.row[at]!]);
          expect(endNs[at]).toBe(plan.forest.endNs[plan.row[at]!]);
        }
      }),
      { numRuns: 500, seed: 1 },
    );
  });

  test("a factor of 1, a cache without hits, unlimited retries and an endless timeout change nothing", () => {
    fc.assert(
      fc.property(randomTable, fc.constantFrom("a", "b", "c"), (table, operation) => {
        const plan = planOf(table);
        const at = { service: "s", operation };
        const edits = noEdits(plan);
        applyChange(plan, edits, { kind: "time", ...at, factor: 1 }, { seed: 1 });
        applyChange(plan, edits, { kind: "cache", ...at, hitRatio: 0 }, { seed: 1 });
        applyChange(plan, edits, { kind: "retries", ...at, retries: 1e6 }, { seed: 1 });
        applyChange(plan, edits, { kind: "timeout", ...at, timeoutMs: 1e6 }, { seed: 1 });
        expect(replay(plan, edits)).toEqual(replay(plan, noEdits(plan)));
      }),
      { numRuns: 200, seed: 2 },
    );
  });

  test("less work never makes a trace slower, whatever else is changed", () => {
    fc.assert(
      fc.property(randomTable, fc.array(randomChange, { maxLength: 3 }), randomChange, (table, before, change) => {
        fc.pre(change.kind !== "batch" && before.every((b) => b.kind !== "batch"));
        const plan = planOf(table);
        const edits = noEdits(plan);
        for (const b of before) applyChange(plan, edits, b, { seed: 1 });
        const slow = replay(plan, edits);
        applyChange(plan, edits, change, { seed: 1 });
        const fast = replay(plan, edits);
        for (let t = 0; t < slow.length; t++) expect(fast[t]!).toBeLessThanOrEqual(slow[t]! * (1 + 1e-12) + 1e-6);
      }),
      { numRuns: 1000, seed: 3 },
    );
  });

  test("changes may be written in any order", () => {
    fc.assert(
      fc.property(randomTable, fc.array(randomChange, { minLength: 2, maxLength: 4 }), (table, changes) => {
        const plan = planOf(table);
        const run = (list: Change[]): Float64Array => {
          const edits = noEdits(plan);
          for (const change of list) applyChange(plan, edits, change, { seed: 7 });
          return replay(plan, edits);
        };
        const forth = run(changes);
        const back = run(changes.toReversed());
        for (let t = 0; t < forth.length; t++) expect(back[t]!).toBeCloseTo(forth[t]!, 6);
      }),
      { numRuns: 500, seed: 4 },
    );
  });

  test("clocks of another unit: all times times 8 gives all predictions times 8", () => {
    fc.assert(
      fc.property(randomTable, fc.array(randomChange, { maxLength: 3 }), (table, changes) => {
        // The tolerance is 1 µs whatever the unit: times that fall within it are left out of the law.
        const round = (ns: number): number => 8000 * Math.floor(ns / 8000);
        const small = {
          ...table,
          startOffsetNs: table.startOffsetNs.map(round),
          endOffsetNs: table.endOffsetNs.map(round),
        };
        const big = {
          ...table,
          startOffsetNs: small.startOffsetNs.map((ns) => 8 * ns),
          endOffsetNs: small.endOffsetNs.map((ns) => 8 * ns),
        };
        const run = (spans: SpanTable, unit: number): Float64Array => {
          const plan = planOf(spans);
          const edits = noEdits(plan);
          for (const change of changes) {
            const scaled = change.kind === "timeout" ? { ...change, timeoutMs: unit * change.timeoutMs } : change;
            applyChange(plan, edits, scaled, { seed: 3 });
          }
          return replay(plan, edits);
        };
        const one = run(small, 1);
        const eight = run(big, 8);
        for (let t = 0; t < one.length; t++) expect(eight[t]!).toBeCloseTo(8 * one[t]!, 5);
      }),
      { numRuns: 300, seed: 5 },
    );
  });
});
