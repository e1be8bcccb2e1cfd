import { setImmediate as turn } from "node:timers/promises";
import type { MetricLookup } from "../../store/stored-metrics.ts";
import { Aggregator } from "./aggregate.ts";
import { BinaryOperator, calculate } from "./binary.ts";
import { type Aggregation, type Binary, type Expression, type Selector, selectorsOf, typeOf } from "./expression.ts";
import { histogramQuantile } from "./histogram-quantile.ts";
import { dropName, type Labels, labelsOf, NO_LABELS, remembered } from "./labels.ts";
import { overTime, type Samples } from "./over-time.ts";
import { PromqlError } from "./promql-error.ts";
import { type PromSeries, readSeries } from "./series-source.ts";
import type { VectorSample } from "./vector.ts";

/** A sample counts for so long, as in Prometheus. */
const LOOK_BACK_MS = 5 * 60_000;
/** In an answer at most: a point that is read counts for minutes, and so may stand in it thousands of times. */
const MOST_VALUES = 2_000_000;
/** The event loop gets its turn that often. */
const SLICE_MS = 20;

export type Answer =
  | { readonly kind: "scalar"; readonly value: number }
  | { readonly kind: "string"; readonly value: string }
  | { readonly kind: "vector"; readonly vector: readonly VectorSample[] }
  | { readonly kind: "matrix"; readonly series: readonly MatrixSeries[] };

export interface MatrixSeries {
  readonly labels: Labels;
  /** milliseconds since 1970, and what was then */
  readonly values: readonly (readonly [timeMs: number, value: number])[];
}

/** The answer at one time. */
export async function evaluateAt(
  lookup: MetricLookup,
  expression: Expression,
  timeMs: number,
  signal?: AbortSignal,
): Promise<Answer> {
  const evaluation = await prepare(lookup, expression, timeMs, timeMs, signal);
  switch (typeOf(expression)) {
    case "string":
      return { kind: "string", value: expression.kind === "string" ? expression.value : "" };
    case "scalar":
      return { kind: "scalar", value: evaluation.scalar(expression, timeMs) };
    case "matrix":
      return { kind: "matrix", series: evaluation.matrix(expression as Selector, timeMs) };
    case "vector":
      return { kind: "vector", vector: unique(evaluation.vector(expression, timeMs)) };
  }
}

/** The answers from `startMs` to `endMs`, `stepMs` apart, by series. */
export async function evaluateRange(
  lookup: MetricLookup,
  expression: Expression,
  { startMs, endMs, stepMs }: { readonly startMs: number; readonly endMs: number; readonly stepMs: number },
  signal?: AbortSignal,
): Promise<readonly MatrixSeries[]> {
  const type = typeOf(expression);
  if (type !== "scalar" && type !== "vector")
    throw new PromqlError(
      "bad_data",
      `invalid expression type "${type === "matrix" ? "range vector" : "string"}" for range query, must be Scalar or instant Vector`,
    );
  const evaluation = await prepare(lookup, expression, startMs, endMs, signal);
  const series = new Map<string, { labels: Labels; values: [number, number][] }>();
  let values = 0;
  let sliceEnds = performance.now() + SLICE_MS;
  for (let at = startMs; at <= endMs; at += stepMs) {
    if (performance.now() > sliceEnds) {
      await turn();
      signal?.throwIfAborted();
      sliceEnds = performance.now() + SLICE_MS;
    }
    const vector =
      type === "scalar"
        ? [{ labels: NO_LABELS, value: evaluation.scalar(expression, at) }]
        : unique(evaluation.vector(expression, at));
    values += vector.length;
    if (values > MOST_VALUES)
      throw new PromqlError(
        "execution",
        `more than ${MOST_VALUES} values: ask for fewer series, less time or larger steps`,
      );
    for (const { labels, value } of vector) {
      let held = series.get(labels.key);
      if (held === undefined) series.set(labels.key, (held = { labels, values: [] }));
      held.values.push([at, value]);
    }
  }
  return [...series.values()].sort((a, b) => (a.labels.key < b.labels.key ? -1 : 1));
}

async function prepare(
  lookup: MetricLookup,
  expression: Expression,
  startMs: number,
  endMs: number,
  signal?: AbortSignal,
): Promise<Evaluation> {
  const read = new Map<Selector, readonly Cursor[]>();
  for (const selector of selectorsOf(expression)) {
    const { offsetMs, rangeMs = LOOK_BACK_MS } = selector;
    const series = await readSeries(lookup, selector.matchers, startMs - offsetMs - rangeMs, endMs - offsetMs, signal);
    read.set(
      selector,
      series.map((one) => new Cursor(one, selector.rangeMs !== undefined)),
    );
  }
  return new Evaluation(read);
}

