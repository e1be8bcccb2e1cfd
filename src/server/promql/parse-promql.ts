import { parser } from "@prometheus-io/lezer-promql";
import {
  AGGREGATIONS,
  COMPARISONS,
  type Expression,
  FUNCTIONS,
  type Matcher,
  type Matching,
  type Selector,
  SET_OPERATIONS,
  typeOf,
  type ValueType,
} from "./expression.ts";
import { PromqlError } from "./promql-error.ts";

/** A node of the tree of Prometheus' own grammar. */
type Node = ReturnType<ReturnType<typeof parser.parse>["resolve"]>;

/**
 * A question as an expression. What is no PromQL, and what of PromQL is not answered here, is refused by name, with its place:
 * subqueries, `@`, native histograms, and functions that are not in FUNCTIONS.
 */
export function parsePromql(text: string): Expression {
  const tree = parser.parse(text);
  tree.iterate({
    enter: ({ type, from }) => {
      if (type.isError) throw bad(`parse error: unexpected ${shown(text, from)}`, text, from);
    },
  });
  const root = tree.topNode.firstChild;
  if (root === null) throw new PromqlError("bad_data", "parse error: no expression found in input");
  return new Reader(text).expression(root);
}

/** The matchers of a series selector, as `match[]` has it. */
export function parseMatchers(text: string): readonly Matcher[] {
  const expression = parsePromql(text);
  if (expression.kind !== "selector" || expression.rangeMs !== undefined || expression.offsetMs !== 0)
    throw new PromqlError("bad_data", `${text}: expected a selector of series`);
  return expression.matchers;
}

const shown = (text: string, at: number): string =>
  at >= text.length ? "end of input" : JSON.stringify(text.slice(at, at + 20));

const bad = (message: string, text: string, at: number): PromqlError => {
  const line = text.slice(0, at).split("\n");
  return new PromqlError("bad_data", `${line.length}:${line.at(-1)!.length + 1}: ${message}`);
};

class Reader {
  private readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  expression(node: Node): Expression {
    switch (node.name) {
      case "ParenExpr":
        return this.expression(node.firstChild!);
      case "NumberDurationLiteral":
        return { kind: "number", value: this.number(node) };
      case "StringLiteral":
        return { kind: "string", value: this.string(node) };
      case "VectorSelector":
        return this.selector(node);
      case "MatrixSelector":
        return this.matrix(node);
      case "OffsetExpr":
        return this.offset(node);
      case "UnaryExpr": {
        const of = this.expression(node.lastChild!);
        if (typeOf(of) !== "scalar" && typeOf(of) !== "vector")
          throw this.refused(node, "a sign before a range vector or string");
        return this.of(node.firstChild!) === "-" ? { kind: "negate", of } : of;
      }
      case "BinaryExpr":
        return this.binary(node);
      case "FunctionCall":
        return this.call(node);
      case "AggregateExpr":
        return this.aggregation(node);
      case "SubqueryExpr":
        throw this.refused(node, "a subquery");
      case "StepInvariantExpr":
        throw this.refused(node, "the @ modifier");
      default:
        throw this.refused(node, `${node.name}`);
    }
  }

  private of(node: Node): string {
    return this.text.slice(node.from, node.to);
  }

  private refused(node: Node, what: string): PromqlError {
    return bad(`${what} is not supported here`, this.text, node.from);
  }

  private children(node: Node, name?: string): Node[] {
    const all: Node[] = [];
    for (let child = node.firstChild; child !== null; child = child.nextSibling)
      if (name === undefined || child.name === name) all.push(child);
    return all;
  }

  private number(node: Node): number {
    const text = this.of(node).replace(/\s+/g, "");
    if (/[smhdwy]/.test(text) && !/^[+-]?(inf|nan|0x)/i.test(text)) return this.durationMs(node) / 1000;
    const sign = text.startsWith("-") ? -1 : 1;
    const bare = text.replace(/^[+-]/, "");
    if (/^inf$/i.test(bare)) return sign * Infinity;
    if (/^nan$/i.test(bare)) return NaN;
    return sign * Number(bare);
  }

  private durationMs(node: Node): number {
    const text = this.of(node).replace(/\s+/g, "");
    const sign = text.startsWith("-") ? -1 : 1;
    const bare = text.replace(/^[+-]/, "");
    if (/^\d+(\.\d+)?$/.test(bare)) return sign * Number(bare) * 1000;
    if (!/^(\d+(ms|[smhdwy]))+$/.test(bare))
      throw bad(`${JSON.stringify(text)}: expected a duration as 5m or 1h30m`, this.text, node.from);
    let total = 0;
    for (const [, count, unit] of bare.matchAll(/(\d+)(ms|[smhdwy])/g)) total += Number(count) * UNIT_MS[unit!]!;
    return sign * total;
  }

