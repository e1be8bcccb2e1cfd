import type { SparseRows } from "./bootstrap.ts";
import { benjaminiHochberg } from "./false-discovery.ts";
import { studentTwoSided } from "./special-functions.ts";
import type { InsufficientData } from "./weighted-quantile.ts";
import { mapToFloats } from "../model/map-column.ts";

/** The traces of one window of time: all of them, or those around a percentile. */
export interface TraceWindow {
  /** per trace: its group (endpoint, or value of an attribute), 0 .. groups - 1; the same numbers in both windows */
  readonly group: Int32Array;
  /** per trace: how many it stands for; absent: 1 each */
  readonly weights?: Float64Array;
  /** per trace: blame by column (call path, or path and time kind); the blames of a trace sum to its duration */
  readonly blame: SparseRows;
}

export interface WindowComparison {
  readonly kind: "comparison";
  readonly meanA: number;
  readonly meanB: number;
  /** meanB - meanA = mix + slowdown, exactly but for rounding */
  readonly change: number;
  readonly mix: number;
  readonly slowdown: number;
  /** groups seen in either window, by |mix + slowdown| descending; their parts sum to the totals */
  readonly groups: readonly GroupChange[];
  /** columns seen in either window, by |slowdown| descending; they sum to the total slowdown */
  readonly columns: readonly ColumnChange[];
}

export interface GroupChange {
  readonly group: number;
  /** share of the window's traces */
  readonly shareA: number;
  readonly shareB: number;
  /** NaN in the window where the group is absent */
  readonly meanA: number;
  readonly meanB: number;
  readonly mix: number;
  readonly slowdown: number;
}

export interface ColumnChange {
  readonly column: number;
  /** change of the mean that this column brings, at the average mix of both windows */
  readonly slowdown: number;
  /** two-sided, of the slowdown being 0 (Welch's test within each group, joined) */
  readonly pValue: number;
  /** the same, adjusted over all columns by Benjamini and Hochberg */
  readonly qValue: number;
}

/**
 * Splits the change of the mean between windows A and B into mix and slowdown. With shares w and means m of each
 * group g, and M the mean of all,
 *   mix      = sum over g of (wB - wA) x ((mA + mB) / 2 - (MA + MB) / 2)
 *   slowdown = sum over g of (wA + wB) / 2 x (mB - mA),
 * which add up to MB - MA exactly (Kitagawa, JASA 1955; the middle term of M changes no sum, as the shares sum to 1
 * in both windows: it makes the part of a group that is no dearer than the rest vanish). The slowdown of a group splits further
 * by column in the same way, since blames sum to durations.
 *
 * A group in only one window has no mean in the other: it is taken to have cost the same there, so that it is
 * all mix. Of a percentile: pass only the traces around it; the means are then those of these traces.
 */
export function compareWindows(a: TraceWindow, b: TraceWindow): WindowComparison | InsufficientData {
  const need = 2;
  const have = Math.min(a.group.length, b.group.length);
  if (have < need) return { kind: "insufficient-data", have, need };
  const sumsA = sumsOf(a);
  const sumsB = sumsOf(b);
  const middle = (sumsA.mean + sumsB.mean) / 2;
  const groups: GroupChange[] = [];
  const columns = new Map<number, ColumnSum>();
  for (const group of new Set([...sumsA.groups.keys(), ...sumsB.groups.keys()])) {
    const inA = sumsA.groups.get(group);
    const inB = sumsB.groups.get(group);
    const shareA = inA === undefined ? 0 : inA.weight / sumsA.weight;
    const shareB = inB === undefined ? 0 : inB.weight / sumsB.weight;
    const meanA = inA === undefined ? Number.NaN : inA.total / inA.weight;
    const meanB = inB === undefined ? Number.NaN : inB.total / inB.weight;
    const average = inA === undefined ? meanB : inB === undefined ? meanA : (meanA + meanB) / 2;
    const share = (shareA + shareB) / 2;
    const slowdown = inA === undefined || inB === undefined ? 0 : share * (meanB - meanA);
    groups.push({ group, shareA, shareB, meanA, meanB, mix: (shareB - shareA) * (average - middle), slowdown });
    if (inA !== undefined && inB !== undefined) addColumns(columns, inA, inB, share);
  }
  const size = (g: GroupChange): number => Math.abs(g.mix + g.slowdown);
  return {
    kind: "comparison",
    meanA: sumsA.mean,
    meanB: sumsB.mean,
    change: sumsB.mean - sumsA.mean,
    mix: groups.reduce((sum, g) => sum + g.mix, 0),
    slowdown: groups.reduce((sum, g) => sum + g.slowdown, 0),
    groups: groups.sort((x, y) => size(y) - size(x) || x.group - y.group),
    columns: columnRows(columns),
  };
}

