import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { attributeText } from "../model/attribute-table.ts";
import { InputError, Intake } from "../model/intake.ts";
import { MetricTableBuilder } from "../model/metric-table-builder.ts";
import { assertMetricTable, MetricKind, type MetricTable } from "../model/metric-table.ts";
import { idHex } from "../model/span-table.ts";
import { encodeMetrics } from "../testing/otlp-metrics-sample.ts";
import { decodeOtlpMetricsJson } from "./otlp-metrics-json.ts";
import { OtlpMetricDecoder } from "./otlp-metrics-protobuf.ts";

const BASE = 1_790_000_000;
const at = (seconds: number): string => `${BASE + seconds}000000000`;
const text = (key: string, stringValue: string): object => ({ key, value: { stringValue } });
const request = (...metrics: object[]): object => ({
  resourceMetrics: [
    {
      resource: { attributes: [text("service.name", "shop")] },
      scopeMetrics: [{ scope: { name: "runtime" }, metrics }],
    },
  ],
});

interface Decoded {
  readonly table: MetricTable;
  readonly intake: Intake;
  readonly error: InputError | undefined;
}

function decode(run: (into: MetricTableBuilder, intake: Intake) => void): Decoded {
  const into = new MetricTableBuilder();
  const intake = new Intake();
  let error: InputError | undefined;
  try {
    run(into, intake);
  } catch (thrown) {
    if (!(thrown instanceof InputError)) throw thrown;
    error = thrown;
  }
  const { table, outOfRange } = into.finish();
  assertMetricTable(table);
  expect(table.points.rowCount).toBe(intake.points.accepted - outOfRange);
  const rejected = [...intake.points.rejected.values()].reduce((sum, held) => sum + held.points, 0);
  expect(intake.points.received).toBe(intake.points.accepted + rejected);
  return { table, intake, error };
}

const protobuf = (bytes: Uint8Array): Decoded =>
  decode((into, intake) => new OtlpMetricDecoder(into, intake, "file").request(bytes, 0, bytes.length, 0));
const json = (document: string): Decoded =>
  decode((into, intake) => decodeOtlpMetricsJson(Buffer.from(document), into, intake, "file", 0));

/** A table as objects, to compare what two decoders make of the same request. */
function described({ table }: Decoded): unknown {
  const { strings, points } = table;
  const list = (lists: MetricTable["labels"], number: number): Record<string, string> => {
    const rows = Array.from(
      { length: lists.listStart[number + 1]! - lists.listStart[number]! },
      (_, i) => lists.listStart[number]! + i,
    );
    return Object.fromEntries(
      rows
        .map((row): [string, string] => [strings.get(lists.key[row]!), attributeText(lists, strings, row)])
        .toSorted(([a], [b]) => (a < b ? -1 : 1)),
    );
  };
  return Array.from({ length: points.rowCount }, (_, row) => {
    const series = points.series[row]!;
    const d = points.distribution[row]!;
    const { distributions } = points;
    const buckets =
      d < 0 ? [] : Array.from({ length: distributions.bucketStart[d + 1]! - distributions.bucketStart[d]! });
    const seconds = (offsetNs: number): string =>
      (Math.round(Number(table.baseUnixNs - BigInt(BASE) * 1_000_000_000n) / 1e6 + offsetNs / 1e6) / 1e3 + 0).toFixed(
        3,
      );
    return {
      name: strings.get(table.name[series]!),
      unit: strings.get(table.unit[series]!),
      kind: table.kind[series],
      temporality: table.temporality[series],
      monotonic: table.monotonic[series],
      scope: strings.get(table.scope[series]!),
      resource: list(table.resources, table.resource[series]!),
      labels: list(table.labels, table.labelSet[series]!),
      time: seconds(points.timeOffsetNs[row]!),
      start: Number.isNaN(points.startOffsetNs[row]!) ? "none" : seconds(points.startOffsetNs[row]!),
      value: points.value[row],
      ...(d < 0
        ? {}
        : {
            count: distributions.count[d],
            min: distributions.min[d],
            max: distributions.max[d],
            buckets: buckets.map((_, i) => [
              distributions.bucketBound[distributions.bucketStart[d]! + i],
              distributions.bucketValue[distributions.bucketStart[d]! + i],
            ]),
          }),
      exemplars: Array.from({ length: table.exemplars.rowCount }, (_, i) => i)
        .filter((i) => table.exemplars.point[i] === row)
        .map((i) => [
          idHex(table.exemplars.traceId, 4 * i, 4),
          idHex(table.exemplars.spanId, 2 * i, 2),
          table.exemplars.value[i],
        ]),
    };
  });
}

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const all = request(
  {
    name: "heap",
    unit: "By",
    gauge: { dataPoints: [{ timeUnixNano: at(0), asInt: "-7", attributes: [text("b", "1"), text("a", "2")] }] },
  },
  {
    name: "cpu",
    unit: "s",
    sum: {
      dataPoints: [
        {
          startTimeUnixNano: at(-60),
          timeUnixNano: at(0),
          asDouble: 1.5,
          attributes: [text("a", "2"), text("b", "1")],
        },
        {
          startTimeUnixNano: at(-60),
          timeUnixNano: at(10),
          asDouble: 2.5,
          attributes: [text("b", "1"), text("a", "2")],
        },
      ],
      aggregationTemporality: 2,
      isMonotonic: true,
    },
  },
  {
    name: "latency",
    unit: "s",
    histogram: {
      dataPoints: [
        {
          timeUnixNano: at(0),
          count: "6",
          sum: 3.25,
          bucketCounts: ["1", "2", "3"],
          explicitBounds: [0.1, 1],
          min: 0.05,
          max: 2,
        },
      ],
      aggregationTemporality: 1,
    },
  },
  {
    name: "size",
    exponentialHistogram: {
      dataPoints: [
        {
          timeUnixNano: at(0),
          count: "11",
          sum: 30,
          scale: 0,
          zeroCount: "2",
          positive: { offset: 1, bucketCounts: ["0", "4", "1"] },
          negative: { offset: 0, bucketCounts: ["3", "1"] },
        },
      ],
      aggregationTemporality: 2,
    },
  },
  {
    name: "rpc",
    summary: {
      dataPoints: [
        {
          timeUnixNano: at(0),
          count: "9",
          sum: 4.5,
          quantileValues: [
            { quantile: 0.5, value: 0.4 },
            { quantile: 0.99, value: 2 },
          ],
        },
      ],
    },
  },
);

