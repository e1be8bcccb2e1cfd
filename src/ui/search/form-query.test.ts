import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseTraceQuery } from "../../analysis/parse-trace-query.ts";
import { formQuery, type SearchForm } from "./form-query.ts";

const EMPTY: SearchForm = { service: "", operation: "", tags: "", shortest: "", longest: "" };

describe("the form of a search", () => {
  test.each<[Partial<SearchForm>, string]>([
    [{}, "{}"],
    [
      { service: "shop", operation: "GET /buy", shortest: "100ms", longest: " 2s " },
      '{ resource.service.name = "shop" && name = "GET /buy" && duration >= 100ms && duration <= 2s }',
    ],
    [
      { tags: 'http.status_code=500 error=true note="a \\"b\\" c"' },
      '{ .http.status_code = "500" && status = error && .note = "a \\"b\\" c" }',
    ],
    [{ tags: "a=" }, '{ .a = "" }'],
  ])("%j", (form, text) => expect(formQuery({ ...EMPTY, ...form })).toEqual({ kind: "query", text }));

  test.each<[Partial<SearchForm>, string, string]>([
    [{ shortest: "100" }, "shortest", '"100" is no duration: 100ms, 1.5s, 20us, 2m'],
    [{ tags: "a=1 b" }, "tags", '"b" is no tag: key=value, or key="a value with spaces"'],
    [{ tags: 'a="b' }, "tags", '"a="b" is no tag: key=value, or key="a value with spaces"'],
  ])("%j is refused", (form, field, why) => {
    expect(formQuery({ ...EMPTY, ...form })).toEqual({ kind: "invalid", field, why });
  });

  test("any names make a query that asks for just these", () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), fc.string({ minLength: 1 }), (service, operation) => {
        const made = formQuery({ ...EMPTY, service, operation });
        if (made.kind === "invalid") throw new Error(made.why);
        expect(parseTraceQuery(made.text)).toEqual({
          kind: "query",
          expression: {
            kind: "spans",
            where: {
              kind: "all",
              of: [
                { kind: "service", test: { op: "=", text: service } },
                { kind: "name", test: { op: "=", text: operation } },
              ],
            },
          },
        });
      }),
    );
  });
});
