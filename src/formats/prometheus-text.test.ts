import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { attributeText } from "../model/attribute-table.ts";
import { Intake } from "../model/intake.ts";
import { MetricTableBuilder } from "../model/metric-table-builder.ts";
import { assertMetricTable, MetricKind, type MetricTable } from "../model/metric-table.ts";
import { idHex } from "../model/span-table.ts";
import { PrometheusText } from "./prometheus-text.ts";

const NOW = 1_790_000_000_000_000_000n;

function read(text: string, piece = text.length): { table: MetricTable; intake: Intake; rows: Row[] } {
  const into = new MetricTableBuilder();
  const intake = new Intake();
  const decoder = new PrometheusText(into, intake, "file", NOW);
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += piece) decoder.push(bytes.subarray(at, at + piece));
  decoder.finish(false);
  const { table, outOfRange } = into.finish();
  assertMetricTable(table);
  expect(table.points.rowCount).toBe(intake.points.accepted - outOfRange);
  return { table, intake, rows: rowsOf(table) };
}

type Row = { name: string; labels: Record<string, string>; value: number; unixMs: number } & Record<string, unknown>;

function rowsOf(table: MetricTable): Row[] {
  const { points, strings, labels } = table;
  return Array.from({ length: points.rowCount }, (_, row) => {
    const series = points.series[row]!;
    const list = table.labelSet[series]!;
    const d = points.distribution[row]!;
    const { bucketStart, bucketBound, bucketValue, count } = points.distributions;
    return {
      name: strings.get(table.name[series]!),
      kind: table.kind[series],
      unit: strings.get(table.unit[series]!),
      labels: Object.fromEntries(
        Array.from({ length: labels.listStart[list + 1]! - labels.listStart[list]! }, (__, i) => {
          const at = labels.listStart[list]! + i;
          return [strings.get(labels.key[at]!), attributeText(labels, strings, at)];
        }),
      ),
      value: points.value[row]!,
      unixMs: Math.round(Number(table.baseUnixNs / 1000n) / 1e3 + points.timeOffsetNs[row]! / 1e6),
      ...(d < 0
        ? {}
        : {
            count: count[d],
            buckets: Array.from({ length: bucketStart[d + 1]! - bucketStart[d]! }, (__, i) => [
              bucketBound[bucketStart[d]! + i],
              bucketValue[bucketStart[d]! + i],
            ]),
          }),
    };
  });
}

