import {
  type AttributeTest,
  NUMBER_TEXT,
  type SpanCondition,
  type TextTest,
  type TraceExpression,
} from "../../model/trace-query.ts";
import { SHAPE_END, shapeKey } from "../native/span-attributes.ts";
import { inRange } from "./time-range.ts";

export interface SqlWithParameters {
  readonly sql: string;
  /** every value of the question, by the names in `sql` */
  readonly parameters: Readonly<Record<string, string | number>>;
}

/**
 * Traces in which an expression may hold, the newest or slowest match first, rows as `FoundRow` of search-traces.ts.
 * Exactly those in which it holds, but for `child` and `descendant`: of these both sides have to be there, and whoever
 * asks looks who lies below whom. Parameters besides those told: from, to, limit (of traces). The meaning of the
 * conditions is that of src/analysis/match-traces.ts, to the letter.
 */
export function expressionSql(expression: TraceExpression, order: "newest" | "slowest"): SqlWithParameters {
  const writer = new ConditionWriter(inRange("start"));
  const sets: string[] = [];
  const having = holding(expression, sets, writer);
  const marks = sets.map((condition, i) => `${condition} AS match_${i}`).join(",\n    ");
  const any = sets.map((_, i) => `match_${i}`).join(" OR ");
  return {
    sql: `SELECT lower(hex(trace_id)) AS id, toString(cityHash64(trace_id)) AS hash, toString(max(duration)) AS longest,
  toString(toUnixTimestamp64Nano(max(start))) AS at
FROM (
  SELECT trace_id, start, duration,
    ${marks}
  FROM spans
  WHERE ${inRange("start")} AND (${any})
)
GROUP BY trace_id
HAVING ${having}
ORDER BY ${order === "slowest" ? "max(duration)" : "max(start)"} DESC, trace_id
LIMIT {limit:UInt32}`,
    parameters: writer.parameters,
  };
}

/** A span of a trace: who is above it, and for each set of the expression, as they stand in it, "1" where it is in it, else "0". */
export interface SpanSetsRow {
  readonly id: string;
  readonly span: string;
  readonly parent: string;
  readonly sets: string;
}

/** Spans of the traces `ids` (hex), whole, as SpanSetsRow. */
export function spanSetsSql(expression: TraceExpression): SqlWithParameters {
  const writer = new ConditionWriter(OF_TRACES);
  const sets: string[] = [];
  holding(expression, sets, writer);
  return {
    sql: `SELECT lower(hex(trace_id)) AS id, lower(hex(span_id)) AS span, lower(hex(parent_id)) AS parent,
  arrayStringConcat([${sets.map((condition) => `toString(toUInt8(${condition}))`).join(",\n    ")}]) AS sets
FROM spans
WHERE ${OF_TRACES}
ORDER BY start, span_id, kind, duration, name`,
    parameters: writer.parameters,
  };
}

/** The hash is a place in the order of the table, in each hour of it. */
const OF_TRACES = `cityHash64(trace_id) IN (
    SELECT cityHash64(toFixedString(unhex(one), 16)) FROM (SELECT arrayJoin({ids:Array(String)}) AS one)
  ) AND lower(hex(trace_id)) IN {ids:Array(String)}`;

/** What has to be among a trace's spans; the conditions of each set of spans come into `sets`. */
function holding(expression: TraceExpression, sets: string[], writer: ConditionWriter): string {
  if (expression.kind === "spans") {
    const at = sets.push(writer.condition(expression.where)) - 1;
    return `max(match_${at}) = 1`;
  }
  const sides = [expression.left, expression.right].map((side) => holding(side, sets, writer));
  return `(${sides.join(expression.kind === "or" ? " OR " : " AND ")})`;
}

/** Conditions as SQL that is 0 or 1, never NULL, so that NOT means what it says. */
class ConditionWriter {
  readonly parameters: Record<string, string | number> = {};
  /** of which spans the conditions are asked */
  private readonly spans: string;
  private count = 0;

  constructor(spans: string) {
    this.spans = spans;
  }

  condition(condition: SpanCondition): string {
    switch (condition.kind) {
      case "all":
      case "any":
        if (condition.of.length === 0) return condition.kind === "all" ? "1" : "0";
        return `(${condition.of.map((part) => this.condition(part)).join(condition.kind === "all" ? " AND " : " OR ")})`;
      case "not":
        return `(NOT ${this.condition(condition.of)})`;
      case "service":
      case "name":
        return this.textTest(`toString(${condition.kind})`, condition.test);
      case "duration":
        return `(toFloat64(duration) ${condition.op} ${this.bound(condition.ns, "Float64")})`;
      case "status":
        return `(status ${condition.op} ${this.bound(condition.code, "UInt8")})`;
      case "span-kind":
        return `(kind ${condition.op} ${this.bound(condition.code, "UInt8")})`;
      case "attribute":
        return this.attribute(condition);
    }
  }

