import type { AttributeTest, Comparison, SpanCondition, TextTest, TraceExpression } from "../model/trace-query.ts";
import { NUMBER_TEXT } from "../model/trace-query.ts";

/** Spans of one trace, by row; a parent that is not among them is -1. */
export interface TraceSpans {
  readonly count: number;
  parent(row: number): number;
  service(row: number): string;
  name(row: number): string;
  durationNs(row: number): number;
  status(row: number): number;
  kind(row: number): number;
  /** as text; undefined where there is none of that key */
  attribute(row: number, scope: "span" | "resource", key: string): string | undefined;
}

/** Rows in which the expression holds, ascending; none if the trace is not found by it. The meaning is told at TraceExpression. */
export function matchTrace(expression: TraceExpression, spans: TraceSpans): number[] {
  const sets = spanSets(expression);
  return matchSets(expression, spans, (set, row) => holds(sets[set]!, spans, row));
}

/** The conditions of an expression's sets of spans, as they stand in it from left to right. */
function spanSets(expression: TraceExpression): readonly SpanCondition[] {
  if (expression.kind === "spans") return [expression.where];
  return [...spanSets(expression.left), ...spanSets(expression.right)];
}

/** The same where it is known of each span in which sets it is; these are numbered as they stand in the expression, from 0. */
export function matchSets(
  expression: TraceExpression,
  spans: Pick<TraceSpans, "count" | "parent">,
  isIn: (set: number, row: number) => boolean,
): number[] {
  let sets = 0;
  const held = holdsIn(expression, spans, isIn, () => sets++);
  const rows: number[] = [];
  if (held !== undefined) for (let row = 0; row < spans.count; row++) if (held[row] === 1) rows.push(row);
  return rows;
}

/** 1 per row that matches; undefined where the expression does not hold. */
function holdsIn(
  expression: TraceExpression,
  spans: Pick<TraceSpans, "count" | "parent">,
  isIn: (set: number, row: number) => boolean,
  nextSet: () => number,
): Uint8Array | undefined {
  if (expression.kind === "spans") {
    const set = nextSet();
    const held = new Uint8Array(spans.count);
    let isFound = false;
    for (let row = 0; row < spans.count; row++) {
      if (!isIn(set, row)) continue;
      held[row] = 1;
      isFound = true;
    }
    return isFound ? held : undefined;
  }
  const left = holdsIn(expression.left, spans, isIn, nextSet);
  const right = holdsIn(expression.right, spans, isIn, nextSet);
  switch (expression.kind) {
    case "and":
      return left === undefined || right === undefined ? undefined : left.map((value, row) => value | right[row]!);
    case "or":
      if (left === undefined || right === undefined) return left ?? right;
      return left.map((value, row) => value | right[row]!);
    case "child":
    case "descendant":
      if (left === undefined || right === undefined) return undefined;
      return related(left, right, spans, expression.kind);
  }
}

function related(
  left: Uint8Array,
  right: Uint8Array,
  spans: Pick<TraceSpans, "count" | "parent">,
  kind: "child" | "descendant",
): Uint8Array | undefined {
  const { count } = spans;
  const below = new Uint8Array(count);
  for (let row = 0; row < count; row++) {
    const up = spans.parent(row);
    if (up >= 0 && left[up] === 1) below[row] = 1;
  }
  if (kind === "descendant") spread(below, spans);
  const held = right.map((value, row) => value & below[row]!);
  return held.includes(1) ? held : undefined;
}

/** Whoever has a marked span above becomes marked. Each row is walked once, and a circle of parents ends. */
function spread(below: Uint8Array, spans: Pick<TraceSpans, "count" | "parent">): void {
  const known = new Uint8Array(spans.count);
  const way: number[] = [];
  for (let row = 0; row < spans.count; row++) {
    let at = row;
    while (at >= 0 && known[at] === 0 && below[at] === 0) {
      known[at] = 1;
      way.push(at);
      at = spans.parent(at);
    }
    const isBelow = at >= 0 ? below[at]! : 0;
    for (const passed of way) below[passed] = isBelow;
    way.length = 0;
  }
}

function holds(condition: SpanCondition, spans: TraceSpans, row: number): boolean {
  switch (condition.kind) {
    case "all":
      return condition.of.every((part) => holds(part, spans, row));
    case "any":
      return condition.of.some((part) => holds(part, spans, row));
    case "not":
      return !holds(condition.of, spans, row);
    case "service":
      return holdsOfText(condition.test, spans.service(row));
    case "name":
      return holdsOfText(condition.test, spans.name(row));
    case "duration":
      return compares(spans.durationNs(row), condition.op, condition.ns);
    case "status":
      return (spans.status(row) === condition.code) === (condition.op === "=");
    case "span-kind":
      return (spans.kind(row) === condition.code) === (condition.op === "=");
    case "attribute": {
      const { scope, key, test } = condition;
      const own = scope === "resource" ? undefined : spans.attribute(row, "span", key);
      return holdsOfAttribute(test, own ?? (scope === "span" ? undefined : spans.attribute(row, "resource", key)));
    }
  }
}

const NUMBER = new RegExp(NUMBER_TEXT);

function holdsOfAttribute(test: AttributeTest, text: string | undefined): boolean {
  if (test.op === "absent") return text === undefined;
  if (text === undefined) return false;
  if (test.op === "present") return true;
  if ("text" in test) return holdsOfText(test, text);
  return NUMBER.test(text) && compares(Number(text), test.op, test.number);
}

function holdsOfText({ op, text: wanted }: TextTest, text: string): boolean {
  switch (op) {
    case "=":
      return text === wanted;
    case "!=":
      return text !== wanted;
    case "=~":
      return patternOf(wanted).test(text);
    case "!~":
      return !patternOf(wanted).test(text);
  }
}

const patterns = new Map<string, RegExp>();

/**
 * As RE2 in the store reads it: `.` is any letter, line ends too, and the whole text has to match. Of a pattern as `(a+)+$` this
 * can take for ever: a browser asks so of its own page, and a server leaves patterns to its store.
 */
function patternOf(text: string): RegExp {
  let pattern = patterns.get(text);
  if (pattern === undefined) {
    const body = text.replace(/^\(\?i\)/, "");
    pattern = new RegExp(`^(?:${body})$`, body === text ? "su" : "isu");
    if (patterns.size > 100) patterns.clear();
    patterns.set(text, pattern);
  }
  return pattern;
}

function compares(value: number, op: Comparison, other: number): boolean {
  switch (op) {
    case "=":
      return value === other;
    case "!=":
      return value !== other;
    case "<":
      return value < other;
    case "<=":
      return value <= other;
    case ">":
      return value > other;
    case ">=":
      return value >= other;
  }
}
