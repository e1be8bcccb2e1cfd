import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Temporality, type MetricTable } from "../model/metric-table.ts";
import { counterOf, metricTableOf, type PointObject } from "../testing/metric-table.ts";
import { counterRate, gaugeSignal, type CounterRate } from "./counter-rates.ts";
import { distributionSeries } from "./distribution-series.ts";
import { indexSeries, pointsOf, spacingNs } from "./metric-series.ts";
import { integral, onGrid, type Signal } from "./signal.ts";

const rowsOf = (table: MetricTable): Int32Array => pointsOf(indexSeries(table), 0);
const rateOf = (table: MetricTable): CounterRate =>
  counterRate(table, rowsOf(table), table.temporality[0] as Temporality);
const inSeconds = (table: MetricTable, signal: Signal): number[][] => {
  const zero = table.points.timeOffsetNs[rowsOf(table)[0]!]!;
  const at = (ns: number): number => Math.round((ns - zero) / 1e6) / 1e3;
  return Array.from(signal.value, (value, i) => [at(signal.fromNs[i]!), at(signal.toNs[i]!), value]);
};

describe("order", () => {
  test("points out of order are sorted, of one time the last that came is kept", () => {
    const table = metricTableOf({
      name: "g",
      kind: "gauge",
      points: [
        [20, 2],
        [0, 0],
        [10, 1],
        [10, 7],
      ],
    });
    const index = indexSeries(table);
    expect(Array.from(pointsOf(index, 0), (row) => table.points.value[row])).toEqual([0, 7, 2]);
    expect([index.duplicates, index.unordered]).toEqual([1, 1]);
    expect(spacingNs(table, pointsOf(index, 0))).toBe(10e9);
  });
  test("nothing and one point", () => {
    expect(indexSeries(metricTableOf()).rows.length).toBe(0);
    expect(spacingNs(counterOf([[0, 1]]), rowsOf(counterOf([[0, 1]])))).toBeNaN();
  });
});

