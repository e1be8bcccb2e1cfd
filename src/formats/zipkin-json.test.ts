import fc from "fast-check";
import { expect, test } from "vitest";
import { Intake } from "../model/intake.ts";
import { SpanTableBuilder } from "../model/span-table-builder.ts";
import { SpanKind } from "../model/span-table.ts";
import { type DecodedSpans, decodedSpans } from "../testing/decoded-spans.ts";
import { usually } from "../testing/long-tests.ts";
import { randomJson } from "../testing/random-json.ts";
import type { SpanObject } from "../testing/span-objects.ts";
import { decodeZipkinJson } from "./zipkin-json.ts";

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

function decode(source: unknown): DecodedSpans {
  const bytes =
    source instanceof Uint8Array ? source : encode(typeof source === "string" ? source : JSON.stringify(source));
  return decodedSpans((into, intake) => decodeZipkinJson(bytes, into, intake, "f.json", 0));
}

const SPAN = {
  traceId: "5af7183fb1d4cf5f",
  id: "6b221d5bc9e6496c",
  name: "get",
  timestamp: 1_556_604_172_355_737,
  duration: 1431,
};

test("a span with everything", () => {
  const { spans, error } = decode([
    {
      traceId: "5982fe77008310cc80f1da5e10147517",
      parentId: "6b221d5bc9e6496c",
      id: "5b4185666d50f68b",
      kind: "CLIENT",
      name: "get /api",
      timestamp: 1_556_604_172_355_737,
      duration: 1431,
      localEndpoint: { serviceName: "frontend", ipv4: "192.168.99.1", port: 3306 },
      remoteEndpoint: { serviceName: "backend", ipv4: "172.19.0.2", port: 58_648 },
      tags: { "http.method": "GET", error: "timed out", "otel.scope.name": "lib" },
      annotations: [{ timestamp: 1_556_604_172_355_800, value: "wr" }],
      debug: true,
    },
  ]);
  expect(error).toBeUndefined();
  expect(spans).toEqual<SpanObject[]>([
    {
      traceId: "5982fe77008310cc80f1da5e10147517",
      spanId: "5b4185666d50f68b",
      parentSpanId: "6b221d5bc9e6496c",
      name: "get /api",
      kind: SpanKind.client,
      status: 2,
      startUnixNs: 1_556_604_172_355_737_000n,
      endUnixNs: 1_556_604_172_357_168_000n,
      scope: "lib",
      traceState: "",
      attributes: {
        "http.method": "GET",
        error: "timed out",
        "peer.service": "backend",
        "server.address": "172.19.0.2",
        "server.port": 58_648,
      },
      resource: { "service.name": "frontend", "host.ip": "192.168.99.1" },
      events: [{ unixNs: 1_556_604_172_355_800_000n, name: "wr", attributes: {} }],
      links: [],
    },
  ]);
});

test.each<[string, unknown, number]>([
  ["array of spans", [SPAN, SPAN], 2],
  ["array of traces", [[SPAN, SPAN], [], [SPAN]], 3],
  ["one span", SPAN, 1],
  ["nothing", [], 0],
])("%s", (_, document, count) => {
  const { spans, error } = decode(document);
  expect(error).toBeUndefined();
  expect(spans.length).toBe(count);
});

test.each<[string, object, Partial<SpanObject>]>([
  ["16 digits of a trace id", {}, { traceId: "00000000000000005af7183fb1d4cf5f" }],
  ["no duration", { duration: undefined }, { endUnixNs: 1_556_604_172_355_737_000n }],
  ["no parent", { parentId: null }, { parentSpanId: "" }],
  [
    "server half of a shared span",
    { kind: "SERVER", shared: true },
    { kind: 2, attributes: { "zipkin.shared": true } },
  ],
  ["not shared", { shared: false }, { attributes: {} }],
  ["producer", { kind: "PRODUCER" }, { kind: 4 }],
  ["consumer", { kind: "CONSUMER" }, { kind: 5 }],
  [
    "the remote end of a server span is no server",
    { kind: "SERVER", remoteEndpoint: { serviceName: "c", ipv4: "1.2.3.4", port: 5 } },
    { attributes: { "peer.service": "c" } },
  ],
  [
    "kind behind the remote endpoint; IPv6",
    { remoteEndpoint: { ipv6: "::1" }, kind: "CLIENT" },
    { attributes: { "server.address": "::1" } },
  ],
  ["an empty error tag", { tags: { error: "" } }, { status: 2, attributes: { error: "" } }],
  ["error = true", { tags: { error: "true" } }, { status: 2, attributes: {} }],
  ["error = false", { tags: { error: "false" } }, { status: 0, attributes: {} }],
  ["no local endpoint", {}, { resource: {} }],
])("%s", (_, fields, expected) => {
  const { spans, error, intake } = decode([{ ...SPAN, ...fields }]);
  expect(error).toBeUndefined();
  expect([...intake.rejected]).toEqual([]);
  expect(spans[0]).toMatchObject(expected);
  if (expected.attributes !== undefined) expect(spans[0]!.attributes).toEqual(expected.attributes);
});

