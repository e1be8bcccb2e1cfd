import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Intake } from "../model/intake.ts";
import { SpanTableBuilder } from "../model/span-table-builder.ts";
import { type DecodedSpans, decodedSpans } from "../testing/decoded-spans.ts";
import { usually } from "../testing/long-tests.ts";
import { randomJson } from "../testing/random-json.ts";
import type { AttributeObject, SpanObject } from "../testing/span-objects.ts";
import { decodeOtlpJson } from "./otlp-json.ts";

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

const decode = (source: string | Uint8Array, byteBase = 0): DecodedSpans =>
  decodedSpans((into, intake) =>
    decodeOtlpJson(typeof source === "string" ? encode(source) : source, into, intake, "f.json", byteBase),
  );

const TRACE = "5b8efff798038103d269b633813fc60c";
const SPAN = {
  traceId: TRACE,
  spanId: "eee19b7ec3c1b174",
  name: "s",
  startTimeUnixNano: "1544712660000000000",
  endTimeUnixNano: "1544712661000000000",
};
const request = (...spans: unknown[]): unknown => ({ resourceSpans: [{ scopeSpans: [{ spans }] }] });

test("a whole request", () => {
  const { spans, intake, error } = decode(
    JSON.stringify({
      resourceSpans: [
        {
          resource: { attributes: [{ key: "service.name", value: { stringValue: "my.service" } }] },
          schemaUrl: "https://opentelemetry.io/schemas/1.4.0",
          scopeSpans: [
            {
              scope: { name: "my.library", version: "1.0.0", attributes: [{ key: "x", value: { stringValue: "y" } }] },
              spans: [
                {
                  ...SPAN,
                  parentSpanId: "eee19b7ec3c1b173",
                  traceState: "ot=th:8",
                  name: "I'm a server span",
                  startTimeUnixNano: "1544712660000000001",
                  kind: 2,
                  attributes: [
                    { key: "my.span.attr", value: { stringValue: "some value" } },
                    { key: "int", value: { intValue: "-42" } },
                    { key: "bare", value: { intValue: 7 } },
                    { key: "double", value: { doubleValue: 0.25 } },
                    { key: "bool", value: { boolValue: true } },
                    { key: "empty", value: {} },
                    {
                      key: "list",
                      value: { arrayValue: { values: [{ stringValue: 'a"' }, { intValue: "9007199254740993" }, {}] } },
                    },
                    {
                      key: "map",
                      value: { kvlistValue: { values: [{ value: { boolValue: false }, key: "k" }, { key: "n" }] } },
                    },
                    { key: "bytes", value: { bytesValue: "AAEC" } },
                  ],
                  events: [
                    {
                      timeUnixNano: "1544712660500000000",
                      name: "e",
                      attributes: [{ key: "a", value: { intValue: 1 } }],
                    },
                    { timeUnixNano: "1544712660600000000" },
                  ],
                  links: [{ traceId: TRACE, spanId: "00000000000000aa", attributes: [] }],
                  status: { code: "STATUS_CODE_ERROR", message: "bad" },
                },
              ],
            },
          ],
        },
      ],
    }),
  );
  expect(error).toBeUndefined();
  expect(intake).toMatchObject({ received: 1, accepted: 1, invalidUtf8: 0, truncatedValues: 0 });
  expect(spans).toEqual<SpanObject[]>([
    {
      traceId: TRACE,
      spanId: "eee19b7ec3c1b174",
      parentSpanId: "eee19b7ec3c1b173",
      name: "I'm a server span",
      kind: 2,
      status: 2,
      startUnixNs: 1544712660000000001n,
      endUnixNs: 1544712661000000000n,
      scope: "my.library",
      traceState: "ot=th:8",
      resource: { "service.name": "my.service" },
      attributes: {
        "my.span.attr": "some value",
        int: -42,
        bare: 7,
        double: 0.25,
        bool: true,
        // 2^53 + 1 stands exactly in the JSON text; JSON.parse here rounds it.
        list: { json: ['a"', 9007199254740992, null] },
        map: { json: { k: false, n: null } },
        bytes: { json: "AAEC" },
      },
      events: [
        { unixNs: 1544712660500000000n, name: "e", attributes: { a: 1 } },
        { unixNs: 1544712660600000000n, name: "", attributes: {} },
      ],
      links: [{ traceId: TRACE, spanId: "00000000000000aa" }],
    },
  ]);
});

