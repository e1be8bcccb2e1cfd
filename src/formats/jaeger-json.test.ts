import { existsSync, readdirSync, readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Intake } from "../model/intake.ts";
import { SpanTableBuilder } from "../model/span-table-builder.ts";
import { type DecodedSpans, decodedSpans } from "../testing/decoded-spans.ts";
import { usually } from "../testing/long-tests.ts";
import { randomJson } from "../testing/random-json.ts";
import { spanObjects, type AttributeObject, type SpanObject } from "../testing/span-objects.ts";
import { decodeJaegerJson } from "./jaeger-json.ts";

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

function decode(source: unknown): DecodedSpans {
  const bytes =
    source instanceof Uint8Array ? source : encode(typeof source === "string" ? source : JSON.stringify(source));
  return decodedSpans((into, intake) => decodeJaegerJson(bytes, into, intake, "f.json", 0));
}

const SPAN = {
  traceID: "a1",
  spanID: "b1",
  operationName: "op",
  startTime: 1_544_712_660_300_000,
  duration: 1500,
  processID: "p1",
};
const PROCESSES = {
  p1: {
    serviceName: "frontend",
    tags: [
      { key: "hostname", type: "string", value: "h1" },
      { key: "ip", type: "string", value: "10.0.0.1" },
    ],
  },
};
const one = (fields: object): DecodedSpans =>
  decode([{ traceID: "a1", spans: [{ ...SPAN, ...fields }], processes: PROCESSES }]);
const padded = (id: string): string => id.padStart(16, "0");

test("an export of the UI", () => {
  const { spans, error } = decode({
    data: [
      {
        traceID: "a1",
        spans: [
          {
            ...SPAN,
            flags: 1,
            references: [],
            tags: [
              { key: "span.kind", type: "string", value: "server" },
              { key: "http.status_code", type: "int64", value: 500 },
              { key: "error", type: "bool", value: true },
              { key: "load", type: "float64", value: 0.5 },
              { key: "sampled", type: "bool", value: false },
              { key: "blob", type: "binary", value: "AAEC" },
              { key: "internal.span.format", type: "string", value: "proto" },
              { key: "otel.scope.name", type: "string", value: "lib" },
              { key: "w3c.tracestate", type: "string", value: "ot=th:8" },
            ],
            logs: [
              {
                timestamp: 1_544_712_660_300_100,
                fields: [
                  { key: "event", type: "string", value: "cache miss" },
                  { key: "n", type: "int64", value: 3 },
                ],
              },
            ],
            warnings: null,
          },
          {
            ...SPAN,
            spanID: "b2",
            references: [{ refType: "CHILD_OF", traceID: "a1", spanID: "b1" }],
            processID: "p9",
          },
        ],
        processes: PROCESSES,
        warnings: null,
      },
    ],
    total: 0,
    errors: null,
  });
  expect(error).toBeUndefined();
  expect(spans).toEqual<SpanObject[]>([
    {
      traceId: padded("a1").padStart(32, "0"),
      spanId: padded("b1"),
      parentSpanId: "",
      name: "op",
      kind: 2,
      status: 2,
      startUnixNs: 1_544_712_660_300_000_000n,
      endUnixNs: 1_544_712_660_301_500_000n,
      scope: "lib",
      traceState: "ot=th:8",
      attributes: { "http.status_code": 500, load: 0.5, sampled: false, blob: { json: "AAEC" } },
      resource: { "service.name": "frontend", hostname: "h1", ip: "10.0.0.1", "host.name": "h1" },
      events: [{ unixNs: 1_544_712_660_300_100_000n, name: "cache miss", attributes: { n: 3 } }],
      links: [],
    },
    expect.objectContaining({ spanId: padded("b2"), parentSpanId: padded("b1"), kind: 0, status: 0, resource: {} }),
  ]);
});

const trace = { traceID: "a1", processes: PROCESSES, spans: [SPAN] };
test.each<[string, unknown, number]>([
  ["array of traces", [trace, trace], 2],
  ["one trace", trace, 1],
  ["an export without traces", { data: [] }, 0],
  ["an export of nothing", { data: null, errors: [{ code: 404 }] }, 0],
  ["trace with its processes last", { spans: [SPAN], traceID: "a1", processes: PROCESSES }, 1],
  [
    "spans with their process inside",
    [
      { ...SPAN, process: PROCESSES.p1 },
      { ...SPAN, process: PROCESSES.p1 },
    ],
    2,
  ],
  ["one such span", { ...SPAN, process: PROCESSES.p1 }, 1],
  [
    "spans without a trace id of their own",
    { traceID: "a1", processes: PROCESSES, spans: [{ ...SPAN, traceID: undefined }] },
    1,
  ],
])("%s", (_, document, count) => {
  const { spans, error, intake } = decode(document);
  expect(error).toBeUndefined();
  expect([...intake.rejected]).toEqual([]);
  expect(spans.map(({ resource, traceId }) => [resource["service.name"], traceId])).toEqual(
    Array.from({ length: count }, () => ["frontend", "a1".padStart(32, "0")]),
  );
});

