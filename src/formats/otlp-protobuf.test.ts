import fc from "fast-check";
import type protobuf from "protobufjs";
import { describe, expect, test } from "vitest";
import { usually } from "../testing/long-tests.ts";
import {
  encodeRequest,
  RequestType,
  type SampleRequest,
  sampleRequests,
  seededRandom,
} from "../testing/otlp-sample.ts";
import { type AttributeTable, AttributeType } from "../model/attribute-table.ts";
import { InputError, Intake } from "../model/intake.ts";
import { SpanTableBuilder } from "../model/span-table-builder.ts";
import { assertSpanTable, idHex, type SpanTable, spanIdHex, traceIdHex } from "../model/span-table.ts";
import { decodeOtlpTraces } from "./otlp-protobuf.ts";

/** A span as plain values, for comparing two decoders. */
interface PlainSpan {
  traceId: string;
  spanId: string;
  parentSpanId: string;
  traceState: string;
  name: string;
  kind: number;
  start: string;
  end: string;
  status: number;
  scope: string;
  attributes: string[];
  resource: string[];
  events: string[];
  links: string[];
}

function decode(bytes: Uint8Array): { table: SpanTable; intake: Intake; error?: InputError } {
  const builder = new SpanTableBuilder();
  const intake = new Intake();
  let error: InputError | undefined;
  try {
    decodeOtlpTraces(bytes, builder, intake, "f");
  } catch (thrown) {
    if (!(thrown instanceof InputError)) throw thrown;
    error = thrown;
  }
  const { table } = builder.finish();
  assertSpanTable(table);
  const rejected = [...intake.rejected.values()].reduce((sum, { spans }) => sum + spans, 0);
  expect(intake.received).toBe(intake.accepted + rejected);
  expect(table.rowCount).toBeLessThanOrEqual(intake.accepted);
  return { table, intake, ...(error === undefined ? {} : { error }) };
}

function listText(table: SpanTable, attributes: AttributeTable, list: number): string[] {
  const texts: string[] = [];
  for (let row = attributes.listStart[list]!; row < attributes.listStart[list + 1]!; row++) {
    const value = attributes.value[row]!;
    const type = attributes.type[row]!;
    const shown =
      type === AttributeType.string || type === AttributeType.json ? table.strings.get(value) : String(value);
    texts.push(`${table.strings.get(attributes.key[row]!)}=${type}:${shown}`);
  }
  return texts;
}

function plainSpans(table: SpanTable): PlainSpan[] {
  const unix = (offset: number): string => String(table.baseUnixNs + BigInt(offset));
  const spans = Array.from({ length: table.rowCount }, (_, row) => ({
    traceId: traceIdHex(table, row),
    spanId: spanIdHex(table, row),
    parentSpanId: idHex(table.parentSpanId, 2 * row, 2),
    traceState: table.strings.get(table.traceState[row]!),
    name: table.strings.get(table.name[row]!),
    kind: table.kind[row]!,
    start: unix(table.startOffsetNs[row]!),
    end: unix(table.endOffsetNs[row]!),
    status: table.status[row]!,
    scope: table.strings.get(table.scope[row]!),
    attributes: listText(table, table.attributes, row),
    resource: listText(table, table.resources, table.resource[row]!),
    events: [] as string[],
    links: [] as string[],
  }));
  table.events.span.forEach((span, i) => {
    const name = table.strings.get(table.events.name[i]!);
    spans[span]!.events.push(
      `${unix(table.events.timeOffsetNs[i]!)} ${name} ${listText(table, table.events.attributes, i).join()}`,
    );
  });
  table.links.span.forEach((span, i) => {
    spans[span]!.links.push(`${traceIdHex(table.links, i)} ${spanIdHex(table.links, i)}`);
  });
  return spans;
}

