import { describe, expect, test } from "vitest";
import type { PageTrace } from "../../model/page.ts";
import { drawnRows, timeLedger, traceShape } from "./trace-rows.ts";

const trace = (parent: readonly number[], startMs: readonly number[]): PageTrace => ({
  traceId: "t",
  endpoint: 0,
  role: "slow",
  startUnixNs: "0",
  durationMs: 10,
  complete: true,
  strings: ["s"],
  spanId: parent.map(String),
  parent,
  service: parent.map(() => 0),
  operation: parent.map(() => 0),
  kind: parent.map(() => 0),
  error: parent.map(() => 0),
  startMs,
  durationsMs: parent.map(() => 1),
  attributes: parent.map(() => []),
  path: [
    [0, 0, 2, "cpu"],
    [1, 2, 9, "callee"],
    [0, 9, 10, "cpu"],
  ],
});

describe("rows of a waterfall", () => {
  // 0 has 1 (at 5 ms) and 2 (at 1 ms); 2 has 3.
  const held = trace([-1, 0, 0, 2], [0, 5, 1, 2]);

  test("depth first, children by start", () => {
    const shape = traceShape(held);
    expect([...drawnRows(shape, new Set())]).toEqual([0, 2, 3, 1]);
    expect([...shape.depth]).toEqual([0, 1, 1, 2]);
    expect([...shape.below]).toEqual([3, 0, 1, 0]);
  });

  test("what lies below a collapsed span is not drawn", () => {
    expect([...drawnRows(traceShape(held), new Set([2]))]).toEqual([0, 2, 1]);
    expect([...drawnRows(traceShape(held), new Set([0]))]).toEqual([0]);
  });

  test("200,000 spans, each below the one before", () => {
    const count = 200_000;
    const deep = trace(
      Array.from({ length: count }, (_, i) => i - 1),
      Array.from({ length: count }, (_, i) => i),
    );
    expect(drawnRows(traceShape(deep), new Set()).length).toBe(count);
  });

  test("the ledger of the request, and of a span", () => {
    expect(timeLedger(held)).toEqual([
      { timeKind: "callee", ms: 7, sampledMs: 0 },
      { timeKind: "cpu", ms: 3, sampledMs: 0 },
    ]);
    expect(timeLedger(held, 1)).toEqual([{ timeKind: "callee", ms: 7, sampledMs: 0 }]);
    expect(timeLedger(held, 3)).toEqual([]);
  });

  test("what samples show of a stretch is of their kinds, the rest stays unexplained", () => {
    const path: PageTrace["path"] = [
      [0, 0, 2, "unexplained"],
      [1, 2, 9, "callee"],
      [0, 9, 10, "unexplained"],
    ];
    const sampled: PageTrace["sampled"] = [
      [0, "cpu", "span-id", 1.5],
      [2, "cpu", "span-id", 0.25],
      [2, "lock", "thread-time", 0.75],
    ];
    expect(timeLedger({ ...held, path, sampled })).toEqual([
      { timeKind: "callee", ms: 7, sampledMs: 0 },
      { timeKind: "cpu", ms: 1.75, sampledMs: 1.75 },
      { timeKind: "lock", ms: 0.75, sampledMs: 0.75 },
      { timeKind: "unexplained", ms: 0.5, sampledMs: 0 },
    ]);
    expect(timeLedger({ ...held, path, sampled }, 1)).toEqual([{ timeKind: "callee", ms: 7, sampledMs: 0 }]);
  });
});
