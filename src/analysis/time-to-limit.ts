/** How a quantity grows between restarts, in its unit per second. */
export interface SteadySlope {
  readonly value: number;
  /** 90 % interval */
  readonly low: number;
  readonly high: number;
  /** level at the end: median of the last three values */
  readonly last: number;
  readonly restarts: number;
  /** seconds that are looked at, restarts included */
  readonly seconds: number;
}

/** A value that falls by half from one window to the next is one of a process that was started anew. */
const RESTART = 0.5;
/** Fewer values in a run give slopes that one outlier decides. */
const MIN_VALUES = 6;
/** At this many values pairs are taken of every k-th: the cost is quadratic. */
const MAX_PAIRED = 300;
/** Two-sided 90 % of the normal distribution. */
const Z = 1.645;

/**
 * Slope by Theil and Sen: the median of the slopes of all pairs of values, which a third of outliers do not move, of pairs
 * between which no restart lies. The interval is Sen's (1968), from the variance of Kendall's statistic.
 *
 * values: one per window of `stepSeconds`, NaN where not known. Undefined where no run between restarts has 6 values.
 */
export function steadySlope(values: Float64Array, stepSeconds: number): SteadySlope | undefined {
  const known = Array.from(values.keys()).filter((i) => Number.isFinite(values[i]!));
  const runs = runsBetweenRestarts(values, known).filter((run) => run.length >= MIN_VALUES);
  const lastRun = runs.at(-1);
  if (lastRun === undefined) return undefined;
  const slopes: number[] = [];
  let variance = 0;
  for (const run of runs) {
    const step = Math.ceil(run.length / MAX_PAIRED);
    const chosen = run.filter((_, i) => i % step === 0);
    const n = chosen.length;
    variance += (n * (n - 1) * (2 * n + 5)) / 18;
    for (let i = 0; i < n; i++) {
      for (let j = i + 1; j < n; j++) {
        const [from, to] = [chosen[i]!, chosen[j]!];
        slopes.push((values[to]! - values[from]!) / ((to - from) * stepSeconds));
      }
    }
  }
  slopes.sort((a, b) => a - b);
  const reach = Z * Math.sqrt(variance);
  const at = (rank: number): number => slopes[Math.min(slopes.length - 1, Math.max(0, Math.round(rank)))]!;
  const middle = (slopes.length - 1) / 2;
  const tail = lastRun.slice(-3).map((i) => values[i]!);
  return {
    value: (at(Math.floor(middle)) + at(Math.ceil(middle))) / 2,
    low: at(middle - reach / 2),
    high: at(middle + reach / 2),
    last: tail.toSorted((a, b) => a - b)[tail.length >> 1]!,
    restarts: runsBetweenRestarts(values, known).length - 1,
    seconds: known.length === 0 ? 0 : (known.at(-1)! - known[0]! + 1) * stepSeconds,
  };
}

function runsBetweenRestarts(values: Float64Array, known: readonly number[]): number[][] {
  const runs: number[][] = [];
  for (const [k, i] of known.entries()) {
    const isNew = k === 0 || values[i]! < RESTART * values[known[k - 1]!]!;
    if (isNew) runs.push([i]);
    else runs.at(-1)!.push(i);
  }
  return runs;
}

/** Seconds until a limit is reached at the slope, with the interval of the slope; undefined where it does not surely grow. */
export function timeToLimit(
  slope: SteadySlope,
  limit: number,
): { readonly value: number; readonly low: number; readonly high: number } | undefined {
  if (!(slope.low > 0)) return undefined;
  const left = Math.max(0, limit - slope.last);
  return { value: left / slope.value, low: left / slope.high, high: left / slope.low };
}