  private attribute({ scope, key, test }: Extract<SpanCondition, { kind: "attribute" }>): string {
    const own = scope === "resource" ? undefined : this.ownText(key);
    const resource = scope === "span" ? undefined : this.ofResource(key, test);
    if (own === undefined) return resource!;
    const isHere = `(position(shape, ${own.mark}) > 0 AND isNotNull(${own.text}))`;
    const holds = this.attributeTest(own.text, test);
    if (resource === undefined) return test.op === "absent" ? `(NOT ${isHere})` : `(${isHere} AND ${holds})`;
    return `if(${isHere}, ${holds}, ${resource})`;
  }

  /**
   * The text of a span's attribute, NULL where it has none of that key, and what its shape holds then. A shape's parts
   * are mark and key (span-attributes.ts); of a repeated key the last counts.
   */
  private ownText(key: string): { text: string; mark: string } {
    const mark = this.bound(shapeKey(key) + SHAPE_END, "String");
    const wanted = this.bound(shapeKey(key), "String");
    const parts = "splitByChar(char(31), toString(shape))";
    const at = `arrayLastIndex(part -> substring(part, 2) = ${wanted} AND part != '', ${parts})`;
    const place = (letters: string): string =>
      `arrayCount(part -> position('${letters}', substring(part, 1, 1)) > 0 AND part != '', arraySlice(${parts}, 1, ${at}))`;
    const text = `multiIf(
      ${at} = 0, NULL,
      substring(${parts}[${at}], 1, 1) = 'l', toString(labels[${place("l")}]),
      substring(${parts}[${at}], 1, 1) = 'n', ${numberText(`numbers[${place("n")}]`)},
      substring(${parts}[${at}], 1, 1) = 'y', 'true',
      substring(${parts}[${at}], 1, 1) = 'f', 'false',
      texts[${place("tj")}])`;
    return { text, mark };
  }

  /** Resources are few: those for which the test holds are found first. Their text: src/store/native/attribute-text.ts. */
  private ofResource(key: string, test: AttributeTest): string {
    const wanted = this.bound(key, "String");
    const items =
      "arrayMap(item -> if(startsWith(item, '\"'), JSONExtractString(item), item), JSONExtractArrayRaw(text))";
    const at = `arrayLastIndex((item, i) -> i % 3 = 1 AND item = ${wanted}, ${items}, arrayEnumerate(${items}))`;
    const value = `${items}[${at} + 2]`;
    const text = `multiIf(
      ${at} = 0, NULL,
      ${items}[${at} + 1] = '2', if(${value} = '1', 'true', 'false'),
      ${items}[${at} + 1] = '1' AND ${value} = '-0', '0',
      ${value})`;
    return `(resource GLOBAL IN (
      SELECT resource FROM (SELECT DISTINCT resource, toString(resource) AS text FROM spans WHERE ${this.spans})
      WHERE ${this.attributeTest(text, test)}))`;
  }

  private attributeTest(text: string, test: AttributeTest): string {
    if (test.op === "present") return `isNotNull(${text})`;
    if (test.op === "absent") return `isNull(${text})`;
    if ("text" in test) return `ifNull(${this.textTest(text, test)}, 0)`;
    const number = `if(match(ifNull(${text}, ''), ${this.bound(NUMBER_TEXT, "String")}), toFloat64OrNull(ifNull(${text}, '')), NULL)`;
    return `ifNull(${number} ${test.op} ${this.bound(test.number, "Float64")}, 0)`;
  }

  private textTest(text: string, { op, text: wanted }: TextTest): string {
    if (op === "=" || op === "!=") return `(${text} ${op} ${this.bound(wanted, "String")})`;
    const body = wanted.replace(/^\(\?i\)/, "");
    const pattern = this.bound(`${body === wanted ? "" : "(?i)"}^(?:${body})$`, "String");
    return `(${op === "!~" ? "NOT " : ""}match(${text}, ${pattern}))`;
  }

  private bound(value: string | number, type: "String" | "Float64" | "UInt8"): string {
    const name = `q${this.count++}`;
    this.parameters[name] = value;
    return `{${name}:${type}}`;
  }
}

/** A double as JavaScript writes it, which the engine does but for "1e+21". */
const numberText = (number: string): string =>
  `multiIf(isNaN(${number}), 'NaN', isInfinite(${number}), if(${number} > 0, 'Infinity', '-Infinity'), ${number} = 0, '0', replaceRegexpOne(toString(${number}), 'e([0-9])', 'e+\\\\1'))`;
