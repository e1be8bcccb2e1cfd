import { expect, test } from "vitest";
import { bucketQuantile, TraceTotals } from "./trace-totals.ts";

const probe = { name: "fsync", title: "fsync", unit: "nanoseconds", keys: "text" } as const;
const told = (key: string, ...counts: readonly number[]) => ({
  key,
  buckets: counts.map((count, i) => ({ low: 2 ** (10 + i), high: 2 ** (11 + i), count })),
});

test("totals are the last ones told; a second is what they grew by", () => {
  const totals = new TraceTotals(probe);
  totals.take({ type: "histogram", map: "@ns", rows: [told("a", 2, 1)] }, 1);
  totals.take({ type: "histogram", map: "@ns", rows: [told("a", 2, 4), told("b", 5)] }, 2);
  totals.take({ type: "text", text: "limit 99\n" }, 2);
  // Maps of the probe's own books are none of its results.
  totals.take({ type: "counts", map: "@begun", rows: [{ key: "17", count: 3 }] }, 2);
  const report = totals.report(2, false);
  expect(report.totals.map(({ key, count }) => [key, count])).toEqual([
    ["a", 6],
    ["b", 5],
  ]);
  expect(report.intervals).toEqual([
    { atSeconds: 1, count: 3, buckets: told("", 2, 1).buckets },
    {
      atSeconds: 2,
      count: 8,
      buckets: [
        { low: 1024, high: 2048, count: 5 },
        { low: 2048, high: 4096, count: 3 },
      ],
    },
  ]);
  expect([report.hits, report.ended]).toEqual([99, "limit"]);
});

test("quantiles of buckets, evenly filled on a scale of powers", () => {
  // Half of 4 lie in [1024, 2048): the median is at its end; a quarter, at its geometric middle.
  const { buckets } = told("", 2, 2);
  expect(bucketQuantile(buckets, 0.5)).toBeCloseTo(2048, 6);
  expect(bucketQuantile(buckets, 0.25)).toBeCloseTo(1024 * Math.SQRT2, 6);
  expect(bucketQuantile(buckets, 1)).toBeCloseTo(4096, 6);
  expect(bucketQuantile([], 0.5)).toBeNull();
});