/** The same from protobufjs' objects; spans that OTLP calls invalid are left out. */
function referenceSpans(bytes: Uint8Array): { spans: PlainSpan[]; received: number } {
  const request = RequestType.toObject(RequestType.decode(bytes), {
    longs: String,
    bytes: Buffer,
    defaults: true,
    arrays: true,
  }) as SampleRequest;
  const hex = (id: Uint8Array | undefined, size: number): string =>
    Buffer.from(id ?? [])
      .toString("hex")
      .padStart(2 * size, "0");
  const isId = (id: Uint8Array, size: number): boolean => id.length === size && id.some((byte) => byte !== 0);
  const spans: PlainSpan[] = [];
  let received = 0;
  for (const { resource, scopeSpans } of request.resourceSpans) {
    for (const scope of scopeSpans) {
      for (const span of scope.spans) {
        received++;
        const parent = span.parentSpanId ?? new Uint8Array(0);
        if (!isId(span.traceId, 16) || !isId(span.spanId, 8) || (parent.length !== 0 && parent.length !== 8)) continue;
        if (span.startTimeUnixNano === "0" || span.endTimeUnixNano === "0") continue;
        if (span.links!.some((link) => ![0, 16].includes(link.traceId.length) || ![0, 8].includes(link.spanId.length)))
          continue;
        const links = span.links!.filter((link) => isId(link.traceId, 16) && isId(link.spanId, 8));
        const { code = 0, deprecatedCode = 0 } = span.status ?? {};
        const known = code >= 0 && code <= 2 ? code : 0;
        spans.push({
          traceId: hex(span.traceId, 16),
          spanId: hex(span.spanId, 8),
          parentSpanId: hex(parent, 8),
          traceState: span.traceState ?? "",
          name: span.name,
          kind: span.kind! >= 0 && span.kind! <= 5 ? span.kind! : 0,
          start: span.startTimeUnixNano!,
          end: span.endTimeUnixNano!,
          status: known === 0 && deprecatedCode !== 0 ? 2 : known,
          scope: scope.scope?.name ?? "",
          attributes: span.attributes!.map(attributeReference),
          resource: (resource?.attributes ?? []).map(attributeReference),
          events: span.events!.map(
            (event) => `${event.timeUnixNano} ${event.name} ${event.attributes!.map(attributeReference).join()}`,
          ),
          links: links.map((link) => `${hex(link.traceId, 16)} ${hex(link.spanId, 8)}`),
        });
      }
    }
  }
  return { spans, received };
}

type Value = NonNullable<NonNullable<SampleRequest["resourceSpans"][0]["resource"]>["attributes"][0]["value"]>;

function attributeReference({ key, value }: { key: string; value?: Value }): string {
  const v = value ?? {};
  if (v.stringValue !== undefined) return `${key}=${AttributeType.string}:${v.stringValue}`;
  if (v.boolValue !== undefined) return `${key}=${AttributeType.boolean}:${Number(v.boolValue)}`;
  if (v.intValue !== undefined) return `${key}=${AttributeType.number}:${Number(v.intValue)}`;
  if (v.doubleValue !== undefined) return `${key}=${AttributeType.number}:${v.doubleValue}`;
  return `${key}=${AttributeType.json}:${jsonReference(v)}`;
}

function jsonReference(v: Value | null | undefined): string {
  if (v === null || v === undefined) return "null";
  if (v.stringValue !== undefined) return JSON.stringify(v.stringValue);
  if (v.boolValue !== undefined) return String(v.boolValue);
  if (v.intValue !== undefined) return String(v.intValue);
  if (v.doubleValue !== undefined) return Number.isFinite(v.doubleValue) ? String(v.doubleValue) : `"${v.doubleValue}"`;
  if (v.bytesValue !== undefined) return `"${Buffer.from(v.bytesValue).toString("base64")}"`;
  if (v.arrayValue) return `[${v.arrayValue.values.map(jsonReference).join(",")}]`;
  if (v.kvlistValue)
    return `{${v.kvlistValue.values.map((kv) => `${JSON.stringify(kv.key)}:${jsonReference(kv.value)}`).join(",")}}`;
  return "null";
}

const time = { startTimeUnixNano: "1790000000000000001", endTimeUnixNano: "1790000000000000009" };
const id = (size: number, fill = 1): Uint8Array => new Uint8Array(size).fill(fill);
const valid = { traceId: id(16), spanId: id(8), name: "op", ...time };
const one = (span: object, extra: object = {}): Uint8Array =>
  encodeRequest({ resourceSpans: [{ scopeSpans: [{ spans: [{ ...valid, ...span }] }], ...extra }] } as SampleRequest);

