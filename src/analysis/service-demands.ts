import type { Estimate } from "./bootstrap.ts";
import { nonNegativeLeastSquares, normalEquations, scaledCondition, type NormalEquations } from "./nnls.ts";
import { Random } from "./random.ts";

/** Requests of one kind, counted per window. */
export interface DemandClass {
  readonly name: string;
  /** completions per second, one element per window */
  readonly perSecond: Float64Array;
}

export interface ServiceDemands {
  readonly kind: "demands";
  /** what one request of a class needs of the resource, in units of capacity × seconds; classes that cannot be told apart are one */
  readonly demands: readonly { readonly classes: readonly string[]; readonly demand: Estimate }[];
  /** busy without any request (collector, timers): 0 unless its interval leaves zero out */
  readonly background: Estimate;
  /** of the columns as they were fitted, scaled to equal length */
  readonly condition: number;
  /** share of the variance of the busy capacity that the requests explain */
  readonly r2: number;
  /** mean of (busy − background) / all requests per second: demand of a request at the mix of these windows */
  readonly meanDemand: Estimate;
  readonly windows: number;
}

export interface DemandsInsufficient {
  readonly kind: "insufficient-data";
  readonly what: "windows" | "requests";
  readonly have: number;
  readonly need: number;
}

export interface DemandOptions {
  /** any safe integer; the same seed gives the same intervals */
  readonly seed: number;
  /** default 200 */
  readonly resamples?: number;
  /** coverage of the intervals, default 0.9 */
  readonly level?: number;
}

const MIN_WINDOWS = 8;
/** Columns with a larger condition differ by less than a hundredth of their length: what is told apart then is noise. */
const MAX_CONDITION = 100;

/**
 * Service demands by the utilisation law: busy_k = sum over classes D_c X_c + b in every window, solved for D, b >= 0 by
 * non-negative least squares (Pacifici et al. 2008; Kalbasi et al. 2012 compare the ways).
 *
 * busy: mean busy capacity per window (cores, connections). Windows in order of time, of one length. While the columns
 * cannot be told apart, the two classes that move together most are merged, and at last the constant term
 * is given up. Intervals resample stretches of neighbouring windows, so that they allow for load that comes in waves.
 */
export function serviceDemands(
  classes: readonly DemandClass[],
  busy: Float64Array,
  options: DemandOptions,
): ServiceDemands | DemandsInsufficient {
  const windows = busy.length;
  if (windows < MIN_WINDOWS) return { kind: "insufficient-data", what: "windows", have: windows, need: MIN_WINDOWS };
  const total = new Float64Array(windows);
  for (const { perSecond } of classes) perSecond.forEach((x, i) => (total[i]! += x));
  const requests = mean(total);
  if (!(requests > 0)) return { kind: "insufficient-data", what: "requests", have: 0, need: 1 };
  const merged = mergeInseparable(classes, busy);
  const fit = resampled(merged, total, busy, options);
  return {
    kind: "demands",
    demands: merged.groups.map(({ names }, i) => ({ classes: names, demand: fit.demands[i]! })),
    background: fit.background,
    condition: merged.condition,
    r2: explained(
      merged,
      fit.demands.map(({ value }) => value),
      fit.background.value,
      busy,
    ),
    meanDemand: fit.meanDemand,
    windows,
  };
}

interface Group {
  readonly names: readonly string[];
  readonly perSecond: Float64Array;
}

interface Merged {
  readonly groups: readonly Group[];
  readonly hasConstant: boolean;
  readonly condition: number;
}

function mergeInseparable(classes: readonly DemandClass[], busy: Float64Array): Merged {
  let groups: Group[] = classes
    .filter(({ perSecond }) => perSecond.some((x) => x > 0))
    .map(({ name, perSecond }) => ({ names: [name], perSecond }));
  for (;;) {
    const condition = conditionOf(groups, true, busy.length);
    if (condition <= MAX_CONDITION) return { groups, hasConstant: true, condition };
    if (groups.length === 1) return { groups, hasConstant: false, condition: 1 };
    groups = mergeClosest(groups);
  }
}

function conditionOf(groups: readonly Group[], hasConstant: boolean, windows: number): number {
  return scaledCondition(normalEquations(columnsOf(groups, hasConstant, windows), new Float64Array(windows)));
}

function columnsOf(groups: readonly Group[], hasConstant: boolean, windows: number): Float64Array[] {
  const columns = groups.map(({ perSecond }) => perSecond);
  return hasConstant ? [...columns, new Float64Array(windows).fill(1)] : columns;
}

/** Merges the two groups whose columns have the smallest angle between them. */
function mergeClosest(groups: readonly Group[]): Group[] {
  let best = { i: 0, j: 1, cosine: -1 };
  for (let j = 1; j < groups.length; j++) {
    for (let i = 0; i < j; i++) {
      const [a, b] = [groups[i]!.perSecond, groups[j]!.perSecond];
      const cosine = dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
      if (cosine > best.cosine) best = { i, j, cosine };
    }
  }
  const [first, second] = [groups[best.i]!, groups[best.j]!];
  const joined: Group = {
    names: [...first.names, ...second.names],
    perSecond: first.perSecond.map((x, i) => x + second.perSecond[i]!),
  };
  return groups.flatMap((group, i) => (i === best.i ? [joined] : i === best.j ? [] : [group]));
}

interface Resampled {
  readonly demands: readonly Estimate[];
  readonly background: Estimate;
  readonly meanDemand: Estimate;
}

/** Enough blocks to draw from, each as long as a burst of load lasts. */
const MAX_BLOCKS = 30;

