import { describe, expect, test } from "vitest";
import { AttributeType } from "../model/attribute-table.ts";
import { Intake } from "../model/intake.ts";
import { MetricTableBuilder } from "../model/metric-table-builder.ts";
import type { MetricTable } from "../model/metric-table.ts";
import { SpanTableBuilder } from "../model/span-table-builder.ts";
import { assertSpanTable, type SpanTable } from "../model/span-table.ts";
import { metricTableOf } from "../testing/metric-table.ts";
import { decodeMetricsObjects } from "../testing/otlp-metrics-sample.ts";
import { encodeRequest, RequestType, sampleRequests } from "../testing/otlp-sample.ts";
import { spanObjects } from "../testing/span-objects.ts";
import { OtlpMetricDecoder } from "./otlp-metrics-protobuf.ts";
import { decodeOtlpTraces } from "./otlp-protobuf.ts";
import { writeOtlpMetrics } from "./write-otlp-metrics.ts";
import { writeOtlpTraces } from "./write-otlp-traces.ts";

function decode(bytes: Uint8Array): SpanTable {
  const builder = new SpanTableBuilder();
  const intake = new Intake();
  decodeOtlpTraces(bytes, builder, intake, "written");
  expect(intake.rejected.size).toBe(0);
  return builder.finish().table;
}

const written = (table: SpanTable): Uint8Array => Buffer.concat([...writeOtlpTraces(table)]);

const texts = (table: SpanTable): string[] =>
  spanObjects(table).map((span) =>
    JSON.stringify(span, (_, value: unknown) => (typeof value === "bigint" ? String(value) : value)),
  );

describe("spans", () => {
  test("come back in their order, in many messages that are one", () => {
    const builder = new SpanTableBuilder();
    for (const request of sampleRequests(85, 7))
      decodeOtlpTraces(encodeRequest(request), builder, new Intake(), "sample");
    const before = builder.finish().table;
    expect([...writeOtlpTraces(before)].length).toBeGreaterThan(1);
    const after = decode(written(before));
    assertSpanTable(after);
    const [expected, found] = [texts(before), texts(after)];
    expect(found).toHaveLength(8500);
    // Not all at once: vitest compares thousands of objects within a minute.
    for (const [row, text] of expected.entries()) if (found[row] !== text) expect(found[row], `span ${row}`).toBe(text);
  });

  test("another decoder reads the same", () => {
    const [request] = sampleRequests(1, 3);
    const before = decode(encodeRequest(request!));
    const again = RequestType.toObject(RequestType.decode(written(before)), { longs: String, bytes: String }) as {
      resourceSpans: {
        scopeSpans: { scope?: { name: string }; spans: { name: string; startTimeUnixNano: string }[] }[];
      }[];
    };
    const spans = again.resourceSpans.flatMap((resource) => resource.scopeSpans.flatMap((scope) => scope.spans));
    const expected = spanObjects(before);
    expect(spans.map((span) => [span.name, span.startTimeUnixNano])).toEqual(
      expected.map((span) => [span.name, String(span.startUnixNs)]),
    );
  });

  test.each([
    ["an array of all kinds", '["a",1,-9223372036854775808,1.5,true,false,null,[],{}]'],
    ["a map in a map, a key twice", '{"a":{"b c":[1]},"a":2,"":""}'],
    ["integers beyond a double", "[9007199254740993,9223372036854775807]"],
    ["numbers that are no integers", "[1e+21,0.1,1e-7]"],
    ["escapes", '["\\"\\\\\\n\\u0001","日本"]'],
    ["bytes", '"AQID/w=="'],
    ["nothing", "null"],
  ])("JSON of %s", (_, json) => {
    const builder = new SpanTableBuilder();
    const { strings } = builder;
    builder.begin(builder.resources.closeList(), 0);
    builder.traceId[3] = builder.spanId[1] = 1;
    builder.startWords[0] = builder.endWords[0] = 416_000_000;
    builder.attributes.add(strings.intern("k"), AttributeType.json, strings.intern(json));
    builder.commit();
    const after = decode(written(builder.finish().table));
    expect(after.attributes.type[0]).toBe(AttributeType.json);
    expect(after.strings.get(after.attributes.value[0]!)).toBe(json);
  });

  test("numbers: whole ones, fractions, minus zero, beyond 2^53, none", () => {
    const values = [0, 5, -7, 0.1, -0, 2 ** 60, Number.NaN, -Infinity];
    const builder = new SpanTableBuilder();
    builder.begin(builder.resources.closeList(), 0);
    builder.traceId[3] = builder.spanId[1] = 1;
    builder.startWords[0] = builder.endWords[0] = 416_000_000;
    for (const [i, value] of values.entries())
      builder.attributes.add(builder.strings.intern(`k${i}`), AttributeType.number, value);
    builder.commit();
    expect([...decode(written(builder.finish().table)).attributes.value]).toEqual(values);
  });
});

describe("metrics", () => {
  const before = metricTableOf(
    {
      name: "g",
      unit: "s",
      kind: "gauge",
      resource: { "service.name": "a" },
      points: [
        [1, 0.5],
        [2, -0],
      ],
    },
    {
      name: "c",
      kind: "sum",
      temporality: "cumulative",
      monotonic: true,
      labels: { code: 200, route: "/" },
      points: [{ at: 1, start: 0, value: 3 }],
    },
    {
      name: "h",
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
      ],
    },
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
  );
  const bytes = Buffer.concat([...writeOtlpMetrics(before)]);

  test("come back in their order", () => {
    const builder = new MetricTableBuilder();
    const intake = new Intake();
    new OtlpMetricDecoder(builder, intake, "written").request(bytes, 0, bytes.length, 0);
    expect(intake.points.rejected.size).toBe(0);
    expect(rows(builder.finish().table)).toEqual(rows(before));
  });

  test("another decoder reads the same", () => {
    const text = JSON.stringify(decodeMetricsObjects(bytes), (_, value: unknown) =>
      typeof value === "bigint" ? String(value) : value,
    );
    for (const name of ["g", "c", "h", "s"]) expect(text).toContain(`"name":"${name}"`);
    expect(text).toMatch(/"explicitBounds":\[1,5\]/);
  });

  function rows(table: MetricTable): unknown[] {
    const { points, strings } = table;
    const { distributions } = points;
    return Array.from(points.series, (series, row) => {
      const list = points.distribution[row]!;
      const [from, to] = list < 0 ? [0, 0] : [distributions.bucketStart[list], distributions.bucketStart[list + 1]];
      return {
        name: strings.get(table.name[series]!),
        unit: strings.get(table.unit[series]!),
        facts: [table.kind[series], table.temporality[series], table.monotonic[series]],
        labels: Array.from(
          table.labels.key.subarray(
            table.labels.listStart[table.labelSet[series]!],
            table.labels.listStart[table.labelSet[series]! + 1],
          ),
          (key) => strings.get(key),
        ).toSorted((a, b) => (a < b ? -1 : 1)),
        time: table.baseUnixNs + BigInt(points.timeOffsetNs[row]!),
        hasStart: !Number.isNaN(points.startOffsetNs[row]!),
        value: points.value[row],
        distribution: list < 0 ? [] : [distributions.count[list], distributions.min[list], distributions.max[list]],
        buckets: [[...distributions.bucketBound.subarray(from, to)], [...distributions.bucketValue.subarray(from, to)]],
      };
    });
  }
});
