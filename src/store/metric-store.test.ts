import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { AttributeType } from "../model/attribute-table.ts";
import { MetricTableBuilder } from "../model/metric-table-builder.ts";
import { assertMetricTable, MetricKind, type MetricTable, Temporality } from "../model/metric-table.ts";
import { assertStackTable } from "../model/stack-table.ts";
import { metricTableOf, type SeriesObject } from "../testing/metric-table.ts";
import { anyStacks } from "../testing/random-stacks.ts";
import { plainStacks } from "../testing/stacks-from-text.ts";
import { type Embedded, openEmbedded } from "./embedded/open-embedded.ts";
import type { Store } from "./store.ts";

const BASE = 1_790_000_000n * 1_000_000_000n;

let dataDir = "";
let embedded: Embedded;
let store: Store;

beforeAll(async () => {
  dataDir = mkdtempSync(join(tmpdir(), "longpole-store-"));
  embedded = await openEmbedded({ dataDir, retention: { spanDays: 3650, metricDays: 3650 } });
  store = embedded.store;
});

afterAll(async () => {
  await embedded?.close();
  rmSync(dataDir, { recursive: true, force: true });
});

const range = (from: number, to: number): { fromUnixNs: bigint; toUnixNs: bigint } => ({
  fromUnixNs: BASE + BigInt(from) * 1_000_000_000n,
  toUnixNs: BASE + BigInt(to) * 1_000_000_000n,
});

const byText = (a: unknown, b: unknown): number => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1);

/** All that a table says, without numbers of rows and strings, in an order that does not depend on who wrote it. */
function content(table: MetricTable): unknown[] {
  const { points, strings, exemplars } = table;
  const text = (id: number): string => strings.get(id);
  const list = (of: MetricTable["labels"], row: number): unknown =>
    Array.from({ length: of.listStart[row + 1]! - of.listStart[row]! }, (_, i) => {
      const at = of.listStart[row]! + i;
      const isText = of.type[at] === AttributeType.string || of.type[at] === AttributeType.json;
      return [text(of.key[at]!), of.type[at], isText ? text(of.value[at]!) : of.value[at]];
    }).toSorted(byText);
  const ns = (offset: number): string => (Number.isNaN(offset) ? "-" : String(table.baseUnixNs + BigInt(offset)));
  return Array.from(points.series, (series, row) => {
    const d = points.distribution[row]!;
    const { count, min, max, bucketStart, bucketBound, bucketValue } = points.distributions;
    return {
      name: text(table.name[series]!),
      unit: text(table.unit[series]!),
      kind: table.kind[series],
      temporality: table.temporality[series],
      monotonic: table.monotonic[series],
      scope: text(table.scope[series]!),
      resource: list(table.resources, table.resource[series]!),
      labels: list(table.labels, table.labelSet[series]!),
      time: ns(points.timeOffsetNs[row]!),
      since: ns(points.startOffsetNs[row]!),
      value: points.value[row],
      distribution:
        d < 0
          ? undefined
          : {
              count: count[d],
              min: min[d],
              max: max[d],
              buckets: Array.from(bucketBound.subarray(bucketStart[d], bucketStart[d + 1]), (bound, i) => [
                bound,
                bucketValue[bucketStart[d]! + i],
              ]),
            },
      exemplars: Array.from(exemplars.point.keys())
        .filter((i) => exemplars.point[i] === row)
        .map((i) => [
          ns(exemplars.timeOffsetNs[i]!),
          exemplars.value[i],
          [...exemplars.traceId.subarray(4 * i, 4 * i + 4)],
          [...exemplars.spanId.subarray(2 * i, 2 * i + 2)],
        ])
        .toSorted(byText),
    };
  }).toSorted(byText);
}

test("only the metrics that are named", async () => {
  const table = metricTableOf(
    { name: "named.a", kind: "gauge", points: [[500_001, 1]] },
    { name: "named.b", kind: "gauge", points: [[500_002, 2]] },
    { name: "named.c", kind: "histogram", points: [{ at: 500_003, value: 3, count: 1, buckets: [[1, 1]] }] },
  );
  await store.insertMetrics(table, "named");
  const namesOf = async (names?: readonly string[]): Promise<string[]> => {
    const found = await store.readMetrics(range(500_000, 500_010), names === undefined ? {} : { names });
    return Array.from(found.points.series, (series) => found.strings.get(found.name[series]!)).toSorted();
  };
  expect(await namesOf(["named.a", "named.c", "unknown"])).toEqual(["named.a", "named.c"]);
  expect(await namesOf(["unknown"])).toEqual([]);
  expect(await namesOf()).toEqual(["named.a", "named.b", "named.c"]);
});

