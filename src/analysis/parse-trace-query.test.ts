import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { SpanCondition, TraceExpression } from "../model/trace-query.ts";
import { parseTraceQuery } from "./parse-trace-query.ts";

const spans = (where: SpanCondition): TraceExpression => ({ kind: "spans", where });
const ALL: SpanCondition = { kind: "all", of: [] };
const ERROR: SpanCondition = { kind: "status", op: "=", code: 2 };
const SLOW: SpanCondition = { kind: "duration", op: ">", ns: 1.5e9 };

describe("a trace query", () => {
  test.each<[string, TraceExpression]>([
    ["{}", spans(ALL)],
    ["{ status = error }", spans(ERROR)],
    ["{duration>1.5s}", spans(SLOW)],
    ['{ resource.service.name = "x" }', spans({ kind: "service", test: { op: "=", text: "x" } })],
    [
      "{ span.http.status_code >= 500 }",
      spans({ kind: "attribute", scope: "span", key: "http.status_code", test: { op: ">=", number: 500 } }),
    ],
    ["{ .a != true }", spans({ kind: "attribute", scope: "any", key: "a", test: { op: "!=", text: "true" } })],
    ["{ .a = nil }", spans({ kind: "attribute", scope: "any", key: "a", test: { op: "absent" } })],
    [
      '{ resource."odd = key" =~ "a|b" }',
      spans({ kind: "attribute", scope: "resource", key: "odd = key", test: { op: "=~", text: "a|b" } }),
    ],
    ['{ name = "say \\"hi\\" \\\\ `" }', spans({ kind: "name", test: { op: "=", text: 'say "hi" \\ `' } })],
    ["{ name =~ `\\d+` }", spans({ kind: "name", test: { op: "=~", text: "\\d+" } })],
    ["{ kind = server }", spans({ kind: "span-kind", op: "=", code: 2 })],
    // `&&` binds closer than `||`.
    [
      "{ status = error || duration > 1.5s && !(status = error) }",
      spans({ kind: "any", of: [ERROR, { kind: "all", of: [SLOW, { kind: "not", of: ERROR }] }] }),
    ],
    // `>>` binds closer than `&&`, that closer than `||`; from the left.
    [
      "{} || {} && { status = error } >> {} > { duration > 1.5s }",
      {
        kind: "or",
        left: spans(ALL),
        right: {
          kind: "and",
          left: spans(ALL),
          right: {
            kind: "child",
            left: { kind: "descendant", left: spans(ERROR), right: spans(ALL) },
            right: spans(SLOW),
          },
        },
      },
    ],
    [
      "{} >> ({} || { status = error })",
      { kind: "descendant", left: spans(ALL), right: { kind: "or", left: spans(ALL), right: spans(ERROR) } },
    ],
  ])("%s", (text, expression) => expect(parseTraceQuery(text)).toEqual({ kind: "query", expression }));

  test.each([
    ["", 0, '"{": conditions of a span stand in braces', "the end"],
    ["status = error", 0, '"{": conditions of a span stand in braces', '"status"'],
    ["{ status = bad }", 11, "unset, ok, error", '"bad"'],
    ["{ duration > 100 }", 13, "a duration: 100ms, 1.5s, 20us, 2m", '"100"'],
    ["{ .a > `x` }", 7, "a number", '"`x`"'],
    ["{ .a = 1 ", 9, '"}", && or ||', "the end"],
    ["{ name = 'x' }", 9, "a text in quotes", '"\'"'],
    ['{ name = "x }', 9, "a text in quotes", "a quote without its end"],
    ["{ .a = 1 } | count() > 2", 11, "the end: aggregates and pipelines are not understood here", '"|"'],
    [
      "{ traceDuration > 1s }",
      2,
      'a field: name, duration, status, kind, span.KEY, resource.KEY, .KEY or "!"',
      '"traceDuration"',
    ],
    ['{ name =~ "(" }', 10, "a regular expression", '"("'],
    ['{ name =~ "(?=a)" }', 10, "a pattern without look-around, references and classes by name", '"(?=a)"'],
  ])("%s: where it breaks, and what was expected", (text, at, expected, found) => {
    expect(parseTraceQuery(text)).toEqual({ kind: "invalid", at, expected, found });
  });

  test("any text is understood or refused, at a place in it", () => {
    const piece = fc.constantFrom(
      "{",
      "}",
      "(",
      ")",
      "!",
      "&&",
      "||",
      ">>",
      ">",
      "=",
      "=~",
      ".a",
      "name",
      '"x"',
      "5",
      "1s",
      " ",
      "|",
      "é",
    );
    const text = fc.oneof(
      fc.array(piece, { maxLength: 14 }).map((of) => of.join("")),
      fc.string({ maxLength: 30 }),
    );
    fc.assert(
      fc.property(text, (held) => {
        const parsed = parseTraceQuery(held);
        if (parsed.kind === "invalid") {
          expect(parsed.at).toBeGreaterThanOrEqual(0);
          expect(parsed.at).toBeLessThanOrEqual(held.length);
        }
      }),
    );
  });

  test("parentheses without end are refused, not a crash", () => {
    expect(parseTraceQuery("(".repeat(3999))).toMatchObject({ kind: "invalid", at: 61 });
    expect(parseTraceQuery("{".padEnd(5000, "!"))).toMatchObject({ kind: "invalid", at: 4000 });
  });
});
