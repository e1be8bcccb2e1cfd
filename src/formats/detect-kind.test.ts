import { describe, expect, test } from "vitest";
import { encodeRequest, sampleRequests } from "../testing/otlp-sample.ts";
import { detectKind } from "./detect-kind.ts";

const kind = (content: string | Uint8Array): unknown =>
  detectKind(typeof content === "string" ? Buffer.from(content) : content);
const pb = encodeRequest(sampleRequests(1, 1)[0]!);
const prefixed = Buffer.concat([Buffer.from([0, 0, pb.length >> 8, pb.length & 255]), pb]);
const field = (number: number, ...parts: Uint8Array[]): Buffer => {
  const body = Buffer.concat(parts);
  return Buffer.concat([Buffer.from([number * 8 + 2, body.length]), body]);
};
const otlp = (...item: Uint8Array[]): Buffer =>
  field(1, field(1, field(1, field(1, Buffer.from("k")))), field(2, field(2, ...item)));
const metric = otlp(field(1, Buffer.from("http.requests")), field(7, field(1, Buffer.alloc(9, 0x11))));
const log = otlp(Buffer.from([0x09, 1, 2, 3, 4, 5, 6, 7, 8]), field(3, Buffer.from("INFO")));

describe("OTLP protobuf", () => {
  test("a request, plain and behind its length, and cut anywhere behind its head", () => {
    for (const size of [100, 1000, 5000, pb.length]) {
      expect(kind(pb.subarray(0, size))).toEqual({ kind: "otlp-protobuf", signal: "traces", framing: "message" });
      expect(kind(prefixed.subarray(0, size))).toEqual({
        kind: "otlp-protobuf",
        signal: "traces",
        framing: "length-prefixed",
      });
    }
  });
  test("other signals by their items", () => {
    expect(kind(metric)).toEqual({ kind: "otlp-protobuf", signal: "metrics", framing: "message" });
    expect(kind(log)).toEqual({ kind: "not-used", signal: "logs", format: "protobuf" });
    expect(kind(Buffer.concat([field(1, field(1, Buffer.alloc(0))), field(2, Buffer.from([8, 1]))]))).toEqual({
      kind: "profile",
      format: "otlp-profiles",
      what: "OTLP profiles",
    });
  });
  test("a span with ids of wrong length but with times is a span", () => {
    expect(kind(otlp(field(1, Buffer.alloc(3)), Buffer.from([0x39, 1, 2, 3, 4, 5, 6, 7, 8])))).toMatchObject({
      kind: "otlp-protobuf",
    });
  });
});

describe("pprof, whatever field it begins with", () => {
  // sample_type {1, 2}; time_nanos = 5; period_type {1, 2}, as Go's runtime writes them: processor first the time, heap the period's type.
  const type = field(1, Buffer.from([8, 1, 16, 2]));
  const time = Buffer.from([9 << 3, 5]);
  const periodType = field(11, Buffer.from([8, 1, 16, 2]));
  test.each([
    ["type", [type, time]],
    ["time", [time, type]],
    ["type of the period", [periodType, type, field(6, Buffer.from("cpu"))]],
  ])("%s", (_, parts) => expect(kind(Buffer.concat(parts))).toMatchObject({ kind: "profile", format: "pprof" }));

  test("without a type of values it is none, nor with a field that pprof has not", () => {
    expect(kind(Buffer.concat([time, periodType]))).toMatchObject({ kind: "unknown" });
    expect(kind(Buffer.concat([time, type, field(16, Buffer.alloc(1))]))).toMatchObject({ kind: "unknown" });
  });
});