test("resource and scope may stand behind their spans", () => {
  const { spans } = decode(`{"resource_spans":[
    {"scope_spans":[{"spans":[${JSON.stringify(SPAN)}],"scope":{"name":"late"}}],
     "resource":{"attributes":[{"value":{"stringValue":"a"},"key":"service.name"}]}},
    {"instrumentationLibrarySpans":[{"instrumentationLibrary":{"name":"old"},"spans":[${JSON.stringify(SPAN)}]}]}]}`);
  expect(spans.map(({ scope, resource }) => [scope, resource])).toEqual([
    ["late", { "service.name": "a" }],
    ["old", {}],
  ]);
});

test("equal resources of several documents are kept once", () => {
  const into = new SpanTableBuilder();
  const document = encode(
    JSON.stringify({
      resourceSpans: [
        {
          resource: { attributes: [{ key: "service.name", value: { stringValue: "a" } }] },
          scopeSpans: [{ spans: [SPAN] }],
        },
      ],
    }),
  );
  for (let i = 0; i < 3; i++) decodeOtlpJson(document, into, new Intake(), "f", 0);
  expect(into.finish().table.resources.listCount).toBe(1);
});

test.each<[string, object, Partial<SpanObject>]>([
  ["bare numbers beyond 2^53", { startTimeUnixNano: "@1544712660300000001" }, { startUnixNs: 1544712660300000001n }],
  ["exponents", { startTimeUnixNano: "@1.5447126603e18" }, { startUnixNs: 1544712660300000000n }],
  ["kind by name", { kind: "SPAN_KIND_CONSUMER" }, { kind: 5 }],
  ["kind 99", { kind: 99 }, { kind: 0 }],
  ["status by number", { status: { code: 1 } }, { status: 1 }],
  [
    "null fields",
    { parentSpanId: null, attributes: null, status: null, kind: null, events: null, traceState: null },
    {},
  ],
  [
    "snake_case",
    { parent_span_id: "00000000000000ff", trace_state: "a=b" },
    { parentSpanId: "00000000000000ff", traceState: "a=b" },
  ],
  [
    "base64 ids",
    { traceId: "W47/95gDgQPSabYzgT/GDA==", spanId: "7uGbfsPBsXQ=" },
    { traceId: TRACE, spanId: "eee19b7ec3c1b174" },
  ],
  ["upper case hex", { spanId: "EEE19B7EC3C1B174" }, { spanId: "eee19b7ec3c1b174" }],
  ["zero and empty parents", { parentSpanId: "0000000000000000" }, { parentSpanId: "" }],
  ["an end before the start", { endTimeUnixNano: "1544712659000000000" }, { endUnixNs: 1544712659000000000n }],
  ["unknown fields", { flags: 257, deep: [{ a: [[], {}] }], droppedLinksCount: 1.5 }, {}],
])("%s", (_, fields, expected) => {
  const source = JSON.stringify(request({ ...SPAN, ...fields })).replaceAll(/"@([^"]*)"/g, "$1");
  const { spans, intake, error } = decode(source);
  expect(error).toBeUndefined();
  expect([...intake.rejected]).toEqual([]);
  expect(spans[0]).toMatchObject(expected);
});

