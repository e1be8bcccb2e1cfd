import { expect, test } from "vitest";
import { AttributeType, attributeText, type AttributeTable } from "../model/attribute-table.ts";
import { Intake } from "../model/intake.ts";
import { MetricTableBuilder } from "../model/metric-table-builder.ts";
import type { MetricTable } from "../model/metric-table.ts";
import { SpanTableBuilder } from "../model/span-table-builder.ts";
import { SpanGatherer } from "../model/span-gatherer.ts";
import type { SpanTable } from "../model/span-table.ts";
import { loadInputs } from "./load-inputs.ts";
import { decodeOtlpJson } from "./otlp-json.ts";
import { decodeOtlpMetricsJson } from "./otlp-metrics-json.ts";
import { otlpMetricLines } from "./write-otlp-metrics-json.ts";
import { otlpTraceLines } from "./write-otlp-traces-json.ts";

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

function decodedSpans(lines: Iterable<string>): { table: SpanTable; intake: Intake } {
  const builder = new SpanTableBuilder();
  const intake = new Intake();
  for (const line of lines) decodeOtlpJson(utf8(line), builder, intake, "t", 0);
  return { table: builder.finish().table, intake };
}

function decodedPoints(lines: Iterable<string>): MetricTable {
  const builder = new MetricTableBuilder();
  for (const line of lines) decodeOtlpMetricsJson(utf8(line), builder, new Intake(), "t", 0);
  return builder.finish().table;
}

function listText(table: AttributeTable, strings: SpanTable["strings"], list: number): string {
  const rows: string[] = [];
  for (let row = table.listStart[list]!; row < table.listStart[list + 1]!; row++) {
    rows.push(`${strings.get(table.key[row]!)}:${table.type[row]}=${attributeText(table, strings, row)}`);
  }
  return rows.join("; ");
}

/** Everything a table says, with texts for ids. */
function spansTold(table: SpanTable): unknown[] {
  return Array.from({ length: table.rowCount }, (_, row) => ({
    start: table.baseUnixNs + BigInt(table.startOffsetNs[row]!),
    end: table.baseUnixNs + BigInt(table.endOffsetNs[row]!),
    ids: [
      ...table.traceId.subarray(4 * row, 4 * row + 4),
      ...table.spanId.subarray(2 * row, 2 * row + 2),
      ...table.parentSpanId.subarray(2 * row, 2 * row + 2),
    ],
    kind: table.kind[row],
    status: table.status[row],
    texts: [table.name[row]!, table.scope[row]!, table.traceState[row]!].map((id) => table.strings.get(id)),
    attributes: listText(table.attributes, table.strings, row),
    resource: listText(table.resources, table.strings, table.resource[row]!),
  }));
}

function eventsTold({ events, baseUnixNs, strings }: SpanTable): unknown[] {
  return Array.from({ length: events.rowCount }, (_, i) => [
    events.span[i],
    baseUnixNs + BigInt(events.timeOffsetNs[i]!),
    strings.get(events.name[i]!),
    listText(events.attributes, strings, i),
  ]);
}

async function recorded(folder: string): Promise<{ spans: SpanTable; metrics: MetricTable }> {
  const loading = loadInputs([folder]);
  for (;;) {
    const step = await loading.next();
    if (step.done === true) return step.value;
  }
}

test("spans that are written and read again are the same spans in the same order", async () => {
  const { spans } = await recorded("examples/small-pool/fault");
  expect(spans.rowCount).toBeGreaterThan(10_000);
  const { table, intake } = decodedSpans(otlpTraceLines(spans));
  expect(intake.rejected.size).toBe(0);
  expect(table.baseUnixNs).toBe(spans.baseUnixNs);
  expect(spansTold(table)).toEqual(spansTold(spans));
  expect(eventsTold(table)).toEqual(eventsTold(spans));
});

test("gathered spans that are written and read again have the same numbers for strings and resources", async () => {
  const { spans } = await recorded("examples/small-pool/fixed");
  const gatherer = new SpanGatherer();
  const source = gatherer.source(spans);
  // Another order than that in which they were numbered.
  for (let row = spans.rowCount - 1; row >= 0; row--) source.add(row);
  const { table } = gatherer.finish();
  const again = decodedSpans(otlpTraceLines(table)).table;
  for (const column of ["name", "resource", "scope", "traceState", "startOffsetNs", "endOffsetNs", "traceId"] as const)
    expect(again[column], column).toEqual(table[column]);
  for (const lists of ["attributes", "resources"] as const) expect(again[lists]).toEqual(table[lists]);
  expect(again.strings.size).toBe(table.strings.size);
});

