import type { StackTable, StackTree } from "../model/stack-table.ts";
import { TuplePool } from "../model/tuple-pool.ts";
import { mapToInts } from "../model/map-column.ts";

/** By what frames are told apart: all of a frame; its function and file, whatever the line; its file. */
export type FrameGrouping = "frame" | "function" | "file";

export interface FrameGroups {
  readonly groupCount: number;
  /** per row of `frames`, 0 .. groupCount - 1, in the order of first appearance */
  readonly groupOf: Int32Array;
}

/** Functions without a name are told apart by their line. */
export function groupFrames({ frames, strings }: StackTable, by: FrameGrouping): FrameGroups {
  if (by === "frame")
    return { groupCount: frames.rowCount, groupOf: mapToInts({ length: frames.rowCount }, (_, row) => row) };
  const pool = new TuplePool(3);
  const groupOf = mapToInts(frames.function, (name, row) => {
    const file = frames.file[row]!;
    if (by === "file") return pool.intern(0, file, 0);
    return pool.intern(name, file, strings.get(name) === "(anonymous)" ? frames.line[row]! : 0);
  });
  return { groupCount: pool.size, groupOf };
}

/**
 * Values of the samples by stack: how much was spent with exactly this stack.
 * `keep`: sample rows that count, all if absent. Returns a sum per row of `stacks`; samples with an empty stack are left out.
 */
export function sumByStack(table: StackTable, values: Float64Array, keep?: (sample: number) => boolean): Float64Array {
  const { stack, rowCount } = table.samples;
  const sums = new Float64Array(table.stacks.rowCount);
  for (let row = 0; row < rowCount; row++) {
    if (stack[row]! >= 0 && (keep === undefined || keep(row))) sums[stack[row]!]! += values[row]!;
  }
  return sums;
}

/** Sums of the stacks and of all that they called: `own` per stack row → inclusive sums. */
export function inclusiveSums({ parent, rowCount }: Omit<StackTree, "frame">, own: Float64Array): Float64Array {
  const sums = own.slice();
  // Callees stand behind their callers.
  for (let row = rowCount - 1; row >= 0; row--) if (parent[row]! >= 0) sums[parent[row]!]! += sums[row]!;
  return sums;
}

export interface SelfAndTotal {
  /** per group: with one of its frames innermost */
  readonly self: Float64Array;
  /** per group: with one of its frames anywhere; a stack in which it recurs counts once */
  readonly total: Float64Array;
}

/** Self and total per group of frames. `own`: a sum per stack row. O(stacks), at any depth. */
export function selfAndTotal(stacks: StackTree, own: Float64Array, groups: FrameGroups): SelfAndTotal {
  return selfAndTotals(stacks, own, [groups])[0]!;
}

/** The same for several groupings, in one walk through the stacks. */
export function selfAndTotals(stacks: StackTree, own: Float64Array, groupings: readonly FrameGroups[]): SelfAndTotal[] {
  const all = inclusiveSums(stacks, own);
  const found = groupings.map(({ groupOf, groupCount }) => ({
    groupOf,
    self: new Float64Array(groupCount),
    total: new Float64Array(groupCount),
    onPath: new Int32Array(groupCount),
  }));
  walk(stacks, (row, isEntry) => {
    for (const { groupOf, self, total, onPath } of found) {
      const group = groupOf[stacks.frame[row]!]!;
      if (!isEntry) onPath[group]!--;
      else {
        self[group]! += own[row]!;
        if (onPath[group]!++ === 0) total[group]! += all[row]!;
      }
    }
  });
  return found.map(({ self, total }) => ({ self, total }));
}

/** Visits each stack before and after its callees, without recursion. */
function walk({ parent, rowCount }: StackTree, visit: (row: number, isEntry: boolean) => void): void {
  const firstChild = new Int32Array(rowCount).fill(-1);
  const nextSibling = new Int32Array(rowCount).fill(-1);
  let root = -1;
  for (let row = rowCount - 1; row >= 0; row--) {
    const above = parent[row]!;
    nextSibling[row] = above < 0 ? root : firstChild[above]!;
    if (above < 0) root = row;
    else firstChild[above] = row;
  }
  for (let at = root; at >= 0;) {
    visit(at, true);
    if (firstChild[at]! >= 0) {
      at = firstChild[at]!;
      continue;
    }
    visit(at, false);
    while (nextSibling[at]! < 0 && parent[at]! >= 0) {
      at = parent[at]!;
      visit(at, false);
    }
    at = nextSibling[at]!;
  }
}
