import type { PageTrace } from "../../model/page.ts";

/** A trace in the order of drawing: depth first, children by start; what lies below collapsed spans is left out. */
export interface TraceRows {
  /** rows of the trace, in the order in which they are drawn */
  readonly order: Int32Array;
  /** per row of the trace: levels below the root */
  readonly depth: Int32Array;
  /** per row of the trace: spans below it */
  readonly below: Int32Array;
}

/** Without recursion: traces of 100,000 nested spans are drawn, too. */
export function traceRows(trace: PageTrace, collapsed: ReadonlySet<number>): TraceRows {
  const count = trace.parent.length;
  const depth = new Int32Array(count);
  const below = new Int32Array(count);
  const children: number[][] = Array.from({ length: count }, () => []);
  const roots: number[] = [];
  for (let row = 0; row < count; row++) {
    const up = trace.parent[row]!;
    if (up < 0) roots.push(row);
    else {
      depth[row] = depth[up]! + 1;
      children[up]!.push(row);
    }
  }
  for (let row = count - 1; row >= 0; row--) {
    const up = trace.parent[row]!;
    if (up >= 0) below[up]! += below[row]! + 1;
  }
  const byStart = (a: number, b: number): number => trace.startMs[b]! - trace.startMs[a]! || b - a;
  const order: number[] = [];
  const open = roots.toSorted(byStart);
  for (let row = open.pop(); row !== undefined; row = open.pop()) {
    order.push(row);
    if (!collapsed.has(row)) open.push(...children[row]!.toSorted(byStart));
  }
  return { order: Int32Array.from(order), depth, below };
}

/** Milliseconds of the critical path by kind of time, most first: of the whole trace, or of one span. */
export function timeLedger(trace: PageTrace, row?: number): { timeKind: string; ms: number }[] {
  const sums = new Map<string, number>();
  for (const [of, start, end, kind] of trace.path) {
    if (row === undefined || of === row) sums.set(kind, (sums.get(kind) ?? 0) + end - start);
  }
  return [...sums].map(([timeKind, ms]) => ({ timeKind, ms })).toSorted((a, b) => b.ms - a.ms);
}