describe.each([
  ["protobuf", (value: object) => protobuf(encodeMetrics(value))],
  ["JSON", (value: object) => json(JSON.stringify(value))],
])("%s", (_, read) => {
  test("every kind of metric", () => {
    const decoded = read(all);
    expect(decoded.error).toBeUndefined();
    const common = {
      scope: "runtime",
      resource: { "service.name": "shop" },
      exemplars: [],
      start: "none",
      time: "0.000",
    };
    const plain = { ...common, labels: {}, monotonic: 0 };
    expect(described(decoded)).toEqual([
      {
        ...plain,
        name: "heap",
        unit: "By",
        kind: MetricKind.gauge,
        temporality: 0,
        labels: { a: "2", b: "1" },
        value: -7,
      },
      ...[
        ["0.000", 1.5],
        ["10.000", 2.5],
      ].map(([time, value]) => ({
        ...common,
        name: "cpu",
        unit: "s",
        kind: MetricKind.sum,
        temporality: 2,
        monotonic: 1,
        labels: { a: "2", b: "1" },
        start: "-60.000",
        time,
        value,
      })),
      {
        ...plain,
        name: "latency",
        unit: "s",
        kind: MetricKind.histogram,
        temporality: 1,
        value: 3.25,
        count: 6,
        min: 0.05,
        max: 2,
        buckets: [
          [0.1, 1],
          [1, 2],
          [Number.POSITIVE_INFINITY, 3],
        ],
      },
      {
        ...plain,
        name: "size",
        unit: "",
        kind: MetricKind.exponentialHistogram,
        temporality: 2,
        value: 30,
        count: 11,
        min: Number.NaN,
        max: Number.NaN,
        // Base 2. Negative buckets [-4,-2) and [-2,-1), zero, positive (4,8] and (8,16].
        buckets: [
          [-4, 0],
          [-2, 1],
          [-1, 3],
          [0, 2],
          [4, 0],
          [8, 4],
          [16, 1],
        ],
      },
      {
        ...plain,
        name: "rpc",
        unit: "",
        kind: MetricKind.summary,
        temporality: 0,
        value: 4.5,
        count: 9,
        min: Number.NaN,
        max: Number.NaN,
        buckets: [
          [0.5, 0.4],
          [0.99, 2],
        ],
      },
    ]);
    // The two label orders are one series.
    expect(decoded.table.seriesCount).toBe(5);
  });

  test("a point without time, without value, with too many buckets: rejected, the others are taken", () => {
    const { intake, table } = read(
      request(
        {
          name: "a",
          gauge: { dataPoints: [{ asDouble: 1 }, { timeUnixNano: at(0) }, { timeUnixNano: at(0), asDouble: 1 }] },
        },
        {
          name: "b",
          histogram: {
            dataPoints: [
              { timeUnixNano: at(0), count: 3, bucketCounts: [1, 2, 3], explicitBounds: [1] },
              { timeUnixNano: at(0), count: 3, bucketCounts: [1, 2, 3], explicitBounds: [2, 1] },
              { timeUnixNano: at(0), count: 3, sum: 5 },
            ],
          },
        },
      ),
    );
    expect(Object.fromEntries([...intake.points.rejected].map(([reason, held]) => [reason, held.points]))).toEqual({
      "time-missing": 1,
      "value-missing": 1,
      "point-malformed": 2,
    });
    expect(table.points.rowCount).toBe(2);
    expect([...intake.points.rejected.values()].every((held) => /^file: byte \d+: /.test(held.example))).toBe(true);
  });

  test("NaN, infinities, staleness, 1970 and the far future never crash", () => {
    const { table, intake } = read(
      request({
        name: "a",
        gauge: {
          dataPoints: [
            { timeUnixNano: at(0), asDouble: "NaN" },
            { timeUnixNano: at(1), asDouble: "Infinity" },
            { timeUnixNano: at(2), flags: 1 },
            { timeUnixNano: at(3), asDouble: 1 },
            { timeUnixNano: "1", asDouble: 1 },
            { timeUnixNano: "18446744073709551615", asDouble: 1 },
          ],
        },
      }),
    );
    expect(intake.points.accepted).toBe(6);
    expect(Array.from(table.points.value)).toEqual([Number.NaN, Number.POSITIVE_INFINITY, Number.NaN, 1]);
  });

  test("the same labels in another resource, unit or temporality are another series", () => {
    const point = { timeUnixNano: at(0), asDouble: 1 };
    const sum = (aggregationTemporality: number, unit: string): object => ({
      name: "a",
      unit,
      sum: { dataPoints: [point], aggregationTemporality },
    });
    const two = {
      resourceMetrics: [1, 2].map((n) => ({
        ...(request(sum(1, "s"), sum(2, "s"), sum(2, "ms")) as { resourceMetrics: object[] }).resourceMetrics[0],
        resource: { attributes: [text("host", String(n))] },
      })),
    };
    expect(read(two).table.seriesCount).toBe(6);
  });
});