describe("counters", () => {
  test("cumulative: increase per second from point to point, over gaps too", () => {
    const table = counterOf([
      [0, 100],
      [10, 150],
      [40, 180],
    ]);
    expect(inSeconds(table, rateOf(table).rate)).toEqual([
      [0, 10, 5],
      [10, 40, 1],
    ]);
  });
  test("a fall is a restart: from the point before, or from the start where it is said", () => {
    const fallen = counterOf([
      [0, 100],
      [10, 150],
      [20, 30],
    ]);
    expect(inSeconds(fallen, rateOf(fallen).rate)).toEqual([
      [0, 10, 5],
      [10, 20, 3],
    ]);
    expect(rateOf(fallen).resets).toBe(1);
    const restarted = counterOf([
      { at: 0, start: -500, value: 100 },
      { at: 10, start: -500, value: 150 },
      { at: 20, start: 15, value: 200 },
    ]);
    // 200 in 5 seconds: more than before, yet a restart.
    expect(inSeconds(restarted, rateOf(restarted).rate)).toEqual([
      [0, 10, 5],
      [15, 20, 40],
    ]);
  });
  test("the first point counts only where its process has just started", () => {
    const fresh = counterOf([
      { at: 0, start: -10, value: 100 },
      { at: 10, start: -10, value: 150 },
    ]);
    expect(inSeconds(fresh, rateOf(fresh).rate)).toEqual([
      [-10, 0, 10],
      [0, 10, 5],
    ]);
  });
  test("a total of the machine goes on when a process begins to tell it, or another one does", () => {
    const told = counterOf([
      { at: 0, start: -1, value: 50_000 },
      { at: 10, start: -1, value: 50_005 },
      { at: 20, start: 11, value: 50_020 },
      { at: 30, start: 11, value: 40 },
      { at: 40, start: 11, value: 45 },
    ]);
    const { rate, resets } = counterRate(told, rowsOf(told), told.temporality[0] as Temporality, undefined, "machine");
    expect(inSeconds(told, rate)).toEqual([
      [0, 10, 0.5],
      [10, 20, 1.5],
      [30, 40, 0.5],
    ]);
    // The fall: the machine itself started anew.
    expect(resets).toBe(1);
  });
  test("a start that moves along with each point is no restart", () => {
    const moving = counterOf([10, 20, 30].map((at) => ({ at, start: at - 100, value: at })));
    expect(rateOf(moving).resets).toBe(0);
  });
  test("deltas: since their start or the point before; negative ones are faults", () => {
    const table = counterOf(
      [
        { at: 10, start: 0, value: 20 },
        { at: 20, value: 5 },
        { at: 30, value: -1 },
        { at: 50, start: 40, value: 30 },
      ],
      "delta",
    );
    expect(inSeconds(table, rateOf(table).rate)).toEqual([
      [-10, 0, 2],
      [0, 10, 0.5],
      [30, 40, 3],
    ]);
    expect(rateOf(table).faults).toBe(1);
  });
  test("NaN and infinities are left out and counted", () => {
    const table = counterOf([
      [0, 1],
      [10, Number.NaN],
      [20, 21],
      [30, Number.POSITIVE_INFINITY],
    ]);
    expect(inSeconds(table, rateOf(table).rate)).toEqual([[0, 20, 1]]);
    expect(rateOf(table).faults).toBe(2);
  });
  test("one point gives no rate", () => {
    expect(rateOf(counterOf([[0, 5]])).rate.value.length).toBe(0);
    expect(rateOf(counterOf([{ at: 0, start: -5, value: 5 }])).rate.value.length).toBe(0);
  });

  const steps = fc.array(fc.tuple(fc.integer({ min: 1, max: 90 }), fc.integer({ min: 0, max: 1000 })), {
    minLength: 2,
    maxLength: 30,
  });
  test("law: the rates times their lengths are the increase", () => {
    fc.assert(
      fc.property(steps, (all) => {
        const points: [number, number][] = [[0, 17]];
        for (const [seconds, more] of all) points.push([points.at(-1)![0] + seconds, points.at(-1)![1] + more]);
        const increase = points.at(-1)![1] - 17;
        expect(integral(rateOf(counterOf(points)).rate)).toBeCloseTo(increase, 5);
        // The same as deltas.
        const deltas = all.map(([, more], i): PointObject => ({
          at: points[i + 1]![0],
          start: points[i]![0],
          value: more,
        }));
        expect(integral(rateOf(counterOf(deltas, "delta")).rate)).toBeCloseTo(increase, 5);
      }),
      { seed: 1, numRuns: 100 },
    );
  });
  test("law: restarts at which nothing is lost change no rate", () => {
    fc.assert(
      fc.property(steps, fc.nat(29), (all, where) => {
        const plain: PointObject[] = [{ at: 0, start: -1e5, value: 17 }];
        for (const [seconds, more] of all)
          plain.push({ at: plain.at(-1)!.at + seconds, start: -1e5, value: plain.at(-1)!.value + more });
        const cut = 1 + (where % (plain.length - 1));
        const { at, value } = plain[cut - 1]!;
        const restarted = plain.map((point, i) =>
          i < cut ? point : { ...point, start: at, value: point.value - value },
        );
        const [a, b] = [counterOf(plain), counterOf(restarted)];
        expect(inSeconds(b, rateOf(b).rate)).toEqual(inSeconds(a, rateOf(a).rate));
      }),
      { seed: 2, numRuns: 100 },
    );
  });
});

describe("gauges and windows", () => {
  test("a value holds since the point before, over a gap only for a while", () => {
    const table = metricTableOf({
      name: "g",
      kind: "gauge",
      points: [
        [0, 1],
        [10, 2],
        [20, 3],
        [100, 4],
      ],
    });
    expect(inSeconds(table, gaugeSignal(table, rowsOf(table), 1e9))).toEqual([
      [-10, 0, 1],
      [0, 10, 2],
      [10, 20, 3],
      [70, 100, 4],
    ]);
  });
  test("mean per window by time; windows of which little is known are NaN", () => {
    const signal = {
      fromNs: Float64Array.of(0, 10, 30),
      toNs: Float64Array.of(10, 20, 40),
      value: Float64Array.of(1, 3, 5),
    };
    expect(Array.from(onGrid(signal, { startNs: 0, stepNs: 20, count: 3 }))).toEqual([2, 5, Number.NaN]);
    expect(Array.from(onGrid(signal, { startNs: 5, stepNs: 10, count: 2 }))).toEqual([2, 3]);
  });
});