test.each<[string, object | null | number, string, string]>([
  ["short trace id", { traceId: "abc" }, "trace-id-invalid", `'"abc","spanId":"eee19b7e'`],
  ["zero trace id", { traceId: "0".repeat(32) }, "trace-id-invalid", "no trace id"],
  ["missing span id", { spanId: undefined }, "span-id-invalid", "no span id"],
  ["number as span id", { spanId: 7 }, "span-malformed", "'7,"],
  ["missing start", { startTimeUnixNano: undefined }, "time-missing", "no time"],
  ["end 0", { endTimeUnixNano: "0" }, "time-missing", "no time"],
  ["negative start", { startTimeUnixNano: "-1" }, "time-out-of-range", `'"-1"`],
  ["start beyond 64 bits", { startTimeUnixNano: "18446744073709551616" }, "time-out-of-range", `'"1844`],
  ["word as start", { startTimeUnixNano: "now" }, "span-malformed", `'"now"`],
  ["attributes as map", { attributes: { a: 1 } }, "span-malformed", `'{"a":1}`],
  ["word as integer", { attributes: [{ key: "a", value: { intValue: "x" } }] }, "span-malformed", `'"x"`],
  ["null for a span", null, "span-malformed", "'null"],
  ["number for a span", 5, "span-malformed", "'5"],
])("%s: that span alone is rejected", (_, fields, reason, found) => {
  const bad = typeof fields === "object" && fields !== null ? { ...SPAN, ...fields } : fields;
  const { spans, intake, error } = decode(JSON.stringify(request(SPAN, bad, SPAN)), 5000);
  expect(error).toBeUndefined();
  expect(spans.map(({ name }) => name)).toEqual(["s", "s"]);
  expect([...intake.rejected.keys()]).toEqual([reason]);
  expect(intake.rejected.get(reason as never)!.example).toMatch(/^f\.json: byte 5\d\d\d: found /);
  expect(intake.rejected.get(reason as never)!.example).toContain(`found ${found}`);
});

test("nothing of a rejected span stays", () => {
  const full = {
    ...SPAN,
    kind: 3,
    attributes: [{ key: "a", value: { stringValue: "b" } }],
    events: [{ timeUnixNano: "1544712660500000000", attributes: [{ key: "a", value: { intValue: 1 } }] }],
    links: [{ traceId: TRACE, spanId: "00000000000000aa" }],
  };
  const { spans } = decode(JSON.stringify(request({ ...full, endTimeUnixNano: "x" }, SPAN)));
  expect(spans).toMatchObject([{ kind: 0, attributes: {}, events: [], links: [] }]);
});

test.each([
  ["[]", "malformed", 0, "an object"],
  ['{"resourceSpans":"x"}', "malformed", 17, "an array"],
  ['{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":"a}]}]}]}', "truncated", 60, "'\"' at the end of a string"],
  ['{"resourceSpans":[]} {}', "malformed", 21, "the end of the input"],
  ["", "truncated", 0, "an object"],
])("%s is an InputError", (source, code, byteOffset, expected) => {
  expect(decode(source).error).toMatchObject({ code, byteOffset, expected });
});

describe("limits", () => {
  const withValue = (value: unknown): string =>
    JSON.stringify(
      request({
        ...SPAN,
        attributes: [
          { key: "v", value },
          { key: "after", value: { intValue: 1 } },
        ],
      }),
    );

  test("long values are cut at a character's end", () => {
    const { spans, intake } = decode(withValue({ stringValue: `a${"é".repeat(40_000)}` }));
    expect(spans[0]!.attributes).toEqual({ v: `a${"é".repeat(32_767)}`, after: 1 });
    expect(intake.truncatedValues).toBe(1);
  });

  test("values of 64 KiB are not cut", () => {
    const { intake } = decode(withValue({ stringValue: "a".repeat(65_536) }));
    expect(intake.truncatedValues).toBe(0);
  });

  test("what is nested deeper than 64 levels is written as null", () => {
    let value: unknown = { intValue: 1 };
    for (let i = 0; i < 300; i++) value = { arrayValue: { values: [value] } };
    const { spans, intake, error } = decode(withValue(value));
    expect(error).toBeUndefined();
    expect(JSON.stringify(spans[0]!.attributes["v"])).toBe(`{"json":${"[".repeat(64)}null${"]".repeat(64)}}`);
    expect(intake.truncatedValues).toBe(1);
  });

  test("deeper than the reader's limit is refused, not a stack overflow", () => {
    const source = `{"resourceSpans":[{"scopeSpans":[{"spans":[{"attributes":[{"key":"v","value":${'{"arrayValue":{"values":['.repeat(100_000)}`;
    expect(decode(source)).toMatchObject({ error: { code: "too-large" }, intake: { received: 1, accepted: 0 } });
  });
});