  private string(node: Node): string {
    return unquoted(this.of(node)) ?? this.fail(node, "a text with an escape that is none");
  }

  private fail(node: Node, what: string): never {
    throw bad(what, this.text, node.from);
  }

  private selector(node: Node): Selector {
    const matchers: Matcher[] = [];
    const name = node.getChild("Identifier");
    if (name !== null) matchers.push({ label: "__name__", op: "=", value: this.of(name) });
    for (const part of this.children(node.getChild("LabelMatchers") ?? node)) {
      if (part.name === "QuotedLabelName") matchers.push({ label: "__name__", op: "=", value: this.string(part) });
      else if (part.name.endsWith("LabelMatcher")) matchers.push(this.matcher(part));
    }
    if (
      matchers.every(
        ({ op, value }) =>
          (op === "=" && value === "") ||
          (op === "!=" && value !== "") ||
          op === "!~" ||
          (op === "=~" && matchesEmpty(value)),
      )
    )
      throw bad("vector selector must contain at least one non-empty matcher", this.text, node.from);
    return { kind: "selector", matchers, rangeMs: undefined, offsetMs: 0 };
  }

  private matcher(node: Node): Matcher {
    const [label, op, value] = this.children(node) as [Node, Node, Node];
    const name = label.name === "QuotedLabelName" ? this.string(label) : this.of(label);
    return { label: name, op: this.of(op) as Matcher["op"], value: this.string(value) };
  }

  private matrix(node: Node): Selector {
    const [inner, range] = this.children(node) as [Node, Node];
    const selector = this.expression(inner);
    if (selector.kind !== "selector" || selector.rangeMs !== undefined)
      throw bad("ranges only allowed for vector selectors", this.text, node.from);
    if (selector.offsetMs !== 0) throw bad("no offset modifiers allowed before range", this.text, node.from);
    const rangeMs = this.durationMs(range);
    if (!(rangeMs > 0)) throw bad("duration must be greater than 0", this.text, range.from);
    return { ...selector, rangeMs };
  }

  private offset(node: Node): Selector {
    const children = this.children(node);
    const selector = this.expression(children[0]!);
    if (selector.kind !== "selector")
      throw bad("offset modifier must be preceded by a vector or range selector", this.text, node.from);
    return { ...selector, offsetMs: this.durationMs(children.at(-1)!) };
  }

  private binary(node: Node): Expression {
    const parts = this.children(node);
    const [left, right] = [this.expression(parts[0]!), this.expression(parts.at(-1)!)];
    const op = this.of(parts[1]!).toLowerCase();
    if (!(op in ARITHMETIC) && !COMPARISONS.has(op) && !SET_OPERATIONS.has(op)) throw this.refused(node, op);
    if (node.getChild("FillModifier") !== null) throw this.refused(node, "fill");
    const [of, to] = [typeOf(left), typeOf(right)];
    for (const type of [of, to])
      if (type !== "scalar" && type !== "vector")
        throw bad("binary expression must contain only scalar and instant vector types", this.text, node.from);
    const isBool = node.getChild("BoolModifier") !== null;
    if (isBool && !COMPARISONS.has(op))
      throw bad("bool modifier can only be used on comparison operators", this.text, node.from);
    const areScalars = of === "scalar" && to === "scalar";
    if (areScalars && COMPARISONS.has(op) && !isBool)
      throw bad("comparisons between scalars must use BOOL modifier", this.text, node.from);
    if (SET_OPERATIONS.has(op) && (of === "scalar" || to === "scalar"))
      throw bad(`set operator "${op}" not allowed in binary scalar expression`, this.text, node.from);
    const matching = this.matching(node.getChild("MatchingModifierClause"), op);
    const sign = this.of(parts[0]!)[0];
    // The grammar reads a sign before a number as the number's own; a power binds closer than that.
    if (op === "^" && left.kind === "number" && parts[0]!.name === "NumberDurationLiteral" && sign === "-") {
      const positive = { ...left, value: -left.value };
      return { kind: "negate", of: { kind: "binary", op, left: positive, right, isBool, matching } };
    }
    return { kind: "binary", op, left, right, isBool, matching };
  }

