import { describe, expect, test } from "vitest";
import { matchTrace, type TraceSpans } from "./match-traces.ts";
import { parseTraceQuery } from "./parse-trace-query.ts";

interface Drawn {
  readonly parent: number;
  readonly service: string;
  readonly ms?: number;
  readonly status?: number;
  readonly attributes?: Readonly<Record<string, string>>;
}

/** The resource has host.name and, as one of the spans, tenant. */
const RESOURCE: Readonly<Record<string, string>> = { "host.name": "h1", tenant: "all" };

function drawn(spans: readonly Drawn[]): TraceSpans {
  return {
    count: spans.length,
    parent: (row) => spans[row]!.parent,
    service: (row) => spans[row]!.service,
    name: (row) => `op ${row}`,
    durationNs: (row) => (spans[row]!.ms ?? 1) * 1e6,
    status: (row) => spans[row]!.status ?? 0,
    kind: () => 2,
    attribute: (row, scope, key) => (scope === "span" ? spans[row]!.attributes?.[key] : RESOURCE[key]),
  };
}

const found = (text: string, spans: TraceSpans): number[] => {
  const parsed = parseTraceQuery(text);
  if (parsed.kind === "invalid") throw new Error(`${text}: ${parsed.expected} at ${parsed.at}`);
  return matchTrace(parsed.expression, spans);
};

//  0 web 100 ms
//  ├─ 1 shop 80 ms, code 500
//  │  └─ 2 db 60 ms, error, tenant a
//  └─ 3 db 5 ms, code "12 apples"
const trace = drawn([
  { parent: -1, service: "web", ms: 100 },
  { parent: 0, service: "shop", ms: 80, attributes: { code: "500", flag: "true" } },
  { parent: 1, service: "db", ms: 60, status: 2, attributes: { tenant: "a" } },
  { parent: 0, service: "db", ms: 5, attributes: { code: "12 apples" } },
]);

describe("spans of a trace that match", () => {
  test.each([
    ["{}", [0, 1, 2, 3]],
    ['{ resource.service.name = "db" }', [2, 3]],
    ['{ resource.service.name = "db" && duration >= 60ms }', [2]],
    ["{ duration > 60ms }", [0, 1]],
    ["{ status = error }", [2]],
    ["{ status != error }", [0, 1, 3]],
    ["{ span.code >= 500 }", [1]],
    // What is no number is neither less nor more than one.
    ["{ span.code < 1000 }", [1]],
    ['{ span.code = "500" }', [1]],
    ["{ .flag = true }", [1]],
    // Of what is not there only "= nil" holds.
    ["{ span.code != 500 }", []],
    ['{ span.code != "500" }', [3]],
    ["{ span.code = nil }", [0, 2]],
    ["{ span.code != nil }", [1, 3]],
    ["{ !(span.code = 500) }", [0, 2, 3]],
    // The span's own value stands before the resource's.
    ['{ .tenant = "all" }', [0, 1, 3]],
    ['{ resource.tenant = "all" }', [0, 1, 2, 3]],
    ['{ span.tenant = "all" }', []],
    // Patterns match the whole text.
    ['{ name =~ "op [01]" }', [0, 1]],
    ['{ name =~ "op" }', []],
    ['{ name !~ "(?i)OP [01]" }', [2, 3]],
    // Sets of spans: both have to be there, and all that match are told.
    ['{ resource.service.name = "web" } && { status = error }', [0, 2]],
    ['{ resource.service.name = "web" } && { span.code = 7 }', []],
    ['{ span.code = 7 } || { resource.service.name = "shop" }', [1]],
    ['{ resource.service.name = "web" } > { resource.service.name = "db" }', [3]],
    ['{ resource.service.name = "web" } >> { resource.service.name = "db" }', [2, 3]],
    ['{ resource.service.name = "web" } > { span.code = 500 } > { status = error }', [2]],
    ['{ resource.service.name = "db" } >> { resource.service.name = "db" }', []],
  ])("%s", (text, rows) => expect(found(text, trace)).toEqual(rows));

  test("parents in a circle and 200,000 spans below each other", () => {
    const circle = drawn([
      { parent: 1, service: "a" },
      { parent: 0, service: "b" },
      { parent: -1, service: "c" },
    ]);
    expect(found('{ resource.service.name = "a" } >> {}', circle)).toEqual([0, 1]);
    expect(found('{ resource.service.name = "c" } >> {}', circle)).toEqual([]);
    const deep: TraceSpans = {
      ...trace,
      count: 200_000,
      parent: (row) => row - 1,
      service: (row) => (row === 0 ? "top" : "x"),
    };
    expect(found('{ resource.service.name = "top" } >> {}', deep).length).toBe(199_999);
  });
});