test("remembered attributes: same shape, other values, other order, odd forms", () => {
  const attributeLists = [
    '[{"key":"a","value":{"stringValue":"x"}},{"key":"n","value":{"intValue":"1"}}]',
    '[{"key":"a","value":{"stringValue":"x"}},{"key":"n","value":{"intValue":"12"}}]',
    '[{"key":"a","value":{"stringValue":"xy"}},{"key":"n","value":{"intValue":null}}]',
    '[{"key":"a","value":{"stringValue":"x\\u0041"}},{"key":"n","value":{"intValue":1}}]',
    '[{"key":"a","value":{"stringValue":"x","intValue":3}}]',
    '[{"key":"a","value":{"stringValue":"x"},"key":"b"}]',
    '[{"key":"a","value":{"stringValue":"x"}}]',
    '[{"value":{"stringValue":"x"},"key":"a"}]',
    '[{"key":"a","value":{"stringValue":"x"} }]',
    '[{"key":"a","value":{"boolValue":true}}]',
    '[{"key":"a","value":{"boolValue":false}}]',
  ];
  const spans = attributeLists.map((list) => `${JSON.stringify(SPAN).slice(0, -1)},"attributes":${list}}`);
  const expected = [
    { a: "x", n: 1 },
    { a: "x", n: 12 },
    { a: "xy" },
    { a: "xA", n: 1 },
    { a: 3 },
    { b: "x" },
    { a: "x" },
    { a: "x" },
    { a: "x" },
    { a: true },
    { a: false },
  ];
  const { spans: found } = decode(`{"resourceSpans":[{"scopeSpans":[{"spans":[${[...spans, ...spans].join(",")}]}]}]}`);
  expect(found.map(({ attributes }) => attributes)).toEqual([...expected, ...expected]);
});

// A second, straightforward way from text to spans, for the property below.

interface OtlpAttribute {
  key: string;
  value: {
    stringValue?: string;
    intValue?: string;
    doubleValue?: number | string;
    boolValue?: boolean;
    arrayValue?: { values: OtlpAttribute["value"][] };
  };
}

function plainValue(value: OtlpAttribute["value"]): unknown {
  if (value.arrayValue !== undefined) return value.arrayValue.values.map(plainValue);
  return value.stringValue ?? value.boolValue ?? Number(value.intValue ?? value.doubleValue);
}

function reference(text: string): SpanObject[] {
  const attributes = (list: OtlpAttribute[]): AttributeObject =>
    Object.fromEntries(
      list.map(({ key, value }) => [
        key,
        (value.arrayValue === undefined ? plainValue(value) : { json: plainValue(value) }) as string,
      ]),
    );
  const spans: SpanObject[] = [];
  for (const { resource, scopeSpans } of JSON.parse(text).resourceSpans) {
    for (const { scope, spans: list } of scopeSpans) {
      for (const span of list) {
        spans.push({
          traceId: span.traceId,
          spanId: span.spanId,
          parentSpanId: span.parentSpanId,
          name: span.name,
          kind: span.kind,
          status: span.status.code,
          startUnixNs: BigInt(span.startTimeUnixNano),
          endUnixNs: BigInt(span.endTimeUnixNano),
          scope: scope.name,
          traceState: span.traceState,
          attributes: attributes(span.attributes),
          resource: attributes(resource.attributes),
          events: span.events.map((event: { timeUnixNano: string; name: string; attributes: OtlpAttribute[] }) => ({
            unixNs: BigInt(event.timeUnixNano),
            name: event.name,
            attributes: attributes(event.attributes),
          })),
          links: span.links,
        });
      }
    }
  }
  return spans;
}

const hexId = (digits: number): fc.Arbitrary<string> =>
  fc
    .array(fc.constantFrom(...Array.from("0123456789abcdef")), { minLength: digits - 1, maxLength: digits - 1 })
    .map((list) => `${list.join("")}1`);
