import type { Aggregation } from "./expression.ts";
import { dropping, keeping, type Labels, remembered } from "./labels.ts";
import { mean, quantile, sum, variance } from "./over-time.ts";
import type { VectorSample } from "./vector.ts";

/** An aggregation, with the groups of the label sets that it has seen. */
export class Aggregator {
  private readonly op: string;
  private readonly groupOf: (labels: Labels) => Labels;

  constructor({ op, labels, isWithout }: Aggregation) {
    this.op = op;
    this.groupOf = remembered(isWithout ? dropping(labels) : keeping(labels));
  }

  of(vector: readonly VectorSample[], parameter: number): VectorSample[] {
    const groups = new Map<string, { labels: Labels; members: VectorSample[] }>();
    for (const sample of vector) {
      const labels = this.groupOf(sample.labels);
      const group = groups.get(labels.key) ?? { labels, members: [] };
      groups.set(labels.key, group);
      group.members.push(sample);
    }
    return [...groups.values()].flatMap(({ labels, members }) => {
      if (this.op === "topk" || this.op === "bottomk") return extremes(members, parameter, this.op === "topk" ? -1 : 1);
      const values = members.map(({ value }) => value);
      return [{ labels, value: this.one(values, parameter) }];
    });
  }

  private one(values: readonly number[], parameter: number): number {
    switch (this.op) {
      case "sum":
        return sum(values);
      case "avg":
        return mean(values);
      case "min":
        return extreme(values, Math.min);
      case "max":
        return extreme(values, Math.max);
      case "count":
        return values.length;
      case "group":
        return 1;
      case "stddev":
        return Math.sqrt(variance(values));
      case "stdvar":
        return variance(values);
      case "quantile":
        return quantile(parameter, values);
    }
    throw new Error(`${this.op} is no aggregation`);
  }
}

/** NaN only where all are. */
function extreme(values: readonly number[], pick: (a: number, b: number) => number): number {
  const numbers = values.filter((value) => !Number.isNaN(value));
  return numbers.length === 0 ? NaN : numbers.reduce((a, b) => pick(a, b));
}

function extremes(members: VectorSample[], k: number, sign: number): VectorSample[] {
  if (!(k >= 1)) return [];
  const rank = ({ value }: VectorSample): number => (Number.isNaN(value) ? Infinity : sign * value);
  return members.toSorted((a, b) => rank(a) - rank(b) || 0).slice(0, Math.floor(k));
}
