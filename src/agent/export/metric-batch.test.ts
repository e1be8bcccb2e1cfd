import { expect, test } from "vitest";
import { MetricBatch, scopeBytes } from "./metric-batch.ts";
import {
  distributionLabelBytes,
  labelBytes,
  type Metric,
  resourceBytes,
  type ResourceMetrics,
} from "./metric-points.ts";

const CALLS: Metric = { name: "calls", unit: "1", kind: "counter" };
const SIZE: Metric = { name: "size", unit: "By", kind: "amount" };
const LOAD: Metric = { name: "load", unit: "1", kind: "level" };
const [A, B] = [labelBytes({ of: "a" }), labelBytes({ of: "b", n: 2 })];
const SCOPE = scopeBytes("test", "1");

/** One resource's points at a moment; attributes that are a new object were never seen before. */
function written(
  attributes: Uint8Array,
  fill: (into: ResourceMetrics) => void,
  at: { timeUnixNs?: bigint; sinceUnixNs?: bigint; scope?: Uint8Array } = {},
): string {
  const batch = new MetricBatch(at.timeUnixNs ?? 1_790_000_000_123_456_789n, at.scope ?? SCOPE);
  batch.resource(attributes, at.sinceUnixNs ?? 7n, fill);
  return Buffer.from(batch.finish()).toString("hex");
}

const usual = (into: ResourceMetrics): void => {
  into.add(CALLS, 1, A);
  into.add(SIZE, 2.5);
  into.add(CALLS, 3, B);
  into.add(LOAD, -4);
};

test.each<[string, (into: ResourceMetrics) => void, Parameters<typeof written>[2]]>([
  ["the same again", usual, {}],
  [
    "other values",
    (into) => [9, 8, 7, 6].forEach((value, i) => into.add([CALLS, SIZE, CALLS, LOAD][i]!, value, [A, undefined, B][i])),
    {},
  ],
  ["another moment, beyond 32 bits of nanoseconds", usual, { timeUnixNs: 1_790_000_009_999_999_999n }],
  ["counters that began anew", usual, { sinceUnixNs: 8n }],
  ["nobody knows since when", usual, { sinceUnixNs: 0n }],
  ["another scope", usual, { scope: scopeBytes("other", "2") }],
  ["a point that is not known this time", (into) => (into.add(CALLS, Number.NaN, A), into.add(SIZE, 2)), {}],
  ["one more", (into) => (usual(into), into.add(LOAD, 5, B)), {}],
  [
    "labels the other way round",
    (into) => (into.add(CALLS, 1, B), into.add(SIZE, 2), into.add(CALLS, 3, A), into.add(LOAD, 4)),
    {},
  ],
])("what is remembered of a resource changes nothing: %s", (_, fill, at) => {
  const remembered = resourceBytes({ "service.name": "shop" });
  written(remembered, usual);
  expect(written(remembered, fill, at)).toBe(written(resourceBytes({ "service.name": "shop" }), fill, at));
});

test("a request of three points, by hand", () => {
  // 0x0102 nanoseconds; 1.0 is 3ff0…, 2.0 is 4000….
  const hex = written(
    resourceBytes({ r: "x" }),
    (into) => (into.add(CALLS, 1, labelBytes({ k: "v" })), into.add(LOAD, 2), into.add(SIZE, Number.NaN)),
    { timeUnixNs: 0x0102n, sinceUnixNs: 3n, scope: scopeBytes("s", "1") },
  );
  const time = "190201000000000000";
  const label = "3a08" + "0a016b" + "12030a0176";
  const call = "0a25" + label + "110300000000000000" + time + "21000000000000f03f";
  const sum = "3a2b" + "10021801" + call;
  const calls = "1237" + "0a0563616c6c73" + "1a0131" + sum;
  const gauge = "2a14" + "0a12" + time + "210000000000000040";
  const load = "121f" + "0a046c6f6164" + "1a0131" + gauge;
  const scope = "0a06" + "0a0173" + "120131";
  const metrics = scope + calls + load;
  const resource = "0a0a" + "0a08" + "0a0172" + "12030a0178";
  const length = (text: string): string => (text.length / 2).toString(16).padStart(2, "0");
  const whole = resource + "12" + length(metrics) + metrics;
  // 128 and more take two bytes; neither does here.
  expect(whole.length / 2).toBeLessThan(128);
  expect(hex).toBe("0a" + length(whole) + whole);
});

test("the numbers of a distribution are written over; with other bounds or another beginning it is written anew", () => {
  const TIMES: Metric = { name: "times", unit: "s", kind: "distribution" };
  const labels = distributionLabelBytes({ of: "a" });
  const [short, long] = [[0.1], [0.1, 0.2]];
  const one = (counts: readonly number[], bounds: readonly number[], since?: bigint) => (into: ResourceMetrics) =>
    into.addDistribution(TIMES, { count: 2 ** 33 + 3, sum: counts.length / 8, bounds, counts }, labels, since);
  const remembered = resourceBytes({ r: "x" });
  for (const fill of [
    one([1, 2], short),
    one([2 ** 33, 3], short),
    one([1, 2, 3], long),
    one([1, 2, 4], long, 5n),
    usual,
    one([1, 2], short, 6n),
  ])
    expect(written(remembered, fill)).toBe(written(resourceBytes({ r: "x" }), fill));
  // By hand: start 5, time 2, count 2^33 + 3, sum 0.25, counts 2^33 and 3, bound 0.1.
  expect(written(resourceBytes({ r: "x" }), one([2 ** 33, 3], short, 5n), { timeUnixNs: 2n })).toContain(
    "110500000000000000" +
      "190200000000000000" +
      "210300000002000000" +
      "29000000000000d03f" +
      "3210" +
      "0000000002000000" +
      "0300000000000000" +
      "3a08" +
      "9a9999999999b93f",
  );
});