/** A length-delimited field, by hand. */
const field = (number: number, ...parts: Uint8Array[]): Uint8Array => {
  const body = Buffer.concat(parts);
  return Buffer.concat([varint(number * 8 + 2), varint(body.length), body]);
};
const varint = (value: number): Uint8Array => {
  const bytes: number[] = [];
  for (; value >= 0x80; value = Math.floor(value / 128)) bytes.push((value % 128) | 0x80);
  return Uint8Array.from([...bytes, value]);
};

describe("agreement with protobufjs", () => {
  test("5,000 spans as instrumentation sends them: no difference", () => {
    for (const request of sampleRequests(50, 3)) {
      const bytes = encodeRequest(request);
      expect(plainSpans(decode(bytes).table)).toEqual(referenceSpans(bytes).spans);
    }
  });

  test("values of every kind, in spans, resources and events", () => {
    const text = fc.string({ unit: "binary", maxLength: 300 }).map((s) => Buffer.from(s).toString());
    const { value } = fc.letrec<{ value: Value }>((tie) => ({
      value: fc.oneof(
        { depthSize: "small" },
        fc.record({ stringValue: text }),
        fc.record({ boolValue: fc.boolean() }),
        fc.record({ intValue: fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n).map(String) }),
        fc.record({ intValue: fc.integer({ min: -3, max: 70_000 }) }),
        fc.record({ doubleValue: fc.double() }),
        fc.record({ bytesValue: fc.uint8Array({ maxLength: 20 }) }),
        fc.constant({}),
        fc.record({ arrayValue: fc.record({ values: fc.array(tie("value"), { maxLength: 4 }) }) }),
        fc.record({
          kvlistValue: fc.record({ values: fc.array(fc.record({ key: text, value: tie("value") }), { maxLength: 4 }) }),
        }),
      ),
    }));
    const attributes = fc.array(fc.record({ key: text, value }), { maxLength: 40 });
    fc.assert(
      fc.property(
        fc.array(fc.tuple(attributes, attributes, text, text), { maxLength: 8 }),
        attributes,
        (spans, resource) => {
          const bytes = encodeRequest({
            resourceSpans: [
              {
                resource: { attributes: resource },
                scopeSpans: [
                  {
                    scope: { name: "s" },
                    spans: spans.map(([own, ofEvent, name, traceState]) => ({
                      ...valid,
                      name,
                      traceState,
                      attributes: own,
                      events: [{ timeUnixNano: time.startTimeUnixNano, name, attributes: ofEvent }],
                    })),
                  },
                ],
              },
            ],
          });
          expect(plainSpans(decode(bytes).table)).toEqual(referenceSpans(bytes).spans);
        },
      ),
      { seed: 4, numRuns: usually(80, 400) },
    );
  });

  test("fields of every message in random order, repeated, with unknown fields and groups between", () => {
    const random = seededRandom(5);
    for (let run = 0; run < usually(100, 400); run++) {
      const [request] = sampleRequests(1, run);
      const small = {
        resourceSpans: request!.resourceSpans.map((rs) => ({
          ...rs,
          scopeSpans: rs.scopeSpans.map((s) => ({ ...s, spans: s.spans.slice(0, 3) })),
        })),
      };
      const bytes = shuffled(encodeRequest(small), RequestType, random);
      expect(plainSpans(decode(bytes).table)).toEqual(referenceSpans(bytes).spans);
    }
  });

  test("mutations: never a crash, every span counted, and the same spans where both accept", () => {
    const random = seededRandom(6);
    const base = encodeRequest({
      resourceSpans: sampleRequests(1, 8)[0]!.resourceSpans.map((rs) => ({
        ...rs,
        scopeSpans: rs.scopeSpans.map((s) => ({ ...s, spans: s.spans.slice(0, 2) })),
      })),
    });
    let bothAccept = 0;
    const runs = usually(1000, 10_000);
    for (let run = 0; run < runs; run++) {
      const bytes = new Uint8Array(base.subarray(0, random() < 0.2 ? Math.floor(random() * base.length) : base.length));
      for (let n = 1 + Math.floor(random() * 3); n > 0 && bytes.length > 0; n--)
        bytes[Math.floor(random() * bytes.length)] = Math.floor(random() * 256);
      const own = decode(bytes);
      if (own.error !== undefined || own.intake.invalidUtf8 > 0) continue;
      let reference: ReturnType<typeof referenceSpans>;
      try {
        reference = referenceSpans(bytes);
      } catch {
        // protobufjs refuses more, e.g. invalid UTF-8 in fields that are not kept.
        continue;
      }
      bothAccept++;
      expect(own.intake.received).toBe(reference.received);
      if (own.intake.accepted === own.table.rowCount) expect(plainSpans(own.table)).toEqual(reference.spans);
    }
    // Not vacuous: half of the mutations make invalid UTF-8 or damage.
    expect(bothAccept).toBeGreaterThan(0.15 * runs);
  });
});

