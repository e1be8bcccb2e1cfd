import { expect, test } from "vitest";
import { decodeMetricsObjects, encodeMetrics } from "../testing/otlp-metrics-sample.ts";
import { RequestType } from "../testing/otlp-sample.ts";
import { InputError } from "../model/intake.ts";
import {
  addTraceBegins,
  addTraceBeginsJson,
  cutMetrics,
  cutMetricsJson,
  cutTraces,
  cutTracesJson,
  type TraceBegins,
} from "./otlp-cut.ts";

const id = (byte: number, length: number): Uint8Array => new Uint8Array(length).fill(byte);
const hex = (byte: number): string => Buffer.from(id(byte, 16)).toString("hex");

/** Two resources; trace 1 begins in the second one, earlier than its span in the first. */
const REQUEST = {
  resourceSpans: [
    {
      resource: { attributes: [{ key: "service.name", value: { stringValue: "a" } }] },
      scopeSpans: [
        {
          scope: { name: "s" },
          spans: [
            { traceId: id(1, 16), spanId: id(1, 8), name: "one", startTimeUnixNano: "150", endTimeUnixNano: "160" },
            { traceId: id(2, 16), spanId: id(2, 8), name: "two", startTimeUnixNano: "300", endTimeUnixNano: "400" },
          ],
        },
      ],
    },
    {
      resource: { attributes: [{ key: "service.name", value: { stringValue: "b" } }] },
      scopeSpans: [
        {
          spans: [
            {
              traceId: id(1, 16),
              spanId: id(3, 8),
              // Longer than a length of one byte can say.
              name: "x".repeat(300),
              startTimeUnixNano: "100",
              endTimeUnixNano: "170",
            },
          ],
        },
      ],
    },
  ],
};

const encoded = RequestType.encode(RequestType.fromObject(REQUEST)).finish();
const objects = (bytes: Uint8Array): unknown => RequestType.decode(bytes).toJSON();

test("traces begin with their first span, whatever resource it is of", () => {
  const begins: TraceBegins = new Map();
  addTraceBegins(begins, encoded);
  expect([...begins]).toEqual([
    [hex(1), 100n],
    [hex(2), 300n],
  ]);
});

test("what is kept is whole, what loses all goes; as protobufjs reads it", () => {
  const whole = objects(encoded) as typeof REQUEST;
  expect(objects(cutTraces(encoded, () => true))).toEqual(whole);
  expect(cutTraces(encoded, () => false)).toHaveLength(0);
  const second = objects(cutTraces(encoded, (trace) => trace === hex(2)));
  const [first] = whole.resourceSpans;
  expect(second).toEqual({
    resourceSpans: [{ ...first, scopeSpans: [{ ...first!.scopeSpans[0], spans: [first!.scopeSpans[0]!.spans[1]] }] }],
  });
});

test("requests one after the other are one, as they are received", () => {
  const two = Buffer.concat([encoded, encoded]);
  const kept = objects(cutTraces(two, (trace) => trace === hex(1))) as { resourceSpans: unknown[] };
  expect(kept.resourceSpans).toHaveLength(4);
});

test("the same in JSON", () => {
  const json = JSON.parse(
    JSON.stringify(REQUEST, (_, value: unknown) =>
      value instanceof Uint8Array ? Buffer.from(value).toString("hex") : value,
    ),
  ) as typeof REQUEST;
  const begins: TraceBegins = new Map();
  addTraceBeginsJson(begins, json);
  expect(begins.get(hex(1))).toBe(100n);
  expect(cutTracesJson(json, () => false)).toBeUndefined();
  expect(cutTracesJson(json, () => true)).toEqual(json);
  const second = cutTracesJson(json, (trace) => trace === hex(2)) as typeof REQUEST;
  expect(second.resourceSpans.map(({ scopeSpans }) => scopeSpans.map(({ spans }) => spans.length))).toEqual([[1]]);
});

const POINTS = {
  resourceMetrics: [
    {
      resource: { attributes: [] },
      scopeMetrics: [
        {
          metrics: [
            { name: "early", gauge: { dataPoints: [{ timeUnixNano: "99", asDouble: 1 }] } },
            {
              name: "both",
              unit: "s",
              sum: {
                dataPoints: [
                  { timeUnixNano: "100", asInt: 1 },
                  { timeUnixNano: "200", asInt: 2 },
                ],
                aggregationTemporality: 2,
                isMonotonic: true,
              },
            },
            { name: "h", histogram: { dataPoints: [{ timeUnixNano: "150", count: "3" }], aggregationTemporality: 1 } },
          ],
        },
      ],
    },
  ],
};

test("points from the first moment on and before the last, of all kinds", () => {
  const bytes = cutMetrics(encodeMetrics(POINTS), 100n, 200n);
  const wanted = structuredClone(POINTS);
  const [scope] = wanted.resourceMetrics[0]!.scopeMetrics;
  scope!.metrics.shift();
  scope!.metrics[0]!.sum!.dataPoints.pop();
  expect(decodeMetricsObjects(bytes)).toEqual(decodeMetricsObjects(encodeMetrics(wanted)));
  expect(cutMetricsJson(POINTS, 100n, 200n)).toEqual(wanted);
  expect(cutMetricsJson(POINTS, 500n, 600n)).toBeUndefined();
});

test.each([undefined, null, 7, "x", [], {}, { resourceSpans: 5 }, { resourceSpans: [null, { scopeSpans: [{}] }] }])(
  "JSON that is none of it, %j, leaves nothing",
  (value) => {
    expect(cutTracesJson(value, () => true)).toBeUndefined();
  },
);

test("bytes that are no protobuf are told as such", () => {
  expect(() => cutTraces(Uint8Array.of(0x0a, 0x7f, 1), () => true)).toThrow(InputError);
});