const nanoseconds = fc.bigInt({ min: 1_790_000_000_000_000_000n, max: 1_790_000_900_000_000_000n }).map(String);
const string = fc.oneof(fc.constantFrom("GET", "POST", "/a", "", "é😀", 'q"\\\n'), fc.string({ unit: "grapheme" }));
const anyValue: fc.Arbitrary<OtlpAttribute["value"]> = fc.oneof(
  fc.record({ stringValue: string }),
  fc.record({ intValue: fc.oneof(fc.integer({ min: 0, max: 3 }), fc.maxSafeInteger()).map(String) }),
  fc.record({ doubleValue: fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0) }),
  fc.record({ boolValue: fc.boolean() }),
  fc.record({ arrayValue: fc.record({ values: fc.array(fc.record({ stringValue: string }), { maxLength: 3 }) }) }),
);
const attributes = fc.uniqueArray(
  fc.record({ key: fc.constantFrom("http.method", "url", "n", "é", 'a"b'), value: anyValue }),
  {
    selector: ({ key }) => key,
    maxLength: 5,
  },
);
const span = fc.record({
  traceId: hexId(32),
  spanId: hexId(16),
  parentSpanId: fc.oneof(fc.constant(""), hexId(16)),
  traceState: string,
  name: string,
  kind: fc.integer({ min: 0, max: 5 }),
  startTimeUnixNano: nanoseconds,
  endTimeUnixNano: nanoseconds,
  attributes,
  events: fc.array(fc.record({ timeUnixNano: nanoseconds, name: string, attributes }), { maxLength: 2 }),
  links: fc.array(fc.record({ traceId: hexId(32), spanId: hexId(16) }), { maxLength: 2 }),
  status: fc.record({ code: fc.integer({ min: 0, max: 2 }) }),
});
const document = fc.record({
  resourceSpans: fc.array(
    fc.record({
      resource: fc.record({ attributes }),
      scopeSpans: fc.array(fc.record({ scope: fc.record({ name: string }), spans: fc.array(span, { maxLength: 4 }) }), {
        maxLength: 2,
      }),
    }),
    { maxLength: 2 },
  ),
});

test("any spelling of any document decodes to what JSON.parse and a walk give", () => {
  fc.assert(
    fc.property(document, fc.integer(), (tree, seed) => {
      const text = randomJson(tree, seed);
      const { spans, error, intake } = decode(text);
      expect(error).toBeUndefined();
      expect([...intake.rejected]).toEqual([]);
      expect(spans).toEqual(reference(text));
    }),
    { numRuns: 300, seed: 11 },
  );
});

const SMALL = encode(
  JSON.stringify({
    resourceSpans: [
      {
        resource: { attributes: [{ key: "service.name", value: { stringValue: "é" } }] },
        scopeSpans: [
          {
            scope: { name: "l" },
            spans: [
              SPAN,
              {
                ...SPAN,
                attributes: [
                  { key: "a", value: { arrayValue: { values: [{ intValue: "1" }] } } },
                  { key: "b", value: { doubleValue: 1.5 } },
                ],
                events: [{ timeUnixNano: 1e18, name: "\u0007" }],
              },
              SPAN,
            ],
          },
        ],
      },
    ],
  }),
);

test("cut at every byte: an InputError that says so, and the spans before it", () => {
  const ends = [
    ...new TextDecoder().decode(SMALL).matchAll(/\{"traceId.*?000000"(,"attributes.*?"name":"[^"]*"\}\])?\}/g),
  ].map((match) => encode(match.input.slice(0, match.index + match[0].length)).length);
  expect(ends.length).toBe(3);
  for (let length = 0; length < SMALL.length; length++) {
    const { error, intake } = decode(SMALL.slice(0, length));
    expect(error?.code).toBe("truncated");
    expect(error?.byteOffset).toBe(length);
    expect(intake.accepted).toBe(ends.filter((end) => end <= length).length);
  }
});

test("mutated documents: accepted, rejected or an InputError, never anything else", () => {
  let random = 12345;
  const below = (n: number): number => {
    random = (Math.imul(random, 1103515245) + 12345) >>> 0;
    return (random >>> 8) % n;
  };
  let refused = 0;
  const rounds = usually(1000, 4000);
  for (let round = 0; round < rounds; round++) {
    const bytes = SMALL.slice();
    for (let i = below(4); i >= 0; i--) {
      const at = below(bytes.length);
      if (below(2) === 0) bytes[at] = below(256);
      else bytes.copyWithin(at, below(bytes.length), below(bytes.length));
    }
    if (decode(bytes).error !== undefined) refused++;
  }
  expect(refused).toBeGreaterThan(0.25 * rounds);
});
