import type { PageTrace } from "../../model/page.ts";

/** Who lies below whom in a trace, children by start. Made once for a trace; columns, one element per span. */
export interface TraceShape {
  /** levels below the root */
  readonly depth: Int32Array;
  /** spans below it */
  readonly below: Int32Array;
  /** children of row i: `child[childStart[i] .. childStart[i + 1]]`; those of row `count` are the roots */
  readonly childStart: Int32Array;
  readonly child: Int32Array;
}

/** Without recursion, and without an object per span: traces of 100,000 spans are drawn, nested ones, too. */
export function traceShape({ parent, startMs }: PageTrace): TraceShape {
  const count = parent.length;
  const depth = new Int32Array(count);
  const below = new Int32Array(count);
  const childStart = new Int32Array(count + 2);
  const placeOf = (row: number): number => (parent[row]! < 0 ? count : parent[row]!);
  for (let row = 0; row < count; row++) {
    const up = parent[row]!;
    if (up >= 0) depth[row] = depth[up]! + 1;
    childStart[placeOf(row) + 1]!++;
  }
  for (let place = 0; place <= count; place++) childStart[place + 1]! += childStart[place]!;
  const next = childStart.slice();
  const child = new Int32Array(count);
  for (let row = 0; row < count; row++) child[next[placeOf(row)]!++] = row;
  for (let place = 0; place <= count; place++) {
    const children = child.subarray(childStart[place]!, childStart[place + 1]!);
    // Spans mostly come in the order of their starts.
    if (!isAscending(children, startMs)) children.sort((a, b) => startMs[a]! - startMs[b]! || a - b);
  }
  for (let row = count - 1; row >= 0; row--) {
    const up = parent[row]!;
    if (up >= 0) below[up]! += below[row]! + 1;
  }
  return { depth, below, childStart, child };
}

function isAscending(rows: Int32Array, startMs: readonly number[]): boolean {
  for (let i = 1; i < rows.length; i++) if (startMs[rows[i]!]! < startMs[rows[i - 1]!]!) return false;
  return true;
}

/** Rows in the order of drawing: depth first, children by start; what lies below collapsed spans is left out. */
export function drawnRows({ depth, childStart, child }: TraceShape, collapsed: ReadonlySet<number>): Int32Array {
  const count = depth.length;
  const order = new Int32Array(count);
  const open = new Int32Array(count);
  let drawn = 0;
  let waiting = 0;
  const push = (place: number): void => {
    for (let i = childStart[place + 1]! - 1; i >= childStart[place]!; i--) open[waiting++] = child[i]!;
  };
  push(count);
  while (waiting > 0) {
    const row = open[--waiting]!;
    order[drawn++] = row;
    if (collapsed.size === 0 || !collapsed.has(row)) push(row);
  }
  return order.subarray(0, drawn);
}

/** Time of the critical path of one kind. */
export interface TraceTime {
  readonly timeKind: string;
  readonly ms: number;
  /** the part of it that samples tell, and no span */
  readonly sampledMs: number;
}

/**
 * The critical path by kind of time, most first: of the whole trace, or of one span. Where samples show what a stretch was spent on
 * whose kind its span does not tell, it is of their kinds, and the rest of it stays what it is.
 */
export function timeLedger({ path, sampled = [] }: PageTrace, row?: number): TraceTime[] {
  const sums = new Map<string, { ms: number; sampledMs: number }>();
  const add = (kind: string, ms: number, sampledMs: number): void => {
    const held = sums.get(kind) ?? { ms: 0, sampledMs: 0 };
    sums.set(kind, { ms: held.ms + ms, sampledMs: held.sampledMs + sampledMs });
  };
  const isAsked = (stretch: number): boolean => row === undefined || path[stretch]![0] === row;
  for (const [stretch, [, start, end, kind]] of path.entries()) if (isAsked(stretch)) add(kind, end - start, 0);
  for (const [stretch, kind, , ms] of sampled) {
    if (!isAsked(stretch)) continue;
    add(path[stretch]![3], -ms, 0);
    add(kind, ms, ms);
  }
  // Of what samples tell whole nothing but the rounding is left.
  return [...sums]
    .map(([timeKind, { ms, sampledMs }]) => ({ timeKind, ms, sampledMs }))
    .filter(({ ms }) => ms > 0.0005)
    .toSorted((a, b) => b.ms - a.ms);
}