function resampled(merged: Merged, total: Float64Array, busy: Float64Array, options: DemandOptions): Resampled {
  const { seed, resamples = 200, level = 0.9 } = options;
  const columns = columnsOf(merged.groups, merged.hasConstant, busy.length);
  const blocks = Math.min(MAX_BLOCKS, busy.length);
  const bounds = Array.from({ length: blocks + 1 }, (_, b) => Math.round((b * busy.length) / blocks));
  const parts = Array.from({ length: blocks }, (_, b) => {
    const [from, to] = [bounds[b]!, bounds[b + 1]!];
    return {
      equations: normalEquations(
        columns.map((column) => column.subarray(from, to)),
        busy.subarray(from, to),
      ),
      busy: sum(busy.subarray(from, to)),
      total: sum(total.subarray(from, to)),
      windows: to - from,
    };
  });
  const once = new Int32Array(blocks).fill(1);
  const constantAt = merged.hasConstant ? merged.groups.length : -1;
  const whole = solve(parts, once, constantAt, true);
  const counts = new Int32Array(blocks);
  const random = new Random(seed);
  const draw = (): Int32Array => {
    counts.fill(0);
    random.tally(counts, blocks);
    return counts;
  };
  const free = Array.from({ length: resamples }, () => solve(parts, draw(), constantAt, true));
  // A background that may as well be nothing is taken for nothing: with it every demand would be uncertain for its sake.
  const surely = quantile(
    free.map((s) => s.background),
    0.025,
  );
  const isBusyAlone =
    constantAt >= 0 && surely > 0.01 * mean(busy) && leastBackground(merged, whole, busy) > 0.01 * mean(busy);
  const kept = isBusyAlone ? whole : solve(parts, once, constantAt, false);
  const samples = isBusyAlone ? free : Array.from({ length: resamples }, () => solve(parts, draw(), constantAt, false));
  const estimate = (of: (solution: Solution) => number): Estimate => {
    const values = samples.map(of);
    return { value: of(kept), low: quantile(values, (1 - level) / 2), high: quantile(values, (1 + level) / 2) };
  };
  return {
    demands: merged.groups.map((_, i) => estimate((solution) => solution.coefficients[i]!)),
    background: estimate((solution) => solution.background),
    meanDemand: estimate((solution) => solution.meanDemand),
  };
}

/**
 * Requests are counted at their middle and processors at the edges of windows, so that both columns differ by what runs
 * across an edge. Errors in what explains flatten the slope and raise the constant: the true slope lies between the one
 * that was fitted and that over r², of the regression the other way round (Frisch 1934). What is left of the constant
 * at the steeper one is background for certain. r is uncertain itself: the low end of its interval (Fisher's z) counts.
 */
function leastBackground(merged: Merged, { coefficients, background }: Solution, busy: Float64Array): number {
  const demands = Array.from(coefficients).slice(0, merged.groups.length);
  const freedom = busy.length - merged.groups.length - 3;
  if (freedom <= 0) return 0;
  const r = Math.sqrt(explained(merged, demands, background, busy));
  if (r >= 1) return background;
  const low = Math.max(0, Math.tanh(Math.atanh(r) - 1.645 / Math.sqrt(freedom)));
  return low === 0 ? 0 : mean(busy) - (mean(busy) - background) / (low * low);
}

interface Solution {
  readonly coefficients: Float64Array;
  readonly background: number;
  readonly meanDemand: number;
}

interface Part {
  readonly equations: NormalEquations;
  readonly busy: number;
  readonly total: number;
  readonly windows: number;
}

/** The fit to blocks drawn `counts` times each. */
function solve(parts: readonly Part[], counts: Int32Array, constantAt: number, withConstant: boolean): Solution {
  const size = parts[0]!.equations.size - (constantAt >= 0 && !withConstant ? 1 : 0);
  const full = parts[0]!.equations.size;
  const gram = new Float64Array(size * size);
  const cross = new Float64Array(size);
  let [busy, total, windows] = [0, 0, 0];
  parts.forEach((part, b) => {
    const times = counts[b]!;
    if (times === 0) return;
    for (let i = 0; i < size; i++) {
      cross[i]! += times * part.equations.cross[i]!;
      for (let j = 0; j < size; j++) gram[i * size + j]! += times * part.equations.gram[i * full + j]!;
    }
    busy += times * part.busy;
    total += times * part.total;
    windows += times * part.windows;
  });
  const coefficients = nonNegativeLeastSquares({ size, gram, cross });
  const background = constantAt >= 0 && withConstant ? coefficients[constantAt]! : 0;
  return { coefficients, background, meanDemand: Math.max(0, busy - background * windows) / total };
}

function explained(merged: Merged, demands: readonly number[], background: number, busy: Float64Array): number {
  const centre = mean(busy);
  let residual = 0;
  let variance = 0;
  busy.forEach((value, i) => {
    const fitted = merged.groups.reduce((at, { perSecond }, k) => at + demands[k]! * perSecond[i]!, background);
    residual += (value - fitted) ** 2;
    variance += (value - centre) ** 2;
  });
  return variance === 0 ? 0 : Math.max(0, 1 - residual / variance);
}

function quantile(values: readonly number[], p: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.round(p * (sorted.length - 1))))]!;
}

const sum = (values: Float64Array): number => values.reduce((a, b) => a + b, 0);
const mean = (values: Float64Array): number => (values.length === 0 ? 0 : sum(values) / values.length);

function dot(a: Float64Array, b: Float64Array): number {
  let total = 0;
  for (let i = 0; i < a.length; i++) total += a[i]! * b[i]!;
  return total;
}