/** The samples of a series, looked through in the order of time. */
class Cursor {
  readonly labels: Labels;
  readonly samples: Samples;
  private from = 0;
  private to = 0;

  constructor({ labels, samples }: PromSeries, isRange: boolean) {
    this.labels = labels;
    // Ends of a series are of use to an instant alone.
    this.samples = isRange ? withoutEnds(samples) : samples;
  }

  /** The row of the last sample in (endMs - LOOK_BACK_MS, endMs]; -1 where there is none or the series has ended. */
  last(endMs: number): number {
    const { timeMs, value } = this.samples;
    while (this.to < timeMs.length && timeMs[this.to]! <= endMs) this.to++;
    const row = this.to - 1;
    return row >= 0 && timeMs[row]! > endMs - LOOK_BACK_MS && !Number.isNaN(value[row]!) ? row : -1;
  }

  /** Rows of the samples in [startMs, endMs]. */
  within(startMs: number, endMs: number): { from: number; to: number } {
    const { timeMs } = this.samples;
    while (this.to < timeMs.length && timeMs[this.to]! <= endMs) this.to++;
    while (this.from < this.to && timeMs[this.from]! < startMs) this.from++;
    return { from: this.from, to: this.to };
  }
}

function withoutEnds(samples: Samples): Samples {
  if (!samples.value.some((value) => Number.isNaN(value))) return samples;
  const rows = [...samples.value.keys()].filter((row) => !Number.isNaN(samples.value[row]!));
  return {
    timeMs: Float64Array.from(rows, (row) => samples.timeMs[row]!),
    value: Float64Array.from(rows, (row) => samples.value[row]!),
  };
}

/** Evaluates at times that ascend. */
class Evaluation {
  private readonly read: ReadonlyMap<Selector, readonly Cursor[]>;
  private readonly unnamed = remembered(dropName);
  private readonly aggregators = new Map<Aggregation, Aggregator>();
  private readonly operators = new Map<Binary, BinaryOperator>();

  constructor(read: ReadonlyMap<Selector, readonly Cursor[]>) {
    this.read = read;
  }

  matrix(selector: Selector, timeMs: number): MatrixSeries[] {
    const endMs = timeMs - selector.offsetMs;
    return this.read.get(selector)!.flatMap((cursor) => {
      const { from, to } = cursor.within(endMs - selector.rangeMs!, endMs);
      const { timeMs: times, value } = cursor.samples;
      const values = Array.from({ length: to - from }, (_, i) => [times[from + i]!, value[from + i]!] as const);
      return values.length === 0 ? [] : [{ labels: cursor.labels, values }];
    });
  }

  scalar(expression: Expression, timeMs: number): number {
    switch (expression.kind) {
      case "number":
        return expression.value;
      case "negate":
        return -this.scalar(expression.of, timeMs);
      case "binary":
        return calculate(expression.op, this.scalar(expression.left, timeMs), this.scalar(expression.right, timeMs));
      case "call": {
        if (expression.name === "time") return timeMs / 1000;
        const vector = this.vector(expression.args[0]!, timeMs);
        return vector.length === 1 ? vector[0]!.value : NaN;
      }
      case "string":
      case "selector":
      case "aggregate":
        throw new Error(`${expression.kind} is no scalar`);
    }
  }

  vector(expression: Expression, timeMs: number): readonly VectorSample[] {
    switch (expression.kind) {
      case "selector":
        return this.instant(expression, timeMs).map(({ labels, value }) => ({ labels, value }));
      case "negate":
        return this.vector(expression.of, timeMs).map(({ labels, value }) => ({
          labels: this.unnamed(labels),
          value: -value,
        }));
      case "call":
        return this.call(expression, timeMs);
      case "aggregate": {
        const { parameter } = expression;
        const number = parameter === undefined ? NaN : this.scalar(parameter, timeMs);
        return made(this.aggregators, expression, () => new Aggregator(expression)).of(
          this.vector(expression.of, timeMs),
          number,
        );
      }
      case "binary":
        return this.binary(expression, timeMs);
      case "number":
      case "string":
        throw new Error(`${expression.kind} is no vector`);
    }
  }

  private instant(selector: Selector, timeMs: number): (VectorSample & { atMs: number })[] {
    const endMs = timeMs - selector.offsetMs;
    return this.read.get(selector)!.flatMap((cursor) => {
      const row = cursor.last(endMs);
      if (row < 0) return [];
      return [{ labels: cursor.labels, value: cursor.samples.value[row]!, atMs: cursor.samples.timeMs[row]! }];
    });
  }