test("processes are named per trace; equal ones are kept once", () => {
  const into = new SpanTableBuilder();
  const named = (name: string): object => ({ ...trace, processes: { p1: { serviceName: name } } });
  decodeJaegerJson(encode(JSON.stringify({ data: [named("a"), named("b"), named("a")] })), into, new Intake(), "f", 0);
  const { table } = into.finish();
  expect(spanObjects(table).map(({ resource }) => resource["service.name"])).toEqual(["a", "b", "a"]);
  expect(table.resources.listCount).toBe(2);
});

describe("references", () => {
  const childOf = (spanID: string, traceID = "a1"): object => ({ refType: "CHILD_OF", traceID, spanID });
  const followsFrom = (spanID: string, traceID = "a1"): object => ({ refType: "FOLLOWS_FROM", traceID, spanID });
  test.each<[string, object, string, string[]]>([
    ["CHILD_OF is the parent", { references: [childOf("c1")] }, "c1", []],
    ["FOLLOWS_FROM alone is the parent and a link", { references: [followsFrom("c1")] }, "c1", ["c1"]],
    ["CHILD_OF goes before FOLLOWS_FROM", { references: [followsFrom("c1"), childOf("c2")] }, "c2", ["c1"]],
    ["a second CHILD_OF is a link", { references: [childOf("c1"), childOf("c2")] }, "c1", ["c2"]],
    ["CHILD_OF into another trace is a link", { references: [childOf("c1", "ff")] }, "", ["c1"]],
    ["FOLLOWS_FROM into another trace is no parent", { references: [followsFrom("c1", "ff")] }, "", ["c1"]],
    [
      "a reference without trace id is one into this trace",
      { references: [{ refType: "CHILD_OF", spanID: "c1" }] },
      "c1",
      [],
    ],
    ["the legacy parent", { parentSpanID: "c1", references: [] }, "c1", []],
    [
      "the legacy parent goes before FOLLOWS_FROM",
      { parentSpanID: "c1", references: [followsFrom("c2")] },
      "c1",
      ["c2"],
    ],
    ["a legacy parent of zero is none", { parentSpanID: "0" }, "", []],
    ["no references", { references: null }, "", []],
  ])("%s", (_, fields, parent, links) => {
    for (const span of [
      { ...SPAN, ...fields },
      { ...fields, ...SPAN },
    ]) {
      const { spans, error } = decode([{ spans: [span], processes: PROCESSES }]);
      expect(error).toBeUndefined();
      expect(spans[0]!.parentSpanId).toBe(parent === "" ? "" : padded(parent));
      expect(spans[0]!.links.map(({ spanId }) => spanId)).toEqual(links.map(padded));
    }
  });
});

test("ids that are not hex are the same wherever they stand", () => {
  const { spans } = decode([
    { ...SPAN, traceID: "trace one", spanID: "root" },
    {
      ...SPAN,
      traceID: "trace one",
      spanID: "leaf",
      references: [{ refType: "CHILD_OF", traceID: "trace one", spanID: "root" }],
    },
  ]);
  expect(spans[1]!.parentSpanId).toBe(spans[0]!.spanId);
  expect(spans[1]!.traceId).toBe(spans[0]!.traceId);
  expect(spans[1]!.spanId).not.toBe(spans[0]!.spanId);
});