  private matching(node: Node | null, op: string): Matching {
    if (node === null) return { isOn: false, labels: [], many: "none", include: [] };
    const [labels, include] = this.children(node, "GroupingLabels").map((list) => this.names(list));
    const many = node.getChild("GroupLeft") !== null ? "left" : node.getChild("GroupRight") !== null ? "right" : "none";
    if (many !== "none" && SET_OPERATIONS.has(op))
      throw bad(`no grouping allowed for "${op}" operation`, this.text, node.from);
    return { isOn: node.getChild("On") !== null, labels: labels ?? [], many, include: include ?? [] };
  }

  private names(list: Node): string[] {
    return this.children(list).map((node) => (node.name === "QuotedLabelName" ? this.string(node) : this.of(node)));
  }

  private call(node: Node): Expression {
    const name = this.of(node.getChild("FunctionIdentifier")!);
    const known = FUNCTIONS[name];
    if (known === undefined) throw this.refused(node, `function ${name}`);
    const args = this.children(node.getChild("FunctionCallBody")!).map((arg) => this.expression(arg));
    const least = known.least ?? known.args.length;
    if (args.length < least || args.length > known.args.length)
      throw bad(`expected ${least} argument(s) in call to "${name}", got ${args.length}`, this.text, node.from);
    args.forEach((arg, i) => this.expect(node, arg, known.args[i]!, `call to function "${name}"`));
    return { kind: "call", name, args };
  }

  private aggregation(node: Node): Expression {
    const op = this.of(node.getChild("AggregateOp")!).toLowerCase();
    if (!AGGREGATIONS.has(op)) throw this.refused(node, `aggregation ${op}`);
    const args = this.children(node.getChild("FunctionCallBody")!).map((arg) => this.expression(arg));
    const takesParameter = op === "quantile" || op.endsWith("k");
    if (args.length !== (takesParameter ? 2 : 1))
      throw bad(
        `wrong number of arguments for aggregate expression provided, expected ${takesParameter ? 2 : 1}, got ${args.length}`,
        this.text,
        node.from,
      );
    const of = args.at(-1)!;
    this.expect(node, of, "vector", "aggregation expression");
    if (takesParameter) this.expect(node, args[0]!, "scalar", "aggregation parameter");
    const modifier = node.getChild("AggregateModifier");
    const list = modifier?.getChild("GroupingLabels") ?? null;
    const isWithout = (modifier?.getChild("Without") ?? null) !== null;
    return {
      kind: "aggregate",
      op,
      parameter: takesParameter ? args[0] : undefined,
      of,
      labels: list === null ? [] : this.names(list),
      isWithout,
    };
  }

  private expect(node: Node, given: Expression, wanted: ValueType, where: string): void {
    const type = typeOf(given);
    if (type !== wanted)
      throw bad(`expected type ${TYPE_NAMES[wanted]} in ${where}, got ${TYPE_NAMES[type]}`, this.text, node.from);
  }
}

const TYPE_NAMES = { scalar: "scalar", string: "string", vector: "instant vector", matrix: "range vector" } as const;
const ARITHMETIC: Readonly<Record<string, true>> = { "+": true, "-": true, "*": true, "/": true, "%": true, "^": true };
const UNIT_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 7 * 86_400_000,
  y: 365 * 86_400_000,
};

/** Patterns that take the empty text, so far as that can be said without trying: a matcher of these alone asks for everything. */
const matchesEmpty = (pattern: string): boolean => pattern === "" || /^\.\*$|^\(\.\*\)$|\|$|^\|/.test(pattern);

/** The text of a literal as Go writes it; undefined where an escape is none. */
function unquoted(literal: string): string | undefined {
  const body = literal.slice(1, -1);
  if (literal.startsWith("`")) return body;
  let isBad = false;
  const text = body.replace(
    /\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-7]{3}|.|$)/gs,
    (_, escape: string) => {
      const plain = ESCAPES[escape];
      if (plain !== undefined) return plain;
      const code = /^[xuU]./.test(escape) && escape.length > 2 ? Number.parseInt(escape.slice(1), 16) : Infinity;
      if (code <= LAST_CODE_POINT) return String.fromCodePoint(code);
      if (/^[0-7]{3}$/.test(escape)) return String.fromCodePoint(Number.parseInt(escape, 8));
      isBad = true;
      return "";
    },
  );
  return isBad ? undefined : text;
}

const LAST_CODE_POINT = 0x10_ffff;

const ESCAPES: Readonly<Record<string, string>> = {
  a: "\u0007",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
  "\\": "\\",
  "'": "'",
  '"': '"',
};
