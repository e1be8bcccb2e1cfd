import { describe, expect, test } from "vitest";
import { SpanFlag, type TraceForest } from "../model/trace-forest.ts";
import { unixNs } from "../model/units.ts";
import { spansFromRows, type SpanRow } from "../testing/spans-from-rows.ts";
import { startGranularity } from "./clock-granularity.ts";
import { describeSpans } from "./span-facts.ts";
import { assembleTraces } from "./trace-assembly.ts";

const MS = 1e6;

/** As `Date.now()` and `performance.now()` write a span: the start cut to whole milliseconds, the duration whole. */
const recorded = (row: SpanRow): SpanRow => {
  const cut = Math.floor(row.startNs / MS) * MS;
  return { ...row, startNs: cut, endNs: cut + (row.endNs - row.startNs) };
};

/** Root spans on the same clock, so that there is enough to judge it by; none is related to trace 1. */
const others = (durationNs: number): SpanRow[] =>
  Array.from({ length: 30 }, (_, i) => ({
    trace: 100 + i,
    id: 1,
    parent: 0,
    startNs: i * 7 * MS,
    endNs: i * 7 * MS + durationNs,
  }));

/** Base times are whole milliseconds in `spansFromRows`. */
function assembled(rows: readonly SpanRow[]): TraceForest {
  const spans = spansFromRows(rows);
  return assembleTraces(spans, describeSpans(spans));
}

const times = ({ startNs, endNs }: TraceForest, row: number): [number, number] => [
  startNs[row]! / MS,
  endNs[row]! / MS,
];

describe("starts cut to whole milliseconds", () => {
  test("a loop of short calls runs one after the other again, each at the earliest", () => {
    // ten calls of 0.3 ms, from 2.1 ms on: their recorded starts are 2, 2, 2, 3, 3, 3, 3, 4, 4, 4
    const calls = Array.from({ length: 10 }, (_, i): SpanRow => ({
      trace: 1,
      id: 2 + i,
      parent: 1,
      startNs: 2.1 * MS + i * 0.3 * MS,
      endNs: 2.4 * MS + i * 0.3 * MS,
    }));
    const forest = assembled(
      [{ trace: 1, id: 1, parent: 0, startNs: 0, endNs: 6.5 * MS }, ...calls, ...others(1.7 * MS)].map(recorded),
    );
    const settled = calls.map((_, i) => times(forest, 1 + i));
    settled.forEach(([start, end], i) => {
      expect(end - start).toBeCloseTo(0.3, 9);
      if (i > 0) expect(start).toBeGreaterThanOrEqual(settled[i - 1]![1]! - 1e-9);
      // never further than the clock can have cut off
      expect(start).toBeLessThan(Math.floor(2.1 + 0.3 * i) + 1);
    });
    expect(settled.slice(0, 4).map(([start]) => Math.round(start * 10) / 10)).toEqual([2, 2.3, 2.6, 3]);
    expect(forest.flags[2]! & SpanFlag.clockShifted).toBe(SpanFlag.clockShifted);
    expect(forest.flags[1]! & SpanFlag.clockShifted).toBe(0);
  });

  test("calls of a program keep its order, whatever the order of rows and ids", () => {
    // Three times a connection and a query, 0.25 ms each, from another part of the millisecond in each of 200 traces.
    const traces = Array.from({ length: 200 }, (_, t) => {
      const start = (10 * t + 0.4 + ((t * 37) % 100) / 100) * MS;
      const calls = Array.from({ length: 6 }, (_, i): SpanRow => ({
        trace: t + 1,
        // The later, the lower the id.
        id: 8 - i,
        parent: 1,
        name: i % 2 === 0 ? "connect" : "query",
        startNs: start + (0.1 + 0.25 * i) * MS,
        endNs: start + (0.1 + 0.25 * (i + 1)) * MS,
      }));
      return [{ trace: t + 1, id: 1, parent: 0, startNs: start, endNs: start + 2.5 * MS }, ...calls.toReversed()];
    });
    const forest = assembled(traces.flat().map(recorded));
    let inOrder = 0;
    traces.forEach((rows, t) => {
      // Rows of the calls, in the order in which they were made.
      const made = Array.from({ length: 6 }, (_, i) => t * rows.length + 6 - i);
      if (made.every((row, i) => i === 0 || forest.startNs[made[i - 1]!]! <= forest.startNs[row]!)) inOrder++;
    });
    expect(inOrder).toBeGreaterThanOrEqual(190);
  });

  test("calls that truly ran together stay together", () => {
    const calls = [0, 0.2, 0.4].map((at, i): SpanRow => ({
      trace: 1,
      id: 2 + i,
      parent: 1,
      startNs: (3 + at) * MS,
      endNs: (13.25 + at) * MS,
    }));
    const forest = assembled(
      [{ trace: 1, id: 1, parent: 0, startNs: 0, endNs: 20.5 * MS }, ...calls, ...others(1.7 * MS)].map(recorded),
    );
    expect(calls.map((_, i) => times(forest, 1 + i))).toEqual([
      [3, 13.25],
      [3, 13.25],
      [3, 13.25],
    ]);
  });

  test("of another process nothing is moved", () => {
    const forest = assembled(
      [
        { trace: 1, id: 1, parent: 0, startNs: 0, endNs: 6.5 * MS, host: "a" },
        { trace: 1, id: 2, parent: 1, startNs: 2 * MS, endNs: 2.3 * MS, host: "b" },
        { trace: 1, id: 3, parent: 1, startNs: 2 * MS, endNs: 2.3 * MS, host: "b" },
        ...others(1.7 * MS).flatMap((row) => [
          { ...row, host: "a" },
          { ...row, trace: row.trace + 100, host: "b" },
        ]),
      ].map(recorded),
    );
    expect([times(forest, 1), times(forest, 2)]).toEqual([
      [2, 2.3],
      [2, 2.3],
    ]);
  });
});

describe("which clocks are judged to cut", () => {
  const granularity = (rows: readonly SpanRow[], shiftNs = 0n): number => {
    const spans = spansFromRows(rows);
    const moved = { ...spans, baseUnixNs: unixNs(spans.baseUnixNs + shiftNs) };
    const all = new Set(startGranularity(moved, describeSpans(moved)));
    expect(all.size).toBe(1);
    return [...all][0]!;
  };

  test.each([
    ["whole starts, fine durations", others(1.7 * MS), MS],
    ["whole starts, whole durations: nothing is known to be cut off", others(2 * MS), 0],
    ["fine starts", others(1.7 * MS).map((row) => ({ ...row, startNs: row.startNs + row.trace * 1000 })), 0],
    ["too few to judge by", others(1.7 * MS).slice(0, 19), 0],
  ])("%s", (_, rows, expected) => {
    expect(granularity(rows)).toBe(expected);
  });

  test("whole milliseconds count since 1970, not since the table's time zero", () => {
    expect(granularity(others(1.7 * MS), 250_000n)).toBe(0);
    const early = others(1.7 * MS).map((row) => ({
      ...row,
      startNs: row.startNs - 250_000,
      endNs: row.endNs - 250_000,
    }));
    expect(granularity(early, 250_000n)).toBe(MS);
  });
});
