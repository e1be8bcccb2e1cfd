import { expect, test } from "vitest";
import { MetricKind, Temporality } from "../../model/metric-table.ts";
import type { MetricLookup } from "../../store/stored-metrics.ts";
import { evaluateRange } from "./evaluate.ts";
import { parsePromql } from "./parse-promql.ts";

/** So many series of one point each, at time 0. */
function pointsAtZero(count: number): MetricLookup {
  const ids = Array.from({ length: count }, (_, i) => BigInt(i));
  return {
    series: async () =>
      ids.map((id) => ({
        id,
        name: "up",
        unit: "",
        kind: MetricKind.gauge,
        temporality: Temporality.unspecified,
        monotonic: false,
        resource: [],
        labels: ["number", 0, String(id)],
      })),
    points: async () => [
      {
        rowCount: count,
        series: BigUint64Array.from(ids),
        timeNs: new BigInt64Array(count),
        value: new Float64Array(count).fill(1),
      },
    ],
    distributions: async () => [],
    bounds: async () => new Map(),
    matching: async () => new Set(),
  };
}

test("few points that count for minutes make no answer of any size", async () => {
  // 10,001 steps within the five minutes that a point counts for.
  const range = { startMs: 0, endMs: 250_000, stepMs: 25 };
  const answer = await evaluateRange(pointsAtZero(3), parsePromql("up"), range);
  expect(answer.map(({ values }) => values.length)).toEqual([10_001, 10_001, 10_001]);
  await expect(evaluateRange(pointsAtZero(200), parsePromql("up"), range)).rejects.toMatchObject({
    kind: "execution",
    message: expect.stringMatching(/^more than 2000000 values/),
  });
});