describe("samples", () => {
  test("names, labels with escapes, numbers as Go writes them, times in milliseconds", () => {
    const { rows, intake } = read(
      [
        "# HELP any text { is fine",
        "# TYPE http_requests_total counter",
        'http_requests_total{method="post",code="200"} 1027 1395066363000',
        'http_requests_total{code="200",method="post",} 1028 1395066373000',
        'path{path="C:\\\\DIR\\\\",say="a \\"b\\" }\\nc"} 1.458255915e9 1395066363000',
        "\tlonely   12.47  1395066363000 \r",
        "inf +Inf 1395066363000",
        "nan NaN 1395066363000",
        "dot .5 1395066363000",
        "untyped_total 3 1395066363000",
        "",
      ].join("\n"),
    );
    const unixMs = 1_395_066_363_000;
    expect(intake.points.rejected.size).toBe(0);
    expect(rows.map(({ name, kind, value, unixMs: time }) => [name, kind, value, time - unixMs])).toEqual([
      ["http_requests_total", MetricKind.sum, 1027, 0],
      ["http_requests_total", MetricKind.sum, 1028, 10_000],
      ["path", MetricKind.gauge, 1_458_255_915, 0],
      ["lonely", MetricKind.gauge, 12.47, 0],
      ["inf", MetricKind.gauge, Number.POSITIVE_INFINITY, 0],
      ["nan", MetricKind.gauge, Number.NaN, 0],
      ["dot", MetricKind.gauge, 0.5, 0],
      ["untyped_total", MetricKind.sum, 3, 0],
    ]);
    expect(rows[0]!.labels).toEqual({ method: "post", code: "200" });
    expect(rows[2]!.labels).toEqual({ path: "C:\\DIR\\", say: 'a "b" }\nc' });
  });

  test("label order makes no other series", () => {
    expect(read('a{x="1",y="2"} 1 1395066363000\na{y="2",x="1"} 2 1395066364000\n').table.seriesCount).toBe(1);
  });

  test("OpenMetrics: seconds, units, created, exemplars, names in quotes", () => {
    const { rows, table, intake } = read(
      [
        "# TYPE latency_seconds histogram",
        "# UNIT latency_seconds seconds",
        'latency_seconds_bucket{op="a",le="0.1"} 8 1520879607.7 # {trace_id="0af7651916cd43dd8448eb211c80319c",span_id="b7ad6b7169203331"} 0.054 1520879607.5',
        'latency_seconds_bucket{op="a",le="1"} 10 1520879607.7',
        'latency_seconds_bucket{op="a",le="+Inf"} 11 1520879607.7',
        'latency_seconds_sum{op="a"} 4.5 1520879607.7',
        'latency_seconds_count{op="a"} 11 1520879607.7',
        'latency_seconds_created{op="a"} 1520872607.7 1520879607.7',
        "# TYPE jobs counter",
        "jobs_total 5 1520879607.7",
        "jobs_created 1520872607.7",
        '{"my.metric","a.b"="c"} 1 1520879607.7',
        "# EOF",
      ].join("\n"),
    );
    expect(intake.points.rejected.size).toBe(0);
    const unixMs = 1_520_879_607_700;
    expect(rows.toSorted((a, b) => b.name.length - a.name.length)).toEqual([
      {
        name: "latency_seconds",
        kind: MetricKind.histogram,
        unit: "seconds",
        labels: { op: "a" },
        value: 4.5,
        unixMs,
        count: 11,
        buckets: [
          [0.1, 8],
          [1, 2],
          [Number.POSITIVE_INFINITY, 1],
        ],
      },
      { name: "jobs_total", kind: MetricKind.sum, unit: "", labels: {}, value: 5, unixMs },
      { name: "my.metric", kind: MetricKind.gauge, unit: "", labels: { "a.b": "c" }, value: 1, unixMs },
    ]);
    expect(idHex(table.exemplars.traceId, 0, 4)).toBe("0af7651916cd43dd8448eb211c80319c");
    expect(table.exemplars.value[0]).toBe(0.054);
    const point = table.exemplars.point[0]!;
    expect(table.points.timeOffsetNs[point]! - table.points.startOffsetNs[point]!).toBeCloseTo(7000e9, -4);
  });

  test("summaries; histograms without a type; lines of two label sets in between each other", () => {
    const { rows } = read(
      [
        "# TYPE rpc summary",
        'rpc{quantile="0.5"} 2 1395066363000',
        'rpc{quantile="0.99"} 9 1395066363000',
        "rpc_sum 80 1395066363000",
        "rpc_count 20 1395066363000",
        'h_bucket{le="1",a="x"} 1 1395066363000',
        'h_bucket{le="1",a="y"} 2 1395066363000',
        'h_bucket{le="+Inf",a="x"} 3 1395066363000',
        'h_bucket{le="+Inf",a="y"} 4 1395066363000',
        'h_sum{a="x"} 7 1395066363000',
        'h_count{a="x"} 3 1395066363000',
      ].join("\n"),
    );
    expect(rows.map(({ name, labels, value, count, buckets }) => ({ name, labels, value, count, buckets }))).toEqual([
      {
        name: "rpc",
        labels: {},
        value: 80,
        count: 20,
        buckets: [
          [0.5, 2],
          [0.99, 9],
        ],
      },
      {
        name: "h",
        labels: { a: "x" },
        value: 7,
        count: 3,
        buckets: [
          [1, 1],
          [Number.POSITIVE_INFINITY, 2],
        ],
      },
      {
        name: "h",
        labels: { a: "y" },
        value: Number.NaN,
        count: 4,
        buckets: [
          [1, 2],
          [Number.POSITIVE_INFINITY, 2],
        ],
      },
    ]);
  });

  test("target_info of an OpenTelemetry exporter is the resource of what follows, up to the end of the exposition", () => {
    const { table } = read(
      'target_info{service_name="shop",telemetry_sdk_language="nodejs"} 1\nup 1\n# EOF\ntarget_info{job="x"} 1\nup 1\n',
    );
    expect([table.seriesCount, table.resources.listCount]).toEqual([4, 2]);
    const row = table.resources.listStart[table.resource[1]!]!;
    expect(table.strings.get(table.resources.key[row]!)).toBe("service.name");
  });
});

describe("bad lines are counted, the others read", () => {
  test.each([
    ["no value", "a\nb 1\n"],
    ["no number", "a one\nb 1\n"],
    ["labels without an end", 'a{x="1" 5\nb 1\n'],
    ["a label without quotes", "a{x=1} 5\nb 1\n"],
    ["a name with a blank", "a b c\nb 1\n"],
    ["a negative time", "a 1 -5\nb 1\n"],
    ["more than a time", "a 1 1395066363000 7\nb 1\n"],
    ["counts that fall", '# TYPE h histogram\nh_bucket{le="1"} 5\nh_bucket{le="2"} 4\nb 1\n'],
    ["a bound twice", '# TYPE h histogram\nh_bucket{le="1"} 5\nh_bucket{le="1"} 5\nb 1\n'],
  ])("%s", (_, text) => {
    const { intake, rows } = read(text);
    expect([intake.points.received, intake.points.accepted, intake.points.rejected.size]).toEqual([2, 1, 1]);
    expect(rows[0]).toMatchObject({ name: "b", value: 1 });
  });

  test("the byte of the first", () => {
    const { intake } = read("aa 1\nbb one\ncc 1\ndd two\n");
    expect(intake.points.rejected.get("point-malformed")).toEqual({
      points: 2,
      example: "file: byte 5: expected a sample, found one",
    });
  });

  test("noise and lines cut anywhere never crash; pieces of any size give the same", () => {
    const text =
      '# TYPE a counter\na_total{x="1"} 5 1395066363\nh_bucket{le="1"} 5\nh_bucket{le="+Inf"} 6\nh_count 6\n';
    for (let piece = 1; piece < text.length; piece++) expect(read(text, piece).rows).toEqual(read(text).rows);
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 60 }), (noise) => {
        read(noise);
        read(`a{${noise}} 1\n`);
      }),
      { seed: 3, numRuns: 300 },
    );
  });
});
