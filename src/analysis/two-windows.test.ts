import fc from "fast-check";
import { expect, test } from "vitest";
import { exponential } from "../testing/distributions.ts";
import { momentsOf, welchTest } from "./hypothesis-tests.ts";
import { Random } from "./random.ts";
import { compareWindows, type TraceWindow, type WindowComparison } from "./two-windows.ts";

interface Trace {
  readonly group: number;
  readonly weight?: number;
  readonly blame: readonly (readonly [column: number, ns: number])[];
}

function windowOf(traces: readonly Trace[]): TraceWindow {
  const rowStart = new Int32Array(traces.length + 1);
  traces.forEach((t, i) => (rowStart[i + 1] = rowStart[i]! + t.blame.length));
  const cells = traces.flatMap((t) => t.blame);
  return {
    group: Int32Array.from(traces, (t) => t.group),
    weights: Float64Array.from(traces, (t) => t.weight ?? 1),
    blame: {
      rowStart,
      column: Int32Array.from(cells, (c) => c[0]),
      value: Float64Array.from(cells, (c) => c[1]),
      columnCount: 100,
    },
  };
}

function compared(a: readonly Trace[], b: readonly Trace[]): WindowComparison {
  const result = compareWindows(windowOf(a), windowOf(b));
  if (result.kind !== "comparison") throw new Error(result.kind);
  return result;
}

const times = (n: number, group: number, ...blame: [number, number][]): Trace[] =>
  Array.from({ length: n }, () => ({ group, blame }));

test("by hand: more of the dear endpoint, which also got slower in one path", () => {
  // A: 3 x endpoint 0 at 10, 1 x endpoint 1 at 50 (20 + 30): mean 20.
  // B: 2 x endpoint 0 at 10, 2 x endpoint 1 at 70 (20 + 50): mean 40. Change 20.
  const a = [...times(3, 0, [1, 10]), ...times(1, 1, [2, 20], [3, 30])];
  const b = [...times(2, 0, [1, 10]), ...times(2, 1, [2, 20], [3, 50])];
  const result = compared(a, b);
  expect(result.change).toBe(20);
  // slowdown: (1/4 + 1/2) / 2 x 20 = 7.5; mix: 1/4 x (60 - 30) - 1/4 x (10 - 30) = 12.5
  expect(result.slowdown).toBe(7.5);
  expect(result.mix).toBe(12.5);
  expect(result.columns.map((c) => [c.column, c.slowdown])).toEqual([
    [3, 7.5],
    [1, 0],
    [2, 0],
  ]);
  expect(result.groups[0]).toMatchObject({
    group: 1,
    shareA: 0.25,
    shareB: 0.5,
    meanA: 50,
    meanB: 70,
    mix: 7.5,
    slowdown: 7.5,
  });
});

test("by hand: an endpoint that is new is all mix", () => {
  const result = compared(times(4, 0, [1, 10]), [...times(3, 0, [1, 10]), ...times(1, 1, [2, 90])]);
  expect(result.change).toBe(20);
  expect(result.mix).toBe(20);
  expect(result.slowdown).toBe(0);
  expect(result.groups[0]!.group).toBe(1);
  expect(result.groups[0]!.meanA).toBeNaN();
});

const traceArb: fc.Arbitrary<Trace> = fc.record({
  group: fc.integer({ min: 0, max: 4 }),
  weight: fc.integer({ min: 1, max: 50 }),
  blame: fc.array(fc.tuple(fc.integer({ min: 0, max: 6 }), fc.integer({ min: 0, max: 1e9 })), { maxLength: 6 }),
});
const tracesArb = fc.array(traceArb, { minLength: 2, maxLength: 30 });

test("property: mix + slowdown = change, groups and columns add up, to 1e-12 of the means", () => {
  fc.assert(
    fc.property(tracesArb, tracesArb, (a, b) => {
      const r = compared(a, b);
      const close = (x: number, y: number) => expect(Math.abs(x - y)).toBeLessThanOrEqual(1e-12 * (r.meanA + r.meanB));
      close(r.mix + r.slowdown, r.change);
      close(
        r.columns.reduce((sum, c) => sum + c.slowdown, 0),
        r.slowdown,
      );
      close(
        r.groups.reduce((sum, g) => sum + g.mix + g.slowdown, 0),
        r.change,
      );
    }),
  );
});

test("property: swapping the windows turns every sign", () => {
  fc.assert(
    fc.property(tracesArb, tracesArb, (a, b) => {
      const forth = compared(a, b);
      const back = compared(b, a);
      const scale = 1e-12 * (forth.meanA + forth.meanB);
      expect(Math.abs(forth.mix + back.mix)).toBeLessThanOrEqual(scale);
      expect(Math.abs(forth.slowdown + back.slowdown)).toBeLessThanOrEqual(scale);
    }),
  );
});

test("property: the same window twice changes nothing", () => {
  fc.assert(
    fc.property(tracesArb, (a) => {
      const r = compared(a, a);
      expect(r.change).toBe(0);
      for (const c of r.columns) expect(c.slowdown).toBe(0);
    }),
  );
});

test("one group, unit weights: the p-value is Welch's", () => {
  const x = Float64Array.of(0.8, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46);
  const y = Float64Array.of(1.15, 0.88, 0.9, 0.74, 1.21);
  const result = compared(
    Array.from(x, (v) => ({ group: 0, blame: [[1, v]] })),
    Array.from(y, (v) => ({ group: 0, blame: [[1, v]] })),
  );
  expect(result.columns[0]!.pValue).toBeCloseTo(welchTest(momentsOf(x), momentsOf(y)), 10);
});

test("only the column that slowed is significant; 30 others stay below the false discovery rate", () => {
  const random = new Random(1);
  const draw = (slower: number): Trace[] =>
    Array.from({ length: 400 }, (_, i) => ({
      group: i % 3,
      blame: Array.from({ length: 31 }, (_, c): [number, number] => [c, exponential(random, c === 7 ? slower : 10)]),
    }));
  const result = compared(draw(10), draw(14));
  expect(result.columns[0]!.column).toBe(7);
  expect(result.columns.filter((c) => c.qValue <= 0.05).map((c) => c.column)).toEqual([7]);
});

test("false discoveries without any change: 200 runs of 10 columns, 10 expected, 99.9 % bound 21", () => {
  const random = new Random(2);
  let alarms = 0;
  const draw = (): Trace[] =>
    Array.from({ length: 100 }, () => ({
      group: random.below(2),
      blame: Array.from({ length: 10 }, (_, c): [number, number] => [c, exponential(random, 10)]),
    }));
  for (let i = 0; i < 200; i++) if (compared(draw(), draw()).columns.some((c) => c.qValue <= 0.05)) alarms++;
  expect(alarms).toBeLessThanOrEqual(21);
});

test("a window of one trace is too little", () => {
  expect(compareWindows(windowOf(times(1, 0)), windowOf(times(5, 0)))).toEqual({
    kind: "insufficient-data",
    have: 1,
    need: 2,
  });
});
