import { expect, test } from "vitest";
import { parseMatchers, parsePromql } from "./parse-promql.ts";

test("a question with all of its parts", () => {
  expect(
    parsePromql(`sum by (code) (rate({"http.requests", code=~'5..', a!="\\n\\u00e9"}[1h30m] offset -5m)) > bool 2`),
  ).toEqual({
    kind: "binary",
    op: ">",
    isBool: true,
    matching: { isOn: false, labels: [], many: "none", include: [] },
    left: {
      kind: "aggregate",
      op: "sum",
      parameter: undefined,
      labels: ["code"],
      isWithout: false,
      of: {
        kind: "call",
        name: "rate",
        args: [
          {
            kind: "selector",
            rangeMs: 5_400_000,
            offsetMs: -300_000,
            matchers: [
              { label: "__name__", op: "=", value: "http.requests" },
              { label: "code", op: "=~", value: "5.." },
              { label: "a", op: "!=", value: "\né" },
            ],
          },
        ],
      },
    },
    right: { kind: "number", value: 2 },
  });
});

test.each([
  ["2 + 3 * 4", 14],
  ["2 ^ 3 ^ 2", 512],
  ["-2 ^ 2", -4],
  ["10 - 4 - 3", 3],
])("%s binds as arithmetic does", (text, value) => {
  const valueOf = (expression: ReturnType<typeof parsePromql>): number => {
    if (expression.kind === "number") return expression.value;
    if (expression.kind === "negate") return -valueOf(expression.of);
    if (expression.kind !== "binary") throw new Error(expression.kind);
    const [left, right] = [valueOf(expression.left), valueOf(expression.right)];
    switch (expression.op) {
      case "+":
        return left + right;
      case "-":
        return left - right;
      case "*":
        return left * right;
      default:
        return left ** right;
    }
  };
  expect(valueOf(parsePromql(text))).toBe(value);
});

test("matching between vectors", () => {
  expect(parsePromql("a / on(x, y) group_left(z) b")).toMatchObject({
    matching: { isOn: true, labels: ["x", "y"], many: "left", include: ["z"] },
  });
  expect(parsePromql("a unless ignoring(x) b")).toMatchObject({
    op: "unless",
    matching: { isOn: false, labels: ["x"], many: "none" },
  });
});

test.each([
  ["rate(a[5m:1m])", "1:6: a subquery is not supported here"],
  ["a @ 5", "1:1: the @ modifier is not supported here"],
  ["1 +\nlabel_replace(a, 'b', 'c', 'd', 'e')", "2:1: function label_replace is not supported here"],
  ["count_values('x', a)", "1:1: aggregation count_values is not supported here"],
  ["a atan2 b", "1:1: atan2 is not supported here"],
  ["a{b=", "1:5: parse error: unexpected end of input"],
  ["a b", '1:3: parse error: unexpected "b"'],
  ["rate(a)", '1:1: expected type range vector in call to function "rate", got instant vector'],
  ["rate()", '1:1: expected 1 argument(s) in call to "rate", got 0'],
  ["a[5m] offset 1m + 1", "1:1: binary expression must contain only scalar and instant vector types"],
  ["a and on(x) group_left b", '1:7: no grouping allowed for "and" operation'],
  ["{x=''}", "1:1: vector selector must contain at least one non-empty matcher"],
  ["a{b='\\UFFFFFFFF'}", "1:5: a text with an escape that is none"],
  ["", "1:1: parse error: unexpected end of input"],
])("%s is refused: %s", (text, message) => {
  expect(() => parsePromql(text)).toThrow(new RegExp(`^${message.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}`));
});

test("a selector of series is no more than that", () => {
  expect(parseMatchers("up{job='a'}")).toHaveLength(2);
  expect(() => parseMatchers("rate(up[5m])")).toThrow("expected a selector of series");
});
