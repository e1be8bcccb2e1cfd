import { expect, test } from "vitest";
import { otlpTraceLines } from "../../formats/write-otlp-traces-json.ts";
import { weightOfTraceState } from "../../analysis/trace-weights.ts";
import { SpanGatherer } from "../../model/span-gatherer.ts";
import { traceIdHex, type SpanTable } from "../../model/span-table.ts";
import { spansFromRows, type SpanRow } from "../../testing/spans-from-rows.ts";
import { BlockCache, MINUTE_NS, missingRuns, type Block } from "./block-cache.ts";
import { readWindow, shareWithin, type WindowReader } from "./read-window.ts";

/** Base of the tables below: an odd place within a minute. */
const T0 = 1_790_000_000_000_000_000n;
const S = 1_000_000_000;

/** A store that holds a table: ranges by start, traces by the low bits of their ids, ordered as the real one orders. */
function storeOf(tables: () => SpanTable): WindowReader["store"] & { reads: number } {
  const store: WindowReader["store"] & { reads: number } = {
    reads: 0,
    readSpans: async (range, options = {}) => {
      store.reads++;
      const table = tables();
      const share = options.traceShare ?? 1;
      const rows = Array.from({ length: table.rowCount }, (_, row) => row).filter((row) => {
        const start = table.baseUnixNs + BigInt(table.startOffsetNs[row]!);
        // Spread, so that neighbours in number are not neighbours in the draw.
        const drawn = ((table.traceId[4 * row + 3]! * 0x9e3779b1) >>> 0) / 2 ** 32 < share;
        return start >= range.fromUnixNs && start < range.toUnixNs && drawn;
      });
      rows.sort((a, b) =>
        traceIdHex(table, a) < traceIdHex(table, b)
          ? -1
          : traceIdHex(table, a) > traceIdHex(table, b)
            ? 1
            : table.startOffsetNs[a]! - table.startOffsetNs[b]!,
      );
      const gatherer = new SpanGatherer();
      const source = gatherer.source(table);
      for (const row of rows) source.add(row);
      return gatherer.finish().table;
    },
    spansIn: async (range) => (await store.red(range)).reduce((sum, { count }) => sum + count, 0),
    red: async (range) => {
      const table = tables();
      const counts = new Map<bigint, number>();
      for (let row = 0; row < table.rowCount; row++) {
        const start = table.baseUnixNs + BigInt(table.startOffsetNs[row]!);
        if (start < range.fromUnixNs || start >= range.toUnixNs) continue;
        const minute = (start / MINUTE_NS) * MINUTE_NS;
        counts.set(minute, (counts.get(minute) ?? 0) + 1);
      }
      return [...counts].map(([startUnixNs, count]) => ({
        startUnixNs,
        count,
        service: "s",
        operation: "",
        kind: 2,
        errors: 0,
        sumNs: 0,
        p50Ns: 0,
        p95Ns: 0,
        p99Ns: 0,
      }));
    },
  };
  return store;
}

/** A trace each second: a root of 200 ms and a call that starts 100 ms later; some are minutes long. */
function traffic(seconds: number): SpanRow[] {
  return Array.from({ length: seconds }, (_, i): SpanRow[] => {
    const start = i * S;
    return [
      { trace: i + 1, id: 2 * i + 1, parent: 0, startNs: start, endNs: start + 0.2 * S, name: "GET /a" },
      {
        trace: i + 1,
        id: 2 * i + 2,
        parent: 2 * i + 1,
        startNs: start + 0.1 * S,
        endNs: start + 0.15 * S,
        name: "call",
      },
    ];
  }).flat();
}

function readerOf(
  rows: readonly SpanRow[],
  options: { budget?: number; now?: number } = {},
): WindowReader & { store: { reads: number } } {
  const table = spansFromRows(rows);
  return {
    store: storeOf(() => table),
    cache: new BlockCache(1_000_000),
    rows: {},
    budget: options.budget ?? 1_000_000,
    operations: [],
    nowUnixNs: () => T0 + BigInt((options.now ?? 10_000) * S),
  };
}

const range = (from: number, to: number) => ({ fromUnixNs: T0 + BigInt(from * S), toUnixNs: T0 + BigInt(to * S) });
const traces = (table: SpanTable): number[] => [
  ...new Set(Array.from({ length: table.rowCount }, (_, row) => table.traceId[4 * row + 3]!)),
];
const text = (table: SpanTable): string => [...otlpTraceLines(table)].join("");

test("a window has the traces that begin in it, with all of their spans", async () => {
  const rows: SpanRow[] = [
    ...traffic(300),
    // Begins just before the window, and goes on in it.
    { trace: 9001, id: 9001, parent: 0, startNs: 99.95 * S, endNs: 101 * S },
    { trace: 9001, id: 9002, parent: 9001, startNs: 100.5 * S, endNs: 100.6 * S },
    // Begins in the window and goes on behind it.
    { trace: 9002, id: 9003, parent: 0, startNs: 199.95 * S, endNs: 230 * S },
    { trace: 9002, id: 9004, parent: 9003, startNs: 229 * S, endNs: 229.5 * S },
  ];
  const { spans, share, spansInWindow } = await readWindow(readerOf(rows), range(100, 200));
  expect(share).toBe(1);
  expect(traces(spans)).toEqual([...Array.from({ length: 100 }, (_, i) => i + 101), 9002]);
  expect(spans.rowCount).toBe(202);
  expect(spansInWindow).toBe(202);
});