describe("JSON", () => {
  const document = { layout: "document" };
  test.each([
    ['{"resourceSpans":[]}', { kind: "otlp-json", ...document }],
    ['\ufeff \n{"resource_spans":[{"scope_spans":', { kind: "otlp-json", layout: "unsure" }],
    ['{\n "resourceSpans": [', { kind: "otlp-json", ...document }],
    ['{"resourceSpans":[]}\n{"resourceSpans":[]}\n', { kind: "otlp-json", layout: "lines" }],
    ["{}", { kind: "otlp-json", ...document }],
    ['{"resourceMetrics":[{}]}', { kind: "otlp-metrics-json", ...document }],
    ['{"resourceLogs":[', { kind: "not-used", signal: "logs", format: "JSON" }],
    ['{"data":[{"traceID":"a","spans":[]}],"total":0}', { kind: "jaeger-json", ...document }],
    ['{"total":0,"data":[]}', { kind: "unknown" }],
    ['{"data":[]}', { kind: "jaeger-json", ...document }],
    ['{"data":"dog"}', { kind: "unknown" }],
    ['[{"traceID":"a","spans":[]}]', { kind: "jaeger-json", ...document }],
    ['{"traceID":"a","spans":[]}', { kind: "jaeger-json", ...document }],
    ['{"traceID":"a","spans":[]}\n{"traceID":"b"}', { kind: "jaeger-json", layout: "lines" }],
    ['[{"traceId":"a","id":"b"}]', { kind: "zipkin-json", ...document }],
    ['[[{"traceId":"a","id":"b"', { kind: "zipkin-json", layout: "unsure" }],
    ['{"traceId":"a","id":"b"}\n{"traceId":"a","id":"c"}', { kind: "zipkin-json", layout: "lines" }],
    ["[]", { kind: "zipkin-json", ...document }],
    ['[{"traceId":"a","binaryAnnotations":[]}]', { kind: "unsupported", what: "Zipkin v1 JSON" }],
    ['{"traceEvents":[]}', { kind: "unsupported", what: "a Chrome trace" }],
    ['{"nodes":[],"samples":[]}', { kind: "profile", format: "cpuprofile" }],
    ['{"nodes":[{"id":1,"callFrame":{"functionName":"(root)"', { kind: "profile", format: "cpuprofile" }],
    ['{"head":{"callFrame":{},"selfSize":0', { kind: "profile", format: "heapprofile" }],
    [
      '{"name":"x","scripts":{"traceId":1}}',
      { kind: "unknown", found: 'JSON with the keys "name", "scripts", "traceId"' },
    ],
    ["[//]: # (a comment)", { kind: "unknown" }],
    ['{"a":"resourceSpans\\"', { kind: "unknown" }],
  ])("%s", (content, want) => {
    expect(kind(content)).toMatchObject(want);
  });
});

describe("Prometheus text and OpenMetrics", () => {
  test.each([
    "# HELP up x\n# TYPE up gauge\nup 1\n",
    "# TYPE up gauge\nup 1\n",
    "# UNIT request_seconds seconds\n",
    "# EOF\n",
    'http_requests_total{code="200"} 1027\n',
    "up 1",
    "up +Inf 1395066363000\n",
    'a:b_c{x="}"} NaN 1395066363.5\n',
    'foo_bucket{le="0.1"} 8 # {trace_id="0af7651916cd43dd8448eb211c80319c"} 0.054 1520879607.7\n',
  ])("%j", (content) => {
    expect(kind(content)).toEqual({ kind: "prometheus-text" });
  });
  test.each(["a comment # TYPE", "# TYPO up gauge", "up one", "up 1 2 3", "up;down 1", "hello world 5 x"])(
    "not: %j",
    (content) => {
      expect(kind(content)).not.toMatchObject({ kind: "prometheus-text" });
    },
  );
});

describe("what is neither traces nor metrics", () => {
  test.each([
    ["", "empty"],
    [" \n\t\n", "empty"],
    ["# HELP up x\n# TYPE up gauge\nup 1\n", "prometheus-text"],
    ['http_requests_total{code="200"} 1027\n', "prometheus-text"],
    ["main;parse;read 42\n", "folded"],
    ["main 12\nmain;parse 3\n", "folded"],
    ["main;operator new(unsigned long);x y\nmain;b\n", "folded"],
    ["time;value\n1;2\n", "unknown bytes 74 69 6d 65 3b 76 61 6c"],
    ['http_requests{path="/a;b"} 12\n', "prometheus-text"],
    [
      "# captured on: x\n#\njava 11008 [001] 30143.48: cpu-clock: \n\tffffffff81001408 f ([kernel.kallsyms])\n\n",
      "perf-script",
    ],
    ["VM Thread 9/10 cycles:ppp: \n 7f00 a::b(c d) (/lib/x.so)\n", "perf-script"],
    ["perf 12 [000] 1.25:    1 cycles:  ffff native_write ([kernel.kallsyms])\n", "perf-script"],
    ["Nov 25 18:00:01 host sshd[12]: started\n  on port 22\n", 'unknown "Nov 25 18:00:01 "'],
    ["time,value\n1,2\n", "a CSV file"],
    ["<!DOCTYPE html><html>", "an HTML or XML page"],
    ["PK\x03\x04....", "a zip archive"],
    ["BZh91AY", "a bzip2-compressed file"],
    ["hello world", 'unknown "hello world"'],
  ])("%j", (content, want) => {
    const found = detectKind(Buffer.from(content, "latin1"));
    const text =
      found.kind === "unsupported"
        ? found.what
        : found.kind === "profile"
          ? found.format
          : found.kind === "unknown"
            ? `unknown ${found.found}`
            : found.kind;
    expect(text).toBe(want);
  });

  test("pprof, tar and zeros", () => {
    expect(kind(Buffer.from([0x0a, 4, 8, 1, 0x10, 2, 0x0a, 4, 8, 3, 0x10, 4]))).toMatchObject({
      kind: "profile",
      format: "pprof",
    });
    const tar = Buffer.alloc(600, 0x61);
    tar.write("ustar", 257);
    expect(kind(tar)).toMatchObject({ what: "a tar archive" });
    expect(kind(Buffer.alloc(65_536))).toEqual({ kind: "unknown", found: "bytes 00 00 00 00 00 00 00 00" });
  });
});