/** The message with its fields shuffled (repeated ones keep their order), unknown fields strewn in, and old values before new ones. */
function shuffled(bytes: Uint8Array, type: protobuf.Type, random: () => number): Uint8Array {
  const parts: { key: number; bytes: Uint8Array }[] = [];
  for (let at = 0; at < bytes.length;) {
    const [tag, behindTag] = readVarint(bytes, at);
    const known = type.fieldsById[tag >>> 3]!.resolve();
    let end = behindTag + ((tag & 7) === 1 ? 8 : 4);
    let part = bytes.slice(at, end);
    if ((tag & 7) === 0) {
      end = readVarint(bytes, behindTag)[1];
      part = bytes.slice(at, end);
    } else if ((tag & 7) === 2) {
      const [length, start] = readVarint(bytes, behindTag);
      end = start + length;
      const body = bytes.slice(start, end);
      const inner =
        known.resolvedType && "fieldsById" in known.resolvedType
          ? shuffled(body, known.resolvedType as protobuf.Type, random)
          : body;
      part = Buffer.from(field(tag >>> 3, inner));
    }
    parts.push({ key: known.repeated ? tag >>> 3 : -parts.length, bytes: part });
    // A scalar that stands twice counts as its last value.
    if (!known.repeated && !known.resolvedType && known.type === "string" && random() < 0.3 && type.name === "Span") {
      parts.splice(parts.length - 1, 0, {
        key: parts.at(-1)!.key,
        bytes: Buffer.from(field(tag >>> 3, Buffer.from("old"))),
      });
    }
    at = end;
  }
  const order = parts.map((part) => ({ part, rank: random() })).sort((a, b) => a.rank - b.rank);
  // Fields of the same key get their ranks in the original order.
  const byKey = new Map<number, Uint8Array[]>();
  for (const part of parts) byKey.set(part.key, [...(byKey.get(part.key) ?? []), part.bytes]);
  const out: Uint8Array[] = [];
  for (const { part } of order) {
    if (random() < 0.2) out.push(UNKNOWN[Math.floor(random() * UNKNOWN.length)]!);
    out.push(byKey.get(part.key)!.shift()!);
  }
  return Buffer.concat(out);
}

/** Fields 100 of every wire type, a group with a group inside among them. */
const UNKNOWN = [
  Buffer.from([0xa0, 0x06, 0xff, 0x01]),
  Buffer.from([0xa1, 0x06, 1, 2, 3, 4, 5, 6, 7, 8]),
  Buffer.from([0xa2, 0x06, 2, 9, 9]),
  Buffer.from([0xa3, 0x06, 0x08, 1, 0x13, 0x1a, 1, 7, 0x14, 0xa4, 0x06]),
  Buffer.from([0xa5, 0x06, 1, 2, 3, 4]),
];

function readVarint(bytes: Uint8Array, at: number): [value: number, end: number] {
  let value = 0;
  for (let i = 0; ; i++) {
    value += (bytes[at + i]! & 0x7f) * 2 ** (7 * i);
    if (bytes[at + i]! < 0x80) return [value, at + i + 1];
  }
}