test("values of every type, odd texts, events and links survive", () => {
  const line = JSON.stringify({
    resourceSpans: [
      {
        resource: { attributes: [{ key: "service.name", value: { stringValue: 'a"\\\n\u2028é😀' } }] },
        scopeSpans: [
          {
            scope: { name: "s" },
            spans: [
              {
                traceId: "0123456789abcdef00000000000000ff",
                spanId: "00000000000000ff",
                parentSpanId: "000000000000000a",
                traceState: "ot=th:8",
                name: "",
                kind: 3,
                startTimeUnixNano: "1790000000000000001",
                endTimeUnixNano: "1790000000999999999",
                attributes: [
                  { key: "i", value: { intValue: "-5" } },
                  { key: "d", value: { doubleValue: 0.1 } },
                  { key: "nan", value: { doubleValue: "NaN" } },
                  { key: "b", value: { boolValue: false } },
                  { key: "bytes", value: { bytesValue: "AQI=" } },
                  {
                    key: "list",
                    value: {
                      arrayValue: {
                        values: [
                          { stringValue: 'x,"]' },
                          { intValue: "9007199254740993" },
                          { boolValue: true },
                          {},
                          { doubleValue: 1.5 },
                          { arrayValue: { values: [] } },
                        ],
                      },
                    },
                  },
                  {
                    key: "map",
                    value: {
                      kvlistValue: {
                        values: [
                          { key: "k", value: { kvlistValue: { values: [{ key: "in", value: { intValue: "1" } }] } } },
                          { key: "l", value: { arrayValue: { values: [{ stringValue: "y" }] } } },
                        ],
                      },
                    },
                  },
                  { key: "i", value: { stringValue: "twice" } },
                ],
                events: [{ timeUnixNano: "1790000000000000002", name: "e", attributes: [] }],
                links: [{ traceId: "000000000000000000000000000000aa", spanId: "00000000000000bb" }],
                status: { code: 2 },
              },
            ],
          },
        ],
      },
    ],
  });
  const first = decodedSpans([line]).table;
  const again = decodedSpans(otlpTraceLines(first)).table;
  expect(spansTold(again)).toEqual(spansTold(first));
  expect(eventsTold(again)).toEqual(eventsTold(first));
  expect([...again.links.traceId, ...again.links.spanId]).toEqual([0, 0, 0, 0xaa, 0, 0xbb]);
  expect(again.attributes.type.filter((type) => type === AttributeType.json)).toHaveLength(3);
  expect(listText(again.attributes, again.strings, 0)).toContain("9007199254740993");
});

/** Everything the points say, with texts for ids. */
function pointsTold(table: MetricTable): unknown[] {
  const { points, strings } = table;
  const { distributions } = points;
  return Array.from({ length: points.rowCount }, (_, row) => {
    const s = points.series[row]!;
    const d = points.distribution[row]!;
    const buckets = d < 0 ? [] : [distributions.bucketStart[d]!, distributions.bucketStart[d + 1]!];
    return {
      texts: [table.name[s]!, table.unit[s]!, table.scope[s]!].map((id) => strings.get(id)),
      shape: [table.temporality[s], table.monotonic[s]],
      labels: listText(table.labels, strings, table.labelSet[s]!),
      resource: listText(table.resources, strings, table.resource[s]!),
      time: table.baseUnixNs + BigInt(points.timeOffsetNs[row]!),
      start: points.startOffsetNs[row],
      value: points.value[row],
      distribution:
        d < 0
          ? undefined
          : [
              distributions.count[d],
              distributions.min[d],
              distributions.max[d],
              [...distributions.bucketBound.subarray(buckets[0], buckets[1])],
              [...distributions.bucketValue.subarray(buckets[0], buckets[1])],
            ],
    };
  });
}

test("points that are written and read again are the same points in the same order", async () => {
  const { metrics } = await recorded("examples/lab/small-pool/fault");
  expect(metrics.points.rowCount).toBeGreaterThan(1000);
  const lines = [...otlpMetricLines(metrics)];
  expect(pointsTold(decodedPoints(lines))).toEqual(pointsTold(metrics));
});

test("summaries, histograms without a last bound and exemplars survive", () => {
  const line = JSON.stringify({
    resourceMetrics: [
      {
        resource: {},
        scopeMetrics: [
          {
            metrics: [
              {
                name: "h",
                unit: "s",
                histogram: {
                  aggregationTemporality: 2,
                  dataPoints: [
                    {
                      timeUnixNano: "1790000000000000000",
                      startTimeUnixNano: "1789999990000000000",
                      count: "3",
                      sum: 0.6,
                      min: 0.1,
                      max: 0.3,
                      bucketCounts: ["1", "2", "0"],
                      explicitBounds: [0.1, 0.3],
                      exemplars: [
                        {
                          timeUnixNano: "1789999999000000000",
                          asDouble: 0.3,
                          traceId: "000000000000000000000000000000aa",
                          spanId: "00000000000000bb",
                        },
                      ],
                    },
                  ],
                },
              },
              {
                name: "s",
                summary: {
                  dataPoints: [
                    {
                      timeUnixNano: "1790000000000000000",
                      count: "2",
                      sum: 4,
                      quantileValues: [{ quantile: 0.5, value: 2 }],
                    },
                  ],
                },
              },
              {
                name: "g",
                gauge: { dataPoints: [{ timeUnixNano: "1790000000000000000", asDouble: "NaN", attributes: [] }] },
              },
            ],
          },
        ],
      },
    ],
  });
  const first = decodedPoints([line]);
  const again = decodedPoints(otlpMetricLines(first));
  expect(pointsTold(again)).toEqual(pointsTold(first));
  expect(again.exemplars.rowCount).toBe(1);
  expect([again.exemplars.value[0], again.exemplars.timeOffsetNs[0]! - again.points.timeOffsetNs[0]!]).toEqual([
    0.3, -1e9,
  ]);
});
