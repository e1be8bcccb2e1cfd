/** Samples of one series, ascending by time; none is NaN. */
export interface Samples {
  /** milliseconds since 1970 */
  readonly timeMs: Float64Array;
  readonly value: Float64Array;
}

/** Rows [from, to) of samples in a window that ends at `endMs`. */
export interface Window {
  readonly samples: Samples;
  readonly from: number;
  readonly to: number;
  readonly startMs: number;
  readonly endMs: number;
}

/** What a function over time says of a window with at least one sample; undefined: nothing. */
export function overTime(name: string, window: Window, parameter: number): number | undefined {
  const { from, to } = window;
  const values = window.samples.value.subarray(from, to);
  switch (name) {
    case "rate":
      return extrapolated(window, true, true);
    case "increase":
      return extrapolated(window, true, false);
    case "delta":
      return extrapolated(window, false, false);
    case "irate":
    case "idelta":
      return instant(window, name === "irate");
    case "changes":
      return count(values, (value, before) => value !== before);
    case "resets":
      return count(values, (value, before) => value < before);
    case "avg_over_time":
      return mean(values);
    case "min_over_time":
      return values.reduce((least, value) => Math.min(least, value));
    case "max_over_time":
      return values.reduce((greatest, value) => Math.max(greatest, value));
    case "sum_over_time":
      return sum(values);
    case "count_over_time":
      return values.length;
    case "last_over_time":
      return values.at(-1);
    case "present_over_time":
      return 1;
    case "stdvar_over_time":
      return variance(values);
    case "stddev_over_time":
      return Math.sqrt(variance(values));
    case "quantile_over_time":
      return quantile(parameter, values);
  }
  throw new Error(`${name} is no function over time`);
}

/**
 * The increase between the first and last sample of a window, extended to its borders: by the whole gap where that is
 * shorter than 1.1 mean intervals between samples, else by half an interval; a counter never to before it was 0. As
 * Prometheus 2.42 does it (promql/functions.go, extrapolatedRate).
 */
function extrapolated(
  { samples, from, to, startMs, endMs }: Window,
  isCounter: boolean,
  isRate: boolean,
): number | undefined {
  const { timeMs, value } = samples;
  if (to - from < 2) return undefined;
  let result = value[to - 1]! - value[from]!;
  if (isCounter) for (let i = from + 1; i < to; i++) if (value[i]! < value[i - 1]!) result += value[i - 1]!;
  let toStart = (timeMs[from]! - startMs) / 1000;
  const toEnd = (endMs - timeMs[to - 1]!) / 1000;
  const sampled = (timeMs[to - 1]! - timeMs[from]!) / 1000;
  const interval = sampled / (to - from - 1);
  if (isCounter && result > 0 && value[from]! >= 0) toStart = Math.min(toStart, sampled * (value[from]! / result));
  const threshold = interval * 1.1;
  const reach = sampled + (toStart < threshold ? toStart : interval / 2) + (toEnd < threshold ? toEnd : interval / 2);
  return result * (reach / sampled / (isRate ? (endMs - startMs) / 1000 : 1));
}

function instant({ samples, from, to }: Window, isRate: boolean): number | undefined {
  if (to - from < 2) return undefined;
  const { timeMs, value } = samples;
  const [before, last] = [value[to - 2]!, value[to - 1]!];
  const seconds = (timeMs[to - 1]! - timeMs[to - 2]!) / 1000;
  if (seconds === 0) return undefined;
  return isRate ? (last < before ? last : last - before) / seconds : last - before;
}

function count(values: Float64Array, isOne: (value: number, before: number) => boolean): number {
  let n = 0;
  for (let i = 1; i < values.length; i++) if (isOne(values[i]!, values[i - 1]!)) n++;
  return n;
}

export const sum = (values: ArrayLike<number>): number => {
  // Neumaier's compensated sum: a rate of large counters is not lost in rounding.
  let [total, rest] = [0, 0];
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    const next = total + value;
    rest += Number.isFinite(next)
      ? Math.abs(total) >= Math.abs(value)
        ? total - next + value
        : value - next + total
      : 0;
    total = next;
  }
  return total + rest;
};

export const mean = (values: ArrayLike<number>): number => sum(values) / values.length;

/** Of a population. */
export function variance(values: ArrayLike<number>): number {
  const middle = mean(values);
  return sum(Array.from(values, (value) => (value - middle) ** 2)) / values.length;
}

/** By linear interpolation between ranks. */
export function quantile(q: number, values: ArrayLike<number>): number {
  if (values.length === 0 || Number.isNaN(q)) return NaN;
  if (q < 0) return -Infinity;
  if (q > 1) return Infinity;
  const sorted = Float64Array.from(values).sort();
  const rank = q * (sorted.length - 1);
  const lower = Math.max(0, Math.floor(rank));
  const upper = Math.min(sorted.length - 1, lower + 1);
  const weight = rank - Math.floor(rank);
  return sorted[lower]! * (1 - weight) + sorted[upper]! * weight;
}
