import type { FlameTree } from "../../model/flame-tree.ts";

/** A tree laid out once, in shares of the whole: columns, one element per row of the tree. */
export interface FlameLayout {
  readonly depth: Int32Array;
  /** left edge and width, in shares of the root */
  readonly left: Float64Array;
  readonly width: Float64Array;
  /** what is spent in the row itself */
  readonly self: Float64Array;
  readonly levels: number;
  /** rows level by level, from left to right: those of level d are `order[levelStart[d] .. levelStart[d + 1]]` */
  readonly order: Int32Array;
  readonly levelStart: Int32Array;
  /** edges in the order of `order`: whoever draws walks along them, and jumps over what is too narrow to be seen */
  readonly leftAt: Float64Array;
  readonly rightAt: Float64Array;
}

/** O(rows): parents stand before their children; siblings stand side by side, the greatest left. */
export function layOutFlame(tree: FlameTree): FlameLayout {
  const count = tree.parent.length;
  const depth = new Int32Array(count);
  const width = new Float64Array(count);
  const self = new Float64Array(count);
  const size = (row: number): number => Math.max(tree.value[row]!, tree.before?.[row] ?? 0);
  let levels = count > 0 ? 1 : 0;
  for (let row = 0; row < count; row++) {
    self[row] = tree.value[row]!;
    const up = tree.parent[row]!;
    if (up < 0) continue;
    depth[row] = depth[up]! + 1;
    levels = Math.max(levels, depth[row]! + 1);
    self[up]! -= tree.value[row]!;
  }
  const total = count > 0 ? size(0) : 0;
  for (let row = 0; row < count; row++) width[row] = total > 0 ? size(row) / total : 0;
  return { depth, width, self, levels, ...place(tree, depth, width, levels) };
}

/**
 * Level by level from left to right: the children of a level, in its order, are the next level in its order. So only
 * the children of one row are ever sorted.
 */
function place(
  tree: FlameTree,
  depth: Int32Array,
  width: Float64Array,
  levels: number,
): Pick<FlameLayout, "left" | "order" | "levelStart" | "leftAt" | "rightAt"> {
  const count = tree.parent.length;
  const childStart = new Int32Array(count + 1);
  for (let row = 0; row < count; row++) if (tree.parent[row]! >= 0) childStart[tree.parent[row]! + 1]!++;
  for (let row = 0; row < count; row++) childStart[row + 1]! += childStart[row]!;
  const next = childStart.slice(0, count);
  const child = new Int32Array(childStart[count]!);
  for (let row = 0; row < count; row++) if (tree.parent[row]! >= 0) child[next[tree.parent[row]!]!++] = row;

  const left = new Float64Array(count);
  const order = new Int32Array(count);
  const levelStart = new Int32Array(levels + 1);
  let placed = 0;
  for (let row = 0; row < count; row++) if (tree.parent[row]! < 0) order[placed++] = row;
  for (let i = 0; i < placed; i++) {
    const up = order[i]!;
    levelStart[depth[up]! + 1] = i + 1;
    const children = child.subarray(childStart[up]!, childStart[up + 1]!);
    if (children.length > 1) children.sort((a, b) => width[b]! - width[a]! || a - b);
    let inside = 0;
    for (const row of children) inside += width[row]!;
    // Differences may make children wider than their parent: they are squeezed.
    const squeeze = inside > width[up]! ? width[up]! / inside : 1;
    let at = left[up]!;
    for (const row of children) {
      width[row]! *= squeeze;
      left[row] = at;
      at += width[row]!;
      order[placed++] = row;
    }
  }
  const leftAt = new Float64Array(count);
  const rightAt = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    leftAt[i] = left[order[i]!]!;
    rightAt[i] = leftAt[i]! + width[order[i]!]!;
  }
  return { left, order, levelStart, leftAt, rightAt };
}

/** The first of `edges[from .. to]` (ascending) that is at least, or with `isAbove` above, `value`; `to` if none is. By growing steps: it is near. */
export function firstAt(edges: Float64Array, from: number, to: number, value: number, isAbove: boolean): number {
  const isBefore = (i: number): boolean => (isAbove ? edges[i]! <= value : edges[i]! < value);
  let low = from;
  let step = 1;
  while (low < to && isBefore(low)) {
    const next = low + step;
    if (next >= to || !isBefore(next)) {
      let high = Math.min(to, next);
      low++;
      while (low < high) {
        const middle = (low + high) >> 1;
        if (isBefore(middle)) low = middle + 1;
        else high = middle;
      }
      return low;
    }
    low = next;
    step *= 2;
  }
  return low;
}

/** The row at a level and a share of the whole, or -1. */
export function rowAt(layout: FlameLayout, level: number, at: number): number {
  if (level < 0 || level >= layout.levels) return -1;
  let low = layout.levelStart[level]!;
  let high = layout.levelStart[level + 1]! - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const row = layout.order[middle]!;
    if (at < layout.left[row]!) high = middle - 1;
    else if (at >= layout.left[row]! + layout.width[row]!) low = middle + 1;
    else return row;
  }
  return -1;
}

/** Per function: what is spent in it, and in it with all that it calls, each moment once though it calls itself. */
export function functionTotals(tree: FlameTree, layout: FlameLayout): { self: Float64Array; total: Float64Array } {
  const self = new Float64Array(tree.functions.length);
  const total = new Float64Array(tree.functions.length);
  for (let row = 0; row < tree.parent.length; row++) {
    const of = tree.function[row]!;
    self[of]! += Math.max(0, layout.self[row]!);
    if (!isBelowItself(tree, row)) total[of]! += tree.value[row]!;
  }
  return { self, total };
}

function isBelowItself(tree: FlameTree, row: number): boolean {
  const of = tree.function[row];
  for (let up = tree.parent[row]!; up >= 0; up = tree.parent[up]!) if (tree.function[up] === of) return true;
  return false;
}