describe("metrics come back as they were", () => {
  const resource = { "service.name": "orders", "host.name": "a" };
  const sum = { kind: "sum", temporality: "cumulative", monotonic: true } as const;
  test.each<[string, SeriesObject[]]>([
    [
      "a gauge, with a value that is no number",
      [
        {
          name: "g",
          unit: "s",
          kind: "gauge",
          resource,
          points: [
            [1, 0.5],
            [2, Number.NaN],
            [3, -0],
          ],
        },
      ],
    ],
    [
      "a counter that says since when",
      [
        {
          ...sum,
          name: "c",
          resource,
          labels: { route: "/a", code: 200 },
          points: [
            { at: 1, start: 0, value: 1 },
            { at: 2, start: 0, value: 3 },
          ],
        },
      ],
    ],
    [
      "series that differ in one label only, or its type",
      [
        { ...sum, name: "c", labels: { code: 1 }, points: [[1, 1]] },
        { ...sum, name: "c", labels: { code: "1" }, points: [[1, 2]] },
        { ...sum, name: "c", points: [[1, 3]] },
      ],
    ],
    [
      "histograms with an infinite bound, without buckets, without values",
      [
        {
          name: "h",
          unit: "ms",
          kind: "histogram",
          temporality: "delta",
          points: [
            {
              at: 1,
              start: 0,
              value: 12,
              count: 3,
              max: 9,
              buckets: [
                [1, 1],
                [5, 0],
                [Infinity, 2],
              ],
            },
            { at: 2, value: Number.NaN, count: 0 },
          ],
        },
      ],
    ],
    [
      "a summary",
      [
        {
          name: "s",
          kind: "summary",
          points: [
            {
              at: 1,
              value: 5,
              count: 2,
              buckets: [
                [0.5, 2],
                [0.99, 3],
              ],
            },
          ],
        },
      ],
    ],
    [
      "points of one time, and out of order",
      [
        {
          name: "o",
          kind: "gauge",
          points: [
            [3, 1],
            [2, 2],
            [3, 3],
          ],
        },
      ],
    ],
  ])("%s", async (name, series) => {
    const before = metricTableOf(...series.map((one) => ({ ...one, resource: { ...one.resource, case: name } })));
    await store.insertMetrics(before, name);
    await store.insertMetrics(before, name);
    const mine = content(await store.readMetrics(range(0, 10))).filter((point) =>
      JSON.stringify(point).includes(JSON.stringify(name)),
    );
    expect(mine).toEqual(content(before));
  });

  test("exemplars, of a counter and of a histogram", async () => {
    const into = new MetricTableBuilder();
    const { strings, point } = into;
    const instrument = {
      resource: into.resources.close(),
      scope: strings.intern("lib"),
      name: strings.intern("x"),
      unit: 0,
      temporality: Temporality.delta,
      monotonic: true,
    };
    for (const [row, kind] of [MetricKind.sum, MetricKind.histogram].entries()) {
      into.begin();
      point.timeHigh = Number((BASE + 100_000_000_000n) >> 32n);
      point.timeLow = row;
      point.value = 1;
      into.addExemplar(point.timeHigh, 5, 0.25, Uint32Array.of(1, 2, 3, 4, 5, 0xffffffff));
      into.addExemplar(0, 0, 0.5, Uint32Array.of(0, 0, 0, 9, 0, 0));
      if (kind === MetricKind.histogram) into.addBucket(Infinity, 1);
      into.commit(kind);
      into.assign(row, row + 1, { ...instrument, kind });
    }
    const before = into.finish().table;
    await store.insertMetrics(before, "exemplars");
    const after = await store.readMetrics(range(90, 110));
    assertMetricTable(after);
    expect(content(after)).toEqual(content(before));
  });

  test("only what is in the range, and a series once for many points", async () => {
    const points = Array.from({ length: 600 }, (_, i) => [1000 + i, i] as const);
    await store.insertMetrics(metricTableOf({ name: "long", kind: "gauge", points: points.slice(0, 300) }), "long 1");
    await store.insertMetrics(metricTableOf({ name: "long", kind: "gauge", points: points.slice(300) }), "long 2");
    const some = await store.readMetrics(range(1100, 1200));
    expect(some.seriesCount).toBe(1);
    expect([...some.points.value]).toEqual(Array.from({ length: 100 }, (_, i) => 100 + i));
    expect((await store.readMetrics(range(5000, 6000))).points.rowCount).toBe(0);
  });
});

describe("profiles come back as they were", () => {
  test("any", async () => {
    let number = 0;
    await fc.assert(
      fc.asyncProperty(anyStacks, async (before) => {
        const start = BASE + BigInt(++number) * 3_600_000_000_000n;
        const there = {
          ...before,
          processes: { ...before.processes, startUnixNs: before.processes.startUnixNs.map(() => start) },
        };
        await store.insertStacks(there, `profile ${number}`);
        await store.insertStacks(there, `profile ${number}`);
        const after = await store.readStacks({ fromUnixNs: start, toUnixNs: start + 1_000_000_001n });
        assertStackTable(after);
        // By service, so that one of them can be read alone; processes and threads that have no sample are not kept.
        expect(samplesOf(after)).toEqual(samplesOf(there));
      }),
      { seed: 5, numRuns: 12 },
    );
  });

  function samplesOf(table: Parameters<typeof plainStacks>[0]): string[] {
    const { samples, types } = plainStacks(table) as {
      samples: { values: number[]; thread: unknown[]; process: unknown[] }[];
      types: { type: string }[];
    };
    const order = types.map(({ type }, i) => [type, i] as const).toSorted(byText);
    return samples
      .map((sample) =>
        JSON.stringify(
          {
            ...sample,
            values: order.map(([type, i]) => [type, sample.values[i]]).filter(([, value]) => value !== 0),
            thread: sample.thread.slice(1),
            process: sample.process.slice(1),
          },
          (_, value: unknown) => (typeof value === "bigint" ? String(value) : value),
        ),
      )
      .toSorted(byText);
  }
});
