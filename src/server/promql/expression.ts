/** A question in PromQL, parsed and checked: the part of the language that is answered here. */
export type Expression =
  | { readonly kind: "number"; readonly value: number }
  | { readonly kind: "string"; readonly value: string }
  | Selector
  | { readonly kind: "negate"; readonly of: Expression }
  | { readonly kind: "call"; readonly name: string; readonly args: readonly Expression[] }
  | Aggregation
  | Binary;

export interface Selector {
  readonly kind: "selector";
  readonly matchers: readonly Matcher[];
  /** of a range vector; undefined of an instant vector */
  readonly rangeMs: number | undefined;
  /** how far back it looks from the time that is asked for */
  readonly offsetMs: number;
}

export interface Matcher {
  readonly label: string;
  readonly op: "=" | "!=" | "=~" | "!~";
  readonly value: string;
}

export interface Aggregation {
  readonly kind: "aggregate";
  readonly op: string;
  /** of topk, bottomk, quantile */
  readonly parameter: Expression | undefined;
  readonly of: Expression;
  readonly labels: readonly string[];
  readonly isWithout: boolean;
}

export interface Binary {
  readonly kind: "binary";
  readonly op: string;
  readonly left: Expression;
  readonly right: Expression;
  readonly isBool: boolean;
  readonly matching: Matching;
}

export interface Matching {
  /** on these labels, or on all but these */
  readonly isOn: boolean;
  readonly labels: readonly string[];
  /** which side may have several for one of the other */
  readonly many: "none" | "left" | "right";
  /** labels that the many get from the one */
  readonly include: readonly string[];
}

export type ValueType = "scalar" | "string" | "vector" | "matrix";

export const COMPARISONS: ReadonlySet<string> = new Set(["==", "!=", "<", "<=", ">", ">="]);
export const SET_OPERATIONS: ReadonlySet<string> = new Set(["and", "or", "unless"]);

const VECTOR_NUMBER: readonly ValueType[] = ["vector", "scalar"];
/** Arguments and answers of the functions. */
export const FUNCTIONS: Readonly<Record<string, { args: readonly ValueType[]; least?: number; returns: ValueType }>> = {
  ...Object.fromEntries(
    ["rate", "increase", "delta", "irate", "idelta", "changes", "resets"].map((name) => [
      name,
      { args: ["matrix"], returns: "vector" },
    ]),
  ),
  ...Object.fromEntries(
    ["avg", "min", "max", "sum", "count", "stddev", "stdvar", "last", "present"].map((name) => [
      `${name}_over_time`,
      { args: ["matrix"], returns: "vector" },
    ]),
  ),
  quantile_over_time: { args: ["scalar", "matrix"], returns: "vector" },
  ...Object.fromEntries(
    [
      "abs",
      "ceil",
      "floor",
      "exp",
      "ln",
      "log2",
      "log10",
      "sqrt",
      "sgn",
      "sort",
      "sort_desc",
      "absent",
      "timestamp",
    ].map((name) => [name, { args: ["vector"], returns: "vector" }]),
  ),
  round: { args: VECTOR_NUMBER, least: 1, returns: "vector" },
  clamp: { args: ["vector", "scalar", "scalar"], returns: "vector" },
  clamp_min: { args: VECTOR_NUMBER, returns: "vector" },
  clamp_max: { args: VECTOR_NUMBER, returns: "vector" },
  histogram_quantile: { args: ["scalar", "vector"], returns: "vector" },
  time: { args: [], returns: "scalar" },
  scalar: { args: ["vector"], returns: "scalar" },
  vector: { args: ["scalar"], returns: "vector" },
};

export const AGGREGATIONS: ReadonlySet<string> = new Set(
  "sum avg min max count group stddev stdvar quantile topk bottomk".split(" "),
);

export function typeOf(expression: Expression): ValueType {
  switch (expression.kind) {
    case "number":
      return "scalar";
    case "string":
      return "string";
    case "selector":
      return expression.rangeMs === undefined ? "vector" : "matrix";
    case "negate":
      return typeOf(expression.of);
    case "call":
      return FUNCTIONS[expression.name]!.returns;
    case "aggregate":
      return "vector";
    case "binary":
      return typeOf(expression.left) === "scalar" && typeOf(expression.right) === "scalar" ? "scalar" : "vector";
  }
}

/** All selectors of an expression. */
export function selectorsOf(expression: Expression): readonly Selector[] {
  switch (expression.kind) {
    case "number":
    case "string":
      return [];
    case "selector":
      return [expression];
    case "negate":
      return selectorsOf(expression.of);
    case "call":
      return expression.args.flatMap(selectorsOf);
    case "aggregate":
      return [
        ...(expression.parameter === undefined ? [] : selectorsOf(expression.parameter)),
        ...selectorsOf(expression.of),
      ];
    case "binary":
      return [...selectorsOf(expression.left), ...selectorsOf(expression.right)];
  }
}
