import { spanRows } from "./case.ts";
import type { Window } from "./window.ts";

/** The calls of one call-path node that one parent span made, ascending by start. */
export interface SiblingCalls {
  readonly parent: number;
  readonly rows: readonly number[];
}

/** Calls of `node` grouped by the parent span that made them; calls without a parent are left out. */
export function siblingCalls(window: Window, node: number): SiblingCalls[] {
  const { parent, startNs } = window.forest;
  const groups: { parent: number; rows: number[] }[] = [];
  // Breadth first, as the forest keeps its rows, the children of one parent stand together.
  let last: (typeof groups)[number] | undefined;
  for (const row of spanRows(window, node)) {
    const up = parent[row]!;
    if (up < 0) continue;
    if (last?.parent === up) last.rows.push(row);
    else groups.push((last = { parent: up, rows: [row] }));
  }
  for (const { rows } of groups) if (rows.length > 1) rows.sort((a, b) => startNs[a]! - startNs[b]! || a - b);
  return groups;
}

/** Share of neighbouring calls within their parent that do not overlap: 1 for a loop, near 0 for a fan-out. */
export function sequentialShare(window: Window, groups: readonly SiblingCalls[]): number {
  const { startNs, endNs, toleranceNs } = window.forest;
  let sequential = 0;
  let pairs = 0;
  for (const { rows } of groups) {
    for (let i = 1; i < rows.length; i++) {
      pairs++;
      if (startNs[rows[i]!]! + toleranceNs[rows[i]!]! >= endNs[rows[i - 1]!]!) sequential++;
    }
  }
  return pairs === 0 ? 0 : sequential / pairs;
}

/** Middle of the ascending-sorted numbers; 0 of none. */
export function medianOf(values: ArrayLike<number>): number {
  if (values.length === 0) return 0;
  return Float64Array.from(values).sort()[values.length >> 1]!;
}