test.each<[string, object, Partial<SpanObject>]>([
  ["start 0", { startTime: 0 }, { startUnixNs: 0n, endUnixNs: 1_500_000n }],
  ["a fraction of a microsecond", { startTime: 10.25, duration: 0.5 }, { startUnixNs: 10_250n, endUnixNs: 10_750n }],
  [
    "startTimeMillis",
    { startTime: undefined, startTimeMillis: 1_544_712_660_300 },
    { startUnixNs: 1_544_712_660_300_000_000n },
  ],
  ["startTime goes before startTimeMillis", { startTimeMillis: 5 }, { startUnixNs: 1_544_712_660_300_000_000n }],
  ["no duration", { duration: undefined }, { endUnixNs: 1_544_712_660_300_000_000n }],
  ["negative duration", { duration: -1000 }, { endUnixNs: 1_544_712_660_299_000_000n }],
  [
    "numbers as text",
    {
      startTime: "1544712660300001",
      tags: [
        { key: "n", type: "int64", value: "200" },
        { key: "b", value: "true", type: "bool" },
      ],
    },
    { startUnixNs: 1_544_712_660_300_001_000n, attributes: { n: 200, b: true } },
  ],
  [
    "type behind the value, or missing",
    {
      tags: [
        { value: "2.5", key: "n", type: "float64" },
        { key: "s", value: "2" },
        { key: "m", value: 2 },
        { key: "z", value: null },
      ],
    },
    { attributes: { n: 2.5, s: "2", m: 2 } },
  ],
  ["error as text", { tags: [{ key: "error", type: "string", value: "true" }] }, { status: 2, attributes: {} }],
  ["error = false", { tags: [{ key: "error", type: "bool", value: false }] }, { status: 0, attributes: {} }],
  [
    "error with a message",
    { tags: [{ key: "error", type: "string", value: "boom" }] },
    { status: 0, attributes: { error: "boom" } },
  ],
  [
    "otel.status_code decides",
    {
      tags: [
        { key: "otel.status_code", value: "OK" },
        { key: "error", type: "bool", value: true },
      ],
    },
    { status: 1, attributes: {} },
  ],
  ["otel.status_code = ERROR", { tags: [{ key: "otel.status_code", value: "ERROR" }] }, { status: 2 }],
  [
    "an unknown kind stays a tag",
    { tags: [{ key: "span.kind", value: "odd" }] },
    { kind: 0, attributes: { "span.kind": "odd" } },
  ],
])("%s", (_, fields, expected) => {
  const { spans, error, intake } = one(fields);
  expect(error).toBeUndefined();
  expect([...intake.rejected]).toEqual([]);
  expect(spans[0]).toMatchObject(expected);
  if (expected.attributes !== undefined) expect(spans[0]!.attributes).toEqual(expected.attributes);
});

test.each<[string, unknown, string]>([
  ["no trace id", { ...SPAN, traceID: undefined }, "trace-id-invalid"],
  ["empty span id", { ...SPAN, spanID: "" }, "span-id-invalid"],
  ["zero span id", { ...SPAN, spanID: "0" }, "span-id-invalid"],
  ["no start", { ...SPAN, startTime: undefined }, "time-missing"],
  ["negative start", { ...SPAN, startTime: -1 }, "time-out-of-range"],
  ["an end before 1970", { ...SPAN, startTime: 1, duration: -2 }, "time-out-of-range"],
  ["word as duration", { ...SPAN, duration: "long" }, "span-malformed"],
  ["tags as map", { ...SPAN, tags: {} }, "span-malformed"],
  ["word as number", { ...SPAN, tags: [{ key: "n", type: "int64", value: "x" }] }, "span-malformed"],
  ["odd reference", { ...SPAN, references: [{ refType: "SIBLING", spanID: "1" }] }, "span-malformed"],
  ["reference to nothing", { ...SPAN, references: [{ refType: "CHILD_OF" }] }, "span-id-invalid"],
  ["no object", 17, "span-malformed"],
])("%s: that span alone is rejected", (_, bad, reason) => {
  const { spans, error, intake } = decode([{ spans: [SPAN, bad, SPAN], processes: PROCESSES }]);
  expect(error).toBeUndefined();
  expect(spans.map(({ resource }) => resource["service.name"])).toEqual(["frontend", "frontend"]);
  expect([...intake.rejected.keys()]).toEqual([reason]);
  expect(intake.rejected.get(reason as never)!.example).toMatch(/^f\.json: byte \d+: found /);
});

test.each([
  ['{"data":{}}', 8, "an array"],
  ['{"processes":{"p":7}}', 18, "an object"],
  ["[7]", 1, "an object"],
  ["7", 0, "an object"],
  ['[{"data":[]}]', 1, "a trace or a span"],
  ['[{"_source":{}}]', 1, "an object with data, spans or a span's fields"],
])("%s is an InputError", (source, byteOffset, expected) => {
  expect(decode(source).error).toMatchObject({ code: "malformed", byteOffset, expected });
});

const FIXTURES = new URL("../../../shared/data/critical-path/crisp/", import.meta.url);
test.skipIf(!existsSync(FIXTURES))("CRISP's fixtures load (skipped where ../shared/data is absent)", () => {
  const files = readdirSync(FIXTURES).filter((name) => name.endsWith(".json"));
  expect(files.length).toBe(10);
  for (const name of files) {
    const text = readFileSync(new URL(name, FIXTURES), "utf8");
    const { spans, error, intake } = decode(text);
    expect(error).toBeUndefined();
    expect([...intake.rejected]).toEqual([]);
    expect(spans).toEqual(reference(text));
  }
});

// A second, straightforward way from text to spans.

interface Tag {
  key: string;
  value: string | number | boolean;
}

