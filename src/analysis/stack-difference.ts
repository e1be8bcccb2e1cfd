import type { StackTable } from "../model/stack-table.ts";
import { benjaminiHochberg } from "./false-discovery.ts";
import { fisherExact, twoProportions } from "./hypothesis-tests.ts";
import { groupFrames, selfAndTotal, sumByStack } from "./stack-totals.ts";
import { mapToFloats } from "../model/map-column.ts";

/** A function in two windows. Shares are of the window's samples. */
export interface FunctionChange {
  readonly name: string;
  /** with the line where the function has no name */
  readonly file: string;
  /** samples with it innermost, and with it anywhere, before and after */
  readonly selfBefore: number;
  readonly selfAfter: number;
  readonly totalBefore: number;
  readonly totalAfter: number;
  /** change of the share of samples with it innermost, -1 .. 1 */
  readonly selfChange: number;
  readonly totalChange: number;
  /** that the share of self is the same in both windows (two proportions), and adjusted over all functions */
  readonly pValue: number;
  readonly qValue: number;
}

export interface StackDifference {
  readonly samplesBefore: number;
  readonly samplesAfter: number;
  /** by |selfChange| descending; of equal ones what grew first, then by name */
  readonly functions: readonly FunctionChange[];
}

/**
 * Two windows of profiles, function by function, by their numbers of samples: those are what
 * chance acts on, whatever a sample stands for. Windows of different length compare by shares.
 *
 * The test takes samples as independent. Samples of one long request are not; a window of some
 * seconds with many requests comes near, one with a few does not.
 */
export function compareStacks(before: StackTable, after: StackTable): StackDifference {
  const [a, b] = [countsOf(before), countsOf(after)];
  const keys = [...new Set([...a.functions.keys(), ...b.functions.keys()])];
  const rows = keys.map((key) => {
    const none = { self: 0, total: 0 };
    const was = a.functions.get(key) ?? none;
    const is = b.functions.get(key) ?? none;
    const [name, file] = JSON.parse(key) as [string, string];
    return {
      name,
      file,
      selfBefore: was.self,
      selfAfter: is.self,
      totalBefore: was.total,
      totalAfter: is.total,
      selfChange: share(is.self, b.samples) - share(was.self, a.samples),
      totalChange: share(is.total, b.samples) - share(was.total, a.samples),
      pValue: pValueOf(was.self, a.samples, is.self, b.samples),
    };
  });
  const adjusted = benjaminiHochberg(mapToFloats(rows, (row) => row.pValue));
  const functions = rows
    .map((row, i) => ({ ...row, qValue: adjusted[i]! }))
    .sort((x, y) => byChange(x, y) || y.selfChange - x.selfChange || (x.name < y.name ? -1 : 1));
  return { samplesBefore: a.samples, samplesAfter: b.samples, functions };
}

/** What one gains another loses: shares that differ by rounding only are the same. */
function byChange(x: { selfChange: number }, y: { selfChange: number }): number {
  const difference = Math.abs(y.selfChange) - Math.abs(x.selfChange);
  return Math.abs(difference) < 1e-9 ? 0 : difference;
}

/** Below this number of samples the normal approximation of the test of proportions is too coarse. */
const FEW = 20;

function pValueOf(k1: number, n1: number, k2: number, n2: number): number {
  if (n1 === 0 || n2 === 0) return 1;
  if (k1 + k2 >= FEW) return twoProportions(k1, n1, k2, n2).pValue;
  const [a, b, c, d] = [k1, n1 - k1, k2, n2 - k2].map(Math.round) as [number, number, number, number];
  return fisherExact(a, b, c, d, "two-sided");
}

const share = (part: number, all: number): number => (all === 0 ? 0 : part / all);

/** Samples as counted by the profile (`samples`), else its rows: 1 each. */
export function sampleCounts(table: StackTable): Float64Array {
  const type = table.valueTypes.findIndex(({ type: name, unit }) => name === "samples" && unit === "count");
  return type < 0 ? new Float64Array(table.samples.rowCount).fill(1) : table.samples.values[type]!;
}

function countsOf(table: StackTable): { samples: number; functions: Map<string, { self: number; total: number }> } {
  const counts = sampleCounts(table);
  const own = sumByStack(table, counts);
  const groups = groupFrames(table, "function");
  const { self, total } = selfAndTotal(table.stacks, own, groups);
  const functions = new Map<string, { self: number; total: number }>();
  for (let frame = 0; frame < table.frames.rowCount; frame++) {
    const group = groups.groupOf[frame]!;
    if (total[group] === 0) continue;
    const name = table.strings.get(table.frames.function[frame]!);
    const line = name === "(anonymous)" ? `:${table.frames.line[frame]!}` : "";
    const key = JSON.stringify([name, `${table.strings.get(table.frames.file[frame]!)}${line}`]);
    functions.set(key, { self: self[group]!, total: total[group]! });
  }
  return { samples: counts.reduce((sum, count) => sum + count, 0), functions };
}