/** Sums over the traces of a group: of weights w, and per column of w x, w^2 x and w^2 x^2. */
interface GroupSums {
  traces: number;
  weight: number;
  squaredWeight: number;
  total: number;
  readonly columns: Map<number, { wx: number; wwx: number; wwxx: number }>;
}

function sumsOf(window: TraceWindow): { groups: Map<number, GroupSums>; weight: number; mean: number } {
  const groups = new Map<number, GroupSums>();
  const { rowStart, column, value } = window.blame;
  let weight = 0;
  let total = 0;
  for (let t = 0; t < window.group.length; t++) {
    let sums = groups.get(window.group[t]!);
    if (sums === undefined) {
      sums = { traces: 0, weight: 0, squaredWeight: 0, total: 0, columns: new Map() };
      groups.set(window.group[t]!, sums);
    }
    const w = window.weights === undefined ? 1 : window.weights[t]!;
    sums.traces++;
    sums.weight += w;
    sums.squaredWeight += w * w;
    for (const [c, x] of columnsOfTrace(column, value, rowStart[t]!, rowStart[t + 1]!)) {
      const held = sums.columns.get(c) ?? { wx: 0, wwx: 0, wwxx: 0 };
      held.wx += w * x;
      held.wwx += w * w * x;
      held.wwxx += w * w * x * x;
      sums.columns.set(c, held);
      sums.total += w * x;
      total += w * x;
    }
    weight += w;
  }
  return { groups, weight, mean: total / weight };
}

/** A column may be named more than once in a trace. */
function columnsOfTrace(column: Int32Array, value: Float64Array, from: number, to: number): Map<number, number> {
  const sums = new Map<number, number>();
  for (let at = from; at < to; at++) sums.set(column[at]!, (sums.get(column[at]!) ?? 0) + value[at]!);
  return sums;
}

interface ColumnSum {
  slowdown: number;
  variance: number;
  /** sum of variance^2 / degrees of freedom, for Welch and Satterthwaite's formula */
  spread: number;
}

function addColumns(columns: Map<number, ColumnSum>, a: GroupSums, b: GroupSums, share: number): void {
  for (const column of new Set([...a.columns.keys(), ...b.columns.keys()])) {
    const held = columns.get(column) ?? { slowdown: 0, variance: 0, spread: 0 };
    held.slowdown +=
      share * ((b.columns.get(column)?.wx ?? 0) / b.weight - (a.columns.get(column)?.wx ?? 0) / a.weight);
    for (const side of [a, b]) {
      const variance = share * share * varianceOfMean(side, column);
      held.variance += variance;
      if (side.traces > 1) held.spread += (variance * variance) / (side.traces - 1);
    }
    columns.set(column, held);
  }
}

/** Of the weighted mean of a column over a group, traces without the column being 0. Infinite for a single trace. */
function varianceOfMean(sums: GroupSums, column: number): number {
  if (sums.traces < 2) return Number.POSITIVE_INFINITY;
  const held = sums.columns.get(column);
  if (held === undefined) return 0;
  const mean = held.wx / sums.weight;
  const squares = held.wwxx - 2 * mean * held.wwx + mean * mean * sums.squaredWeight;
  // What is left of equal values after rounding is no variance.
  if (squares <= 1e-12 * held.wwxx) return 0;
  return (squares / (sums.weight * sums.weight)) * (sums.traces / (sums.traces - 1));
}

function columnRows(columns: Map<number, ColumnSum>): ColumnChange[] {
  const list = [...columns];
  const pValues = mapToFloats(list, ([, sum]) => pValueOf(sum));
  const qValues = benjaminiHochberg(pValues);
  return list
    .map(([column, { slowdown }], i) => ({ column, slowdown, pValue: pValues[i]!, qValue: qValues[i]! }))
    .sort((x, y) => Math.abs(y.slowdown) - Math.abs(x.slowdown) || x.column - y.column);
}

function pValueOf({ slowdown, variance, spread }: ColumnSum): number {
  if (variance === Number.POSITIVE_INFINITY) return 1;
  if (variance === 0) return slowdown === 0 ? 1 : 0;
  return studentTwoSided(slowdown / Math.sqrt(variance), (variance * variance) / spread);
}
