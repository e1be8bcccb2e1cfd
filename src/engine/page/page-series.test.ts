import { describe, expect, test } from "vitest";
import type { Measures, MeasureSeries } from "../resources/read-measures.ts";
import { pageSeries } from "./page-series.ts";

const series = (service: string, values: readonly number[]): MeasureSeries => ({
  measure: "cpu-used",
  service,
  instance: "1",
  host: "h",
  resource: "",
  combine: "sum",
  values: Float64Array.from(values),
  metrics: ["process.cpu.time"],
});
const measures = (count: number, all: readonly MeasureSeries[]): Measures => ({
  baseUnixNs: 1_790_000_000_000_000_000n,
  grid: { startNs: 2e9, stepNs: 1e9, count },
  series: all,
  programs: new Map(),
  ports: new Map(),
  heapFlags: new Map(),
  processors: new Map(),
  points: 0,
  pointsUnused: 0,
  warnings: [],
});

describe("series of a page", () => {
  test("services in turn; what is never known is left out; what is not known is null", () => {
    const { series: shown, left } = pageSeries(
      measures(3, [series("b", [1, NaN, 3]), series("a", [0, 0, 0]), series("c", [NaN, NaN, NaN])]),
    );
    expect(left).toBe(0);
    expect(shown.map(({ service, values }) => [service, values])).toEqual([
      ["a", [0, 0, 0]],
      ["b", [1, null, 3]],
    ]);
    expect(shown[0]).toMatchObject({ startUnixMs: 1_790_000_002_000, windowMs: 1000 });
  });

  test("long recordings: means of the known windows", () => {
    const values = Array.from({ length: 401 }, (_, i) => (i % 3 === 0 ? 6 : i % 3 === 1 ? 3 : NaN));
    const [shown] = pageSeries(measures(401, [series("a", values)])).series;
    // Three windows make one: 6 and 3 are known of each.
    expect(shown!.windowMs).toBe(3000);
    expect(new Set(shown!.values.slice(0, 133))).toEqual(new Set([4.5]));
    expect(shown!.values).toHaveLength(134);
  });

  test("more than fit are counted", () => {
    const many = Array.from({ length: 301 }, (_, i) => series(`s${i}`, [1]));
    expect(pageSeries(measures(1, many))).toMatchObject({ left: 1, series: { length: 300 } });
  });
});