describe("spans that are refused", () => {
  test.each([
    ["a short trace id", { traceId: id(15) }, "trace-id-invalid", "trace_id of 15 bytes, not 16"],
    ["no trace id", { traceId: id(0) }, "trace-id-invalid", "no trace_id"],
    ["a trace id of zeros", { traceId: id(16, 0) }, "trace-id-invalid", "trace_id of zeros"],
    ["a long span id", { spanId: id(9) }, "span-id-invalid", "span_id of 9 bytes, not 8"],
    ["a short parent id", { parentSpanId: id(7) }, "span-id-invalid", "parent_span_id of 7 bytes, not 8"],
    ["no start", { startTimeUnixNano: "0" }, "time-missing", "no start_time_unix_nano"],
    ["no end", { endTimeUnixNano: "0" }, "time-missing", "no end_time_unix_nano"],
    [
      "a link with a short id",
      { links: [{ traceId: id(3), spanId: id(8) }] },
      "span-malformed",
      "link's trace_id of 3 bytes, not 16",
    ],
  ])("%s", (_, span, reason, found) => {
    const both = Buffer.concat([one({ ...span, attributes: [{ key: "k", value: { stringValue: "v" } }] }), one({})]);
    const { table, intake } = decode(both);
    expect(table.rowCount).toBe(1);
    expect(table.attributes.key.length).toBe(0);
    expect([...intake.rejected]).toEqual([
      [reason, { spans: 1, example: expect.stringMatching(new RegExp(`^f: byte \\d+: found ${found}`)) }],
    ]);
  });

  test("a link to nowhere is left out, a missing parent is none, an unknown kind is unspecified", () => {
    const { table, intake } = decode(
      one({ kind: 77, links: [{ traceId: id(0), spanId: id(0) }], parentSpanId: id(8, 0) }),
    );
    expect(intake.accepted).toBe(1);
    expect([table.links.rowCount, table.parentSpanId[0], table.kind[0]]).toEqual([0, 0, 0]);
  });

  test("the year 2262 among others: refused when the table is finished, and only that", () => {
    const far = one({ startTimeUnixNano: "9223372036854775807", endTimeUnixNano: "9223372036854775807" });
    const builder = new SpanTableBuilder();
    decodeOtlpTraces(Buffer.concat([one({}), far, one({})]), builder, new Intake(), "f");
    const { table, outOfRange } = builder.finish();
    expect([table.rowCount, outOfRange]).toEqual([2, 1]);
  });
});

describe("structural damage", () => {
  test.each([
    ["a varint of 11 bytes", Buffer.from([0x0a, ...Array<number>(11).fill(0xff)]), "malformed", 1],
    ["field number 0", Buffer.from([0x02, 0x00]), "malformed", 0],
    ["wire type 7", Buffer.from([0x0f]), "malformed", 1],
    ["a group's end without its start", Buffer.from([0x0c]), "malformed", 1],
    ["a group that ends as another", Buffer.from([0x0b, 0x14]), "malformed", 1],
    ["a group that does not end", Buffer.from([0x0b]), "truncated", 1],
    ["a length beyond the end", Buffer.from([0x12, 0x05, 1]), "truncated", 1],
    ["101 nested groups", Buffer.alloc(200, 0x0b), "malformed", 100],
  ])("%s", (_, bytes, code, byteOffset) => {
    expect(decode(bytes).error).toMatchObject({ code, byteOffset, file: "f" });
  });

  test("the spans before the damage stay; the offset counts from byteBase", () => {
    const good = one({});
    const builder = new SpanTableBuilder();
    const intake = new Intake();
    const bytes = Buffer.concat([good, Buffer.from([0x07])]);
    expect(() => decodeOtlpTraces(bytes, builder, intake, "f", 1000)).toThrow(
      expect.objectContaining({ byteOffset: 1000 + good.length }),
    );
    expect([intake.accepted, builder.finish().table.rowCount]).toEqual([1, 1]);
  });

  test("cut at every byte: the complete spans are there, a cut one is counted", () => {
    const spans = Array.from({ length: 4 }, (_, i) => ({
      ...valid,
      spanId: id(8, i + 1),
      attributes: [{ key: "k", value: { intValue: 300 } }],
    }));
    const bytes = encodeRequest({
      resourceSpans: [{ resource: { attributes: [] }, scopeSpans: [{ scope: { name: "s" }, spans }] }],
    } as SampleRequest);
    let last = 0;
    for (let size = 0; size < bytes.length; size++) {
      const { table, intake, error } = decode(bytes.subarray(0, size));
      if (size > 0) expect(error?.code).toBe("truncated");
      expect(table.rowCount).toBeGreaterThanOrEqual(last);
      expect(intake.received - intake.accepted).toBeLessThanOrEqual(1);
      last = table.rowCount;
    }
    expect(last).toBe(3);
  });

  test("a damaged event takes its span back, with all that was added", () => {
    // Event whose attribute says 9 bytes and has none.
    const broken = field(
      1,
      field(
        2,
        field(
          2,
          field(1, id(16)),
          field(2, id(8)),
          field(11, field(3, field(1, Buffer.from("k"))), Buffer.from([0x1a, 9])),
        ),
      ),
    );
    const builder = new SpanTableBuilder();
    const intake = new Intake();
    expect(() => decodeOtlpTraces(broken, builder, intake, "f")).toThrow(InputError);
    decodeOtlpTraces(one({}), builder, intake, "f");
    const { table } = builder.finish();
    assertSpanTable(table);
    expect([table.rowCount, table.events.rowCount, table.events.attributes.key.length]).toEqual([1, 0, 0]);
    expect(intake.rejected.get("span-malformed")?.spans).toBe(1);
  });
});