describe("distributions", () => {
  const histogram = (points: PointObject[], temporality: "cumulative" | "delta" = "cumulative"): MetricTable =>
    metricTableOf({ name: "h", kind: "histogram", temporality, points });
  const all = (table: MetricTable, quantile: number): { rate: number[][]; mean: number[][]; quantile: number[][] } => {
    const series = distributionSeries(table, 0, rowsOf(table), quantile);
    return {
      rate: inSeconds(table, series.rate),
      mean: inSeconds(table, series.mean),
      quantile: inSeconds(table, series.quantile),
    };
  };
  test("what happened in between, not what a process saw before", () => {
    const table = histogram([
      {
        at: 0,
        value: 1000,
        count: 1000,
        buckets: [
          [1, 1000],
          [2, 0],
          [Number.POSITIVE_INFINITY, 0],
        ],
      },
      {
        at: 10,
        value: 1015,
        count: 1010,
        buckets: [
          [1, 1000],
          [2, 10],
          [Number.POSITIVE_INFINITY, 0],
        ],
      },
    ]);
    // Ten values between 1 and 2: the median at the middle of their bucket.
    expect(all(table, 0.5)).toEqual({ rate: [[0, 10, 1]], mean: [[0, 10, 1.5]], quantile: [[0, 10, 1.5]] });
  });
  test("bounds that change in between, as exponential histograms do when they grow", () => {
    const table = histogram([
      {
        at: 0,
        value: 4,
        count: 4,
        buckets: [
          [1, 0],
          [2, 2],
          [4, 2],
        ],
      },
      {
        at: 10,
        value: 40,
        count: 14,
        buckets: [
          [1, 0],
          [4, 4],
          [16, 10],
        ],
      },
    ]);
    // All four older ones lie at or below 4: what is new lies between 4 and 16.
    expect(all(table, 0.5).quantile).toEqual([[0, 10, 10]]);
  });
  test("after a restart all that is counted is new", () => {
    const table = histogram([
      {
        at: 0,
        start: -100,
        value: 50,
        count: 50,
        buckets: [
          [1, 50],
          [2, 0],
        ],
      },
      {
        at: 10,
        start: 5,
        value: 8,
        count: 5,
        buckets: [
          [1, 0],
          [2, 5],
        ],
      },
    ]);
    expect(all(table, 0.5)).toEqual({ rate: [[5, 10, 1]], mean: [[5, 10, 1.6]], quantile: [[5, 10, 1.5]] });
  });
  test("the last bucket has no upper end but the largest value", () => {
    const open = (max: number): MetricTable =>
      histogram(
        [
          {
            at: 0,
            value: 0,
            count: 0,
            buckets: [
              [1, 0],
              [Number.POSITIVE_INFINITY, 0],
            ],
          },
          {
            at: 10,
            start: 0,
            value: 50,
            count: 10,
            max,
            buckets: [
              [1, 0],
              [Number.POSITIVE_INFINITY, 10],
            ],
          },
        ],
        "delta",
      );
    expect(all(open(9), 0.5).quantile).toEqual([[0, 10, 5]]);
    expect(all(open(Number.NaN), 0.5).quantile).toEqual([[0, 10, 1]]);
  });
  test("a summary of windows and a summary since a start", () => {
    const summary = (points: PointObject[]): MetricTable => metricTableOf({ name: "s", kind: "summary", points });
    const windows = summary([
      {
        at: 0,
        value: 2,
        count: 4,
        buckets: [
          [0.5, 0.4],
          [0.99, 2],
        ],
      },
      {
        at: 10,
        value: 1,
        count: 2,
        buckets: [
          [0.5, 0.5],
          [0.99, 3],
        ],
      },
    ]);
    expect(all(windows, 0.99)).toEqual({
      rate: [
        [-10, 0, 0.4],
        [0, 10, 0.2],
      ],
      mean: [
        [-10, 0, 0.5],
        [0, 10, 0.5],
      ],
      quantile: [
        [-10, 0, 2],
        [0, 10, 3],
      ],
    });
    const total = summary([
      { at: 0, start: -100, value: 2, count: 4 },
      { at: 10, start: -100, value: 5, count: 14 },
    ]);
    expect(all(total, 0.5)).toEqual({ rate: [[0, 10, 1]], mean: [[0, 10, 0.3]], quantile: [] });
  });
});