test("a window that moved on reads what is new only, and answers as if it had read all", async () => {
  const rows = traffic(3000);
  const reader = readerOf(rows, { now: 1900 });
  const first = await readWindow(reader, range(600, 1500));
  expect(first.spansRead).toBeGreaterThanOrEqual(first.spans.rowCount);
  const next = await readWindow(reader, range(660, 1560));
  // One more minute of 60 traces, and the minutes around it that were not settled.
  expect(next.spansRead).toBeLessThanOrEqual(2 * 60 * 2);
  const fresh = await readWindow(readerOf(rows, { now: 1900 }), range(660, 1560));
  expect(text(next.spans)).toBe(text(fresh.spans));
  expect(traces(next.spans)).toEqual(Array.from({ length: 900 }, (_, i) => i + 661));
});

test("a window that moves on for long is gathered anew now and then, and stays right", async () => {
  const rows = traffic(3000);
  const reader = readerOf(rows, { now: 4000 });
  const tables = new Set<object>();
  for (let from = 60; from < 2000; from += 130) {
    const { spans } = await readWindow(reader, range(from, from + 300));
    expect(text(spans)).toBe(text((await readWindow(readerOf(rows, { now: 4000 }), range(from, from + 300))).spans));
    tables.add(reader.rows.held!);
  }
  expect(tables.size).toBeGreaterThan(1);
  expect(tables.size).toBeLessThan(12);
});

test("spans that last for longer than one table can tell are left out, and the others stay", async () => {
  const rows = traffic(300);
  const years = { trace: 150, id: 90_000, parent: 299, startNs: 149.1 * S, endNs: 1e17 };
  const reader = readerOf([...rows, years]);
  const { spans } = await readWindow(reader, range(100, 200));
  expect(text(spans)).toBe(text((await readWindow(readerOf(rows), range(100, 200))).spans));
});

test("what comes late makes its minutes be read again", async () => {
  let table = spansFromRows(traffic(1000));
  const reader: WindowReader = { ...readerOf([]), store: storeOf(() => table) };
  const before = await readWindow(reader, range(300, 600));
  table = spansFromRows([...traffic(1000), { trace: 5000, id: 90_001, parent: 0, startNs: 400.5 * S, endNs: 401 * S }]);
  const after = await readWindow(reader, range(300, 600));
  expect(after.spans.rowCount).toBe(before.spans.rowCount + 1);
  expect(traces(after.spans)).toContain(5000);
});

test("the same window again is answered from memory", async () => {
  const reader = readerOf(traffic(600));
  await readWindow(reader, range(120, 300));
  const { reads } = reader.store;
  const again = await readWindow(reader, range(120, 300));
  expect(reader.store.reads).toBe(reads);
  expect(again.spansRead).toBe(0);
});

test("too many spans are thinned to whole traces that say how many they stand for", async () => {
  const { spans, share } = await readWindow(readerOf(traffic(4000), { budget: 1000 }), range(0, 3600));
  expect(share).toBe(1 / 8);
  const ids = traces(spans);
  expect(spans.rowCount).toBe(2 * ids.length);
  for (const id of new Set(spans.traceState)) expect(weightOfTraceState(spans.strings.get(id))).toBe(8);
  // 3,600 traces at 1/8: 450, give or take 4 standard deviations of 20.
  expect(Math.abs(ids.length - 450)).toBeLessThan(80);
});

test("operations are named as the rules say, of the service that they name", async () => {
  const rows = traffic(100).map((row, i) => ({ ...row, name: row.parent === 0 ? `GET /users/${i}` : row.name! }));
  const reader = {
    ...readerOf(rows),
    operations: [
      { service: "other", match: ".*", name: "wrong" },
      { service: "service", match: "^GET /users/\\d+$", name: "GET /users/:id" },
    ],
  };
  const { spans } = await readWindow(reader, range(0, 100));
  expect(new Set(Array.from(spans.name, (id) => spans.strings.get(id)))).toEqual(new Set(["GET /users/:id", "call"]));
});

test("the share is the largest power of a half within the budget", () => {
  expect([0, 100, 101, 200, 201, 1600].map((total) => shareWithin(total, 100))).toEqual([1, 1, 0.5, 0.5, 0.25, 1 / 16]);
});

test("runs of minutes that are missing: settled ones together, the others each alone", () => {
  const block = (from: number, to: number): Block => ({
    fromMinute: BigInt(from),
    toMinute: BigInt(to),
    share: 1,
    counts: new Map(),
    table: spansFromRows([]),
  });
  const runs = (from: number, to: number, blocks: Block[], settled: number) =>
    missingRuns(BigInt(from), BigInt(to), blocks, BigInt(settled)).map((run) => [
      Number(run.fromMinute),
      Number(run.toMinute),
    ]);
  expect(runs(0, 10, [], 20)).toEqual([[0, 10]]);
  expect(runs(0, 10, [], 7)).toEqual([
    [0, 7],
    [7, 8],
    [8, 9],
    [9, 10],
  ]);
  expect(runs(0, 10, [block(2, 5)], 20)).toEqual([
    [0, 2],
    [5, 10],
  ]);
  expect(runs(0, 10, [block(0, 10)], 20)).toEqual([]);
  expect(runs(3, 10, [block(0, 5), block(6, 7)], 8)).toEqual([
    [5, 6],
    [7, 8],
    [8, 9],
    [9, 10],
  ]);
});
