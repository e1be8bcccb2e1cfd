import { type Binary, COMPARISONS, SET_OPERATIONS } from "./expression.ts";
import { dropName, dropping, keeping, type Labels, labelsOf, NAME, remembered, valueOf } from "./labels.ts";
import { PromqlError } from "./promql-error.ts";
import type { VectorSample } from "./vector.ts";

/** The number of an operation on two; of a comparison 1 or 0. */
export function calculate(op: string, left: number, right: number): number {
  switch (op) {
    case "+":
      return left + right;
    case "-":
      return left - right;
    case "*":
      return left * right;
    case "/":
      return left / right;
    case "%":
      return left % right;
    case "^":
      return left ** right;
    case "==":
      return left === right ? 1 : 0;
    case "!=":
      return left === right ? 0 : 1;
    case "<":
      return left < right ? 1 : 0;
    case "<=":
      return left <= right ? 1 : 0;
    case ">":
      return left > right ? 1 : 0;
    case ">=":
      return left >= right ? 1 : 0;
  }
  throw new Error(`${op} is no operation`);
}

/** An operation between vectors, or a vector and a number, with the label sets that it has seen. */
export class BinaryOperator {
  private readonly binary: Binary;
  /** A comparison that lets values through rather than making new ones keeps the metric's name. */
  private readonly isFilter: boolean;
  private readonly unnamed = remembered(dropName);
  private readonly signature: (labels: Labels) => Labels;
  private readonly joined = new Map<string, Labels>();

  constructor(binary: Binary) {
    this.binary = binary;
    const { isOn, labels } = binary.matching;
    this.isFilter = COMPARISONS.has(binary.op) && !binary.isBool;
    this.signature = remembered(isOn ? keeping(labels) : dropping(labels));
  }

  withNumber(vector: readonly VectorSample[], number: number, isNumberLeft: boolean): VectorSample[] {
    const { op } = this.binary;
    return vector.flatMap(({ labels, value }) => {
      const result = isNumberLeft ? calculate(op, number, value) : calculate(op, value, number);
      if (this.isFilter) return result === 1 ? [{ labels, value }] : [];
      return [{ labels: this.unnamed(labels), value: result }];
    });
  }

  vectors(left: readonly VectorSample[], right: readonly VectorSample[]): VectorSample[] {
    return SET_OPERATIONS.has(this.binary.op) ? this.sets(left, right) : this.matched(left, right);
  }

  private sets(left: readonly VectorSample[], right: readonly VectorSample[]): VectorSample[] {
    const keys = (vector: readonly VectorSample[]): Set<string> =>
      new Set(vector.map(({ labels }) => this.signature(labels).key));
    const isIn = (set: Set<string>, wanted: boolean) => (sample: VectorSample) =>
      set.has(this.signature(sample.labels).key) === wanted;
    if (this.binary.op === "or") return [...left, ...right.filter(isIn(keys(left), false))];
    return left.filter(isIn(keys(right), this.binary.op === "and"));
  }

  private matched(left: readonly VectorSample[], right: readonly VectorSample[]): VectorSample[] {
    const { op, matching } = this.binary;
    const isManyRight = matching.many === "right";
    const [many, one] = isManyRight ? [right, left] : [left, right];
    const ones = new Map<string, VectorSample>();
    for (const sample of one) {
      const { key } = this.signature(sample.labels);
      if (ones.has(key))
        throw new PromqlError(
          "execution",
          `found duplicate series for the match group ${key} on the ${isManyRight ? "left" : "right"} hand-side of the operation: many-to-many matching not allowed: matching labels must be unique on one side`,
        );
      ones.set(key, sample);
    }
    const seen = new Set<string>();
    const result: VectorSample[] = [];
    for (const sample of many) {
      const { key } = this.signature(sample.labels);
      const other = ones.get(key);
      if (other === undefined) continue;
      const [a, b] = isManyRight ? [other.value, sample.value] : [sample.value, other.value];
      const value = calculate(op, a, b);
      if (this.isFilter && value !== 1) continue;
      const labels = this.labels(sample.labels, other.labels);
      const unique = matching.many === "none" ? key : labels.key;
      if (seen.has(unique))
        throw new PromqlError(
          "execution",
          matching.many === "none"
            ? "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)"
            : "multiple matches for labels: grouping labels must ensure unique matches",
        );
      seen.add(unique);
      // A filter lets the left value through, whichever side has the many.
      result.push({ labels, value: this.isFilter ? a : value });
    }
    return result;
  }

  private labels(many: Labels, one: Labels): Labels {
    const { matching, isBool } = this.binary;
    const key = `${many.key}\n${one.key}`;
    const held = this.joined.get(key);
    if (held !== undefined) return held;
    let pairs = many.pairs.filter(([name]) => name !== NAME || (this.isFilter && !isBool));
    if (matching.many === "none") {
      pairs = pairs.filter(([name]) => matching.labels.includes(name) === matching.isOn);
    } else if (matching.include.length > 0) {
      pairs = pairs.filter(([name]) => !matching.include.includes(name));
      pairs = [...pairs, ...matching.include.map((name) => [name, valueOf(one, name)] as const)];
    }
    const labels = labelsOf(pairs);
    this.joined.set(key, labels);
    return labels;
  }
}