function reference(text: string): SpanObject[] {
  const document = JSON.parse(text);
  const attributes = (list: Tag[] | undefined): AttributeObject =>
    Object.fromEntries((list ?? []).map(({ key, value }) => [key, value]));
  const spans: SpanObject[] = [];
  for (const { processes, spans: list } of document.data ?? document) {
    for (const span of list) {
      const ns = (us: number): bigint => BigInt(us) * 1000n;
      const process = processes[span.processID];
      spans.push({
        traceId: (span.traceID as string).toLowerCase().padStart(32, "0"),
        spanId: padded((span.spanID as string).toLowerCase()),
        parentSpanId: span.references.length === 0 ? "" : padded((span.references[0].spanID as string).toLowerCase()),
        name: span.operationName,
        kind: 0,
        status: 0,
        startUnixNs: ns(span.startTime),
        endUnixNs: ns(span.startTime) + ns(span.duration),
        scope: "",
        traceState: "",
        attributes: attributes(span.tags),
        resource: process === undefined ? {} : { "service.name": process.serviceName, ...attributes(process.tags) },
        events: (span.logs ?? []).map((log: { timestamp: number; fields: Tag[] }) => ({
          unixNs: ns(log.timestamp),
          name: "",
          attributes: attributes(log.fields),
        })),
        links: [],
      });
    }
  }
  return spans;
}

const hexId = fc.integer({ min: 1, max: 0xffffffff }).map((value) => value.toString(16));
const string = fc.oneof(fc.constantFrom("GET", "é😀", 'q"\\\n'), fc.string({ unit: "grapheme", minLength: 1 }));
const tags = fc.uniqueArray(
  fc.oneof(
    fc.record({ key: fc.constantFrom("a", "b"), type: fc.constant("string"), value: string }),
    fc.record({
      key: fc.constantFrom("c", "d"),
      type: fc.constant("int64"),
      value: fc.maxSafeInteger().map((value) => value + 0),
    }),
    fc.record({ key: fc.constantFrom("e", "f"), type: fc.constant("bool"), value: fc.boolean() }),
  ),
  { selector: ({ key }) => key, maxLength: 4 },
);
const microseconds = fc.integer({ min: 1_790_000_000_000_000, max: 1_790_000_900_000_000 });
const jaegerSpan = fc.record({
  traceID: fc.constant("abc"),
  spanID: hexId,
  operationName: string,
  references: fc.array(fc.record({ refType: fc.constant("CHILD_OF"), traceID: fc.constant("abc"), spanID: hexId }), {
    maxLength: 1,
  }),
  startTime: microseconds,
  duration: fc.integer({ min: 0, max: 1e9 }),
  tags,
  logs: fc.array(fc.record({ timestamp: microseconds, fields: tags }), { maxLength: 2 }),
  processID: fc.constantFrom("p1", "p2", "p3"),
});
const jaegerTrace = fc.record({
  traceID: fc.constant("abc"),
  spans: fc.array(jaegerSpan, { maxLength: 4 }),
  processes: fc.record({ p1: fc.record({ serviceName: string, tags }), p2: fc.record({ serviceName: string }) }),
});

test("any spelling of any document decodes to what JSON.parse and a walk give", () => {
  fc.assert(
    fc.property(fc.array(jaegerTrace, { maxLength: 3 }), fc.boolean(), fc.integer(), (traces, isExport, seed) => {
      const text = randomJson(isExport ? { data: traces, total: 0 } : traces, seed);
      const { spans, error, intake } = decode(text);
      expect(error).toBeUndefined();
      expect([...intake.rejected]).toEqual([]);
      expect(spans).toEqual(reference(text));
    }),
    { numRuns: 200, seed: 12 },
  );
});

const SMALL = encode(
  JSON.stringify({
    data: [
      {
        ...trace,
        spans: [
          SPAN,
          {
            ...SPAN,
            tags: [{ key: "é", type: "int64", value: 1 }],
            references: [{ refType: "CHILD_OF", traceID: "a1", spanID: "x" }],
            logs: [{ timestamp: 1, fields: [] }],
          },
        ],
      },
    ],
  }),
);

test("cut at every byte: an InputError, and accepted spans only grow", () => {
  let before = 0;
  for (let length = 0; length < SMALL.length; length++) {
    const { error, intake } = decode(SMALL.slice(0, length));
    expect(error).toMatchObject({ code: "truncated", byteOffset: length });
    expect(intake.accepted).toBeGreaterThanOrEqual(before);
    before = intake.accepted;
  }
  expect(before).toBe(2);
});

test("mutated documents: accepted, rejected or an InputError, never anything else", () => {
  const runs = usually(500, 2000);
  let refused = 0;
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(SMALL.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 }), (edits) => {
      const bytes = SMALL.slice();
      for (const [at, byte] of edits) bytes[at] = byte;
      // decode() checks the account of spans and throws on whatever is no InputError.
      if (decode(bytes).error !== undefined) refused++;
    }),
    { numRuns: runs, seed: 13 },
  );
  expect(refused).toBeGreaterThan(runs / 20);
});