test("equal endpoints are one resource", () => {
  const into = new SpanTableBuilder();
  const from = (serviceName: string): object => ({ ...SPAN, localEndpoint: { serviceName } });
  decodeZipkinJson(encode(JSON.stringify([from("a"), from("b"), from("a")])), into, new Intake(), "f", 0);
  expect(into.finish().table.resources.listCount).toBe(2);
});

test.each<[string, unknown, string]>([
  ["word as trace id", { ...SPAN, traceId: "trace" }, "trace-id-invalid"],
  ["no span id", { ...SPAN, id: undefined }, "span-id-invalid"],
  ["17 digits", { ...SPAN, id: "00000000000000001" }, "span-id-invalid"],
  ["no timestamp", { ...SPAN, timestamp: undefined }, "time-missing"],
  ["timestamp 0", { ...SPAN, timestamp: 0 }, "time-missing"],
  ["tag that is no text", { ...SPAN, tags: { a: 1 } }, "span-malformed"],
  ["no object", "x", "span-malformed"],
])("%s: that span alone is rejected", (_, bad, reason) => {
  const { spans, error, intake } = decode([SPAN, bad, SPAN]);
  expect(error).toBeUndefined();
  expect(spans.length).toBe(2);
  expect([...intake.rejected.keys()]).toEqual([reason]);
  expect(intake.rejected.get(reason as never)!.example).toMatch(/^f\.json: byte \d+: found /);
});

const endpoint = fc.record({ serviceName: fc.string({ minLength: 1 }), ipv4: fc.ipV4() });
const zipkinSpan = fc.record({
  traceId: fc.integer({ min: 1, max: 0xffffffff }).map((id) => id.toString(16).padStart(32, "0")),
  id: fc.integer({ min: 1, max: 0xffffffff }).map((id) => id.toString(16).padStart(16, "0")),
  parentId: fc.integer({ min: 1, max: 0xffffffff }).map((id) => id.toString(16).padStart(16, "0")),
  kind: fc.constantFrom("CLIENT", "SERVER", "PRODUCER", "CONSUMER"),
  name: fc.string({ unit: "grapheme" }),
  timestamp: fc.integer({ min: 1_790_000_000_000_000, max: 1_790_000_900_000_000 }),
  duration: fc.integer({ min: 0, max: 1e9 }),
  localEndpoint: endpoint,
  tags: fc.dictionary(fc.constantFrom("a", "é", "http.url"), fc.string({ unit: "grapheme" })),
  annotations: fc.array(
    fc.record({
      timestamp: fc.integer({ min: 1_790_000_000_000_000, max: 1_790_000_900_000_000 }),
      value: fc.string(),
    }),
    { maxLength: 2 },
  ),
});

test("any spelling of any document decodes to what JSON.parse and a walk give", () => {
  fc.assert(
    fc.property(fc.array(zipkinSpan, { maxLength: 5 }), fc.integer(), (list, seed) => {
      const text = randomJson(list, seed);
      const { spans, error } = decode(text);
      expect(error).toBeUndefined();
      expect(spans).toEqual(
        (JSON.parse(text) as typeof list).map((span) => ({
          traceId: span.traceId,
          spanId: span.id,
          parentSpanId: span.parentId,
          name: span.name,
          kind: { SERVER: 2, CLIENT: 3, PRODUCER: 4, CONSUMER: 5 }[span.kind],
          status: 0,
          startUnixNs: BigInt(span.timestamp) * 1000n,
          endUnixNs: BigInt(span.timestamp + span.duration) * 1000n,
          scope: "",
          traceState: "",
          attributes: { ...span.tags },
          resource: { "service.name": span.localEndpoint.serviceName, "host.ip": span.localEndpoint.ipv4 },
          events: span.annotations.map(({ timestamp, value }) => ({
            unixNs: BigInt(timestamp) * 1000n,
            name: value,
            attributes: {},
          })),
          links: [],
        })),
      );
    }),
    { numRuns: 200, seed: 14 },
  );
});

const SMALL = encode(
  JSON.stringify([
    [
      SPAN,
      {
        ...SPAN,
        kind: "CLIENT",
        remoteEndpoint: { serviceName: "é", port: 1 },
        tags: { a: "b" },
        annotations: [{ timestamp: 1, value: "x" }],
        shared: true,
      },
    ],
  ]),
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
    { numRuns: runs, seed: 15 },
  );
  expect(refused).toBeGreaterThan(runs / 20);
});