  private binary(binary: Binary, timeMs: number): readonly VectorSample[] {
    const operator = made(this.operators, binary, () => new BinaryOperator(binary));
    const { left, right } = binary;
    if (typeOf(left) === "scalar")
      return operator.withNumber(this.vector(right, timeMs), this.scalar(left, timeMs), true);
    if (typeOf(right) === "scalar")
      return operator.withNumber(this.vector(left, timeMs), this.scalar(right, timeMs), false);
    return operator.vectors(this.vector(left, timeMs), this.vector(right, timeMs));
  }

  private call({ name, args }: Extract<Expression, { kind: "call" }>, timeMs: number): readonly VectorSample[] {
    const range = args.find((arg): arg is Selector => arg.kind === "selector" && arg.rangeMs !== undefined);
    if (range !== undefined)
      return this.overRange(name, range, name === "quantile_over_time" ? this.scalar(args[0]!, timeMs) : NaN, timeMs);
    if (name === "vector") return [{ labels: NO_LABELS, value: this.scalar(args[0]!, timeMs) }];
    if (name === "histogram_quantile")
      return histogramQuantile(this.scalar(args[0]!, timeMs), this.vector(args[1]!, timeMs));
    const of = args[0]!;
    const rest = args.slice(1);
    if (name === "timestamp") {
      const samples =
        of.kind === "selector"
          ? this.instant(of, timeMs)
          : this.vector(of, timeMs).map((one) => ({ ...one, atMs: timeMs }));
      return samples.map(({ labels, atMs }) => ({ labels: this.unnamed(labels), value: atMs / 1000 }));
    }
    const vector = this.vector(of, timeMs);
    if (name === "absent") return vector.length > 0 ? [] : [{ labels: absentLabels(of), value: 1 }];
    if (name === "sort" || name === "sort_desc") return sorted(vector, name === "sort" ? 1 : -1);
    const numbers = rest.map((arg) => this.scalar(arg, timeMs));
    if (name === "clamp" && numbers[0]! > numbers[1]!) return [];
    return vector.map(({ labels, value }) => ({ labels: this.unnamed(labels), value: ofNumber(name, value, numbers) }));
  }

  private overRange(name: string, selector: Selector, parameter: number, timeMs: number): VectorSample[] {
    const endMs = timeMs - selector.offsetMs;
    const startMs = endMs - selector.rangeMs!;
    return this.read.get(selector)!.flatMap((cursor) => {
      const { from, to } = cursor.within(startMs, endMs);
      if (from === to) return [];
      const value = overTime(name, { samples: cursor.samples, from, to, startMs, endMs }, parameter);
      if (value === undefined) return [];
      return [{ labels: name === "last_over_time" ? cursor.labels : this.unnamed(cursor.labels), value }];
    });
  }
}

function made<Key, Value>(held: Map<Key, Value>, key: Key, make: () => Value): Value {
  let value = held.get(key);
  if (value === undefined) held.set(key, (value = make()));
  return value;
}

/** Two samples of the same labels at one time are no answer. */
function unique(vector: readonly VectorSample[]): readonly VectorSample[] {
  if (new Set(vector.map(({ labels }) => labels.key)).size < vector.length)
    throw new PromqlError("execution", "vector cannot contain metrics with the same labelset");
  return vector;
}

const sorted = (vector: readonly VectorSample[], sign: number): VectorSample[] => {
  const rank = ({ value }: VectorSample): number => (Number.isNaN(value) ? Infinity : sign * value);
  return vector.toSorted((a, b) => rank(a) - rank(b) || 0);
};

/** Labels that a selector names by equality. */
function absentLabels(of: Expression): Labels {
  if (of.kind !== "selector") return NO_LABELS;
  const names = of.matchers.map(({ label }) => label);
  const once = of.matchers.filter(({ op, label }) => op === "=" && names.filter((name) => name === label).length === 1);
  return dropName(labelsOf(once.map(({ label, value }) => [label, value])));
}

function ofNumber(name: string, value: number, [first = NaN, second = NaN]: readonly number[]): number {
  switch (name) {
    case "abs":
      return Math.abs(value);
    case "ceil":
      return Math.ceil(value);
    case "floor":
      return Math.floor(value);
    case "exp":
      return Math.exp(value);
    case "ln":
      return Math.log(value);
    case "log2":
      return Math.log2(value);
    case "log10":
      return Math.log10(value);
    case "sqrt":
      return Math.sqrt(value);
    case "sgn":
      return Math.sign(value);
    case "round": {
      // The nearest multiple, a half upwards, by the inverse: 0.1 is no double.
      const inverse = 1 / (Number.isNaN(first) ? 1 : first);
      return Math.floor(value * inverse + 0.5) / inverse;
    }
    case "clamp":
      return Math.max(first, Math.min(second, value));
    case "clamp_min":
      return Math.max(first, value);
    case "clamp_max":
      return Math.min(first, value);
  }
  throw new Error(`${name} is no function of a number`);
}