describe("limits", () => {
  test("an attribute of 20 MiB is cut to 64 KiB at a character's border, and counted", () => {
    const { table, intake } = decode(
      one({ attributes: [{ key: "k", value: { stringValue: `x${"é".repeat(10 << 20)}` } }] }),
    );
    const text = table.strings.get(table.attributes.value[0]!);
    // 65,536 bytes would end in the middle of an é: 1 + 2 * 32,767.
    expect(text).toBe(`x${"é".repeat(32_767)}`);
    expect(intake.truncatedValues).toBe(1);
  });

  test("values nested 10,000 deep: 64 levels are kept, the loss is counted", () => {
    const levels: Uint8Array[] = [];
    let size = 0;
    for (let i = 0; i < 10_000; i++) {
      // AnyValue.array_value { values { ... } }
      const inner = Buffer.concat([varint(0x0a), varint(size)]);
      const outer = Buffer.concat([varint(0x2a), varint(size + inner.length)]);
      levels.push(Buffer.concat([outer, inner]));
      size += outer.length + inner.length;
    }
    const value = Buffer.concat(levels.reverse());
    const span = [
      field(1, id(16)),
      field(2, id(8)),
      Buffer.from([0x39, 1, 0, 0, 0, 0, 0, 0, 1, 0x41, 1, 0, 0, 0, 0, 0, 0, 1]),
      field(9, field(1, Buffer.from("k")), field(2, value)),
    ];
    const { table, intake } = decode(field(1, field(2, field(2, ...span))));
    expect(intake).toMatchObject({ accepted: 1, truncatedValues: 1 });
    expect(table.strings.get(table.attributes.value[0]!)).toBe(`${"[".repeat(64)}null${"]".repeat(64)}`);
  });

  test("invalid UTF-8 reads with replacement characters and counts once per distinct string", () => {
    const bytes = Buffer.from(one({ attributes: [{ key: "key", value: { stringValue: "a~b" } }] }));
    bytes[bytes.indexOf("~")] = 0xff;
    const { table, intake } = decode(Buffer.concat([bytes, bytes]));
    expect(table.strings.get(table.attributes.value[1]!)).toBe("a\ufffdb");
    expect(intake.invalidUtf8).toBe(1);
  });
});

describe("layouts", () => {
  test("equal resources are kept once, also across requests of a file", () => {
    const resource = { resource: { attributes: [{ key: "service.name", value: { stringValue: "a" } }] } };
    const { table } = decode(Buffer.concat([one({}, resource), one({}, resource), one({})]));
    expect([...table.resource]).toEqual([0, 0, 1]);
    expect(table.resources.listCount).toBe(2);
  });

  test("instrumentation_library_spans of before 2022, and the status code of before 2021", () => {
    const span = field(
      2,
      field(1, id(16)),
      field(2, id(8)),
      Buffer.from([0x39, 1, 0, 0, 0, 0, 0, 0, 1, 0x41, 1, 0, 0, 0, 0, 0, 0, 1]),
      field(15, Buffer.from([0x08, 0x02])),
    );
    const { table } = decode(field(1, field(1000, field(1, field(1, Buffer.from("lib"))), span)));
    expect([table.rowCount, table.status[0], table.strings.get(table.scope[0]!)]).toEqual([1, 2, "lib"]);
  });
});