test("exemplars with their trace", () => {
  const point = (traceId: string, spanId: string): object => ({
    name: "a",
    histogram: {
      dataPoints: [
        { timeUnixNano: at(0), count: 1, exemplars: [{ timeUnixNano: at(0), asDouble: 0.25, traceId, spanId }] },
      ],
    },
  });
  const fromJson = json(JSON.stringify(request(point(TRACE, "b7ad6b7169203331"))));
  const base64 = (hex: string): string => Buffer.from(hex, "hex").toString("base64");
  const fromProtobuf = protobuf(encodeMetrics(request(point(base64(TRACE), base64("b7ad6b7169203331")))));
  expect(described(fromJson)).toEqual(described(fromProtobuf));
  expect(described(fromJson)).toMatchObject([{ exemplars: [[TRACE, "b7ad6b7169203331", 0.25]] }]);
});

test("in JSON the resource, the scope and the metric's name may stand behind the points, enums may be names", () => {
  const decoded = json(
    `{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"sum":{"dataPoints":[{"as_double":"2.5","time_unix_nano":${at(0)}}],"isMonotonic":true,
      "aggregationTemporality":"AGGREGATION_TEMPORALITY_DELTA"},"unit":"s","name":"n"}],"scope":{"name":"late"}}],
      "resource":{"attributes":[{"key":"k","value":{"boolValue":true}}]}}]}`,
  );
  expect(described(decoded)).toMatchObject([
    { name: "n", unit: "s", scope: "late", resource: { k: "true" }, value: 2.5, temporality: 1, monotonic: 1 },
  ]);
});

test("requests one behind the other are one file", () => {
  const bytes = encodeMetrics(all);
  const { table } = protobuf(Buffer.concat([bytes, bytes]));
  expect([table.points.rowCount, table.seriesCount]).toEqual([12, 5]);
});

describe("damage", () => {
  test("cut at every byte: no crash, an error or all points so far", () => {
    const bytes = encodeMetrics(all);
    const document = JSON.stringify(all);
    for (let size = 1; size < bytes.length; size++) protobuf(bytes.subarray(0, size));
    for (let size = 1; size < document.length; size += 7)
      expect(json(document.slice(0, size)).error).toMatchObject({ code: "truncated" });
  });

  test("flipped bytes never crash", () => {
    const bytes = encodeMetrics(all);
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)), { minLength: 1, maxLength: 5 }),
        (flips) => {
          const damaged = Uint8Array.from(bytes);
          for (const [index, value] of flips) damaged[index] = value;
          expect(protobuf(damaged).intake.points.received).toBeGreaterThanOrEqual(0);
        },
      ),
      { seed: 7, numRuns: 300 },
    );
  });

  test("an error tells the byte; the points before it stay", () => {
    const bytes = encodeMetrics(all);
    const { error, table } = protobuf(Buffer.concat([bytes, Buffer.from([0x07])]));
    expect(error).toMatchObject({ code: "malformed", byteOffset: bytes.length });
    expect(table.points.rowCount).toBe(6);
  });

  test("values of the wrong type reject their point only", () => {
    const { intake, table } = json(
      JSON.stringify(
        request({
          name: "a",
          gauge: {
            dataPoints: [
              5,
              { timeUnixNano: "soon", asInt: 1 },
              { timeUnixNano: at(0), asInt: {} },
              { timeUnixNano: at(0), asInt: 3 },
            ],
          },
        }),
      ),
    );
    expect([table.points.rowCount, intake.points.rejected.get("point-malformed")?.points]).toEqual([1, 3]);
  });
});
