import type { SpanTable } from "../model/span-table.ts";

/** Rows of a span table by trace; traces are numbered in the order of their first span. */
export interface TraceGroups {
  readonly traceCount: number;
  /** per span: trace number */
  readonly trace: Int32Array;
  /** all rows, those of a trace together, ascending within a trace */
  readonly members: Int32Array;
  /** traceCount + 1 positions in `members` */
  readonly memberStart: Int32Array;
}

/** Groups spans by their 128-bit trace id. Linear: one hash table of words, no object per span. */
export function groupByTrace(spans: SpanTable): TraceGroups {
  const n = spans.rowCount;
  const { trace, traceCount } = numberTraces(spans.traceId, n);
  const memberStart = new Int32Array(traceCount + 1);
  for (let row = 0; row < n; row++) memberStart[trace[row]! + 1]!++;
  for (let t = 0; t < traceCount; t++) memberStart[t + 1]! += memberStart[t]!;
  const next = memberStart.slice(0, traceCount);
  const members = new Int32Array(n);
  for (let row = 0; row < n; row++) members[next[trace[row]!]!++] = row;
  return { traceCount, trace, members, memberStart };
}

function numberTraces(ids: Uint32Array, n: number): { trace: Int32Array; traceCount: number } {
  const trace = new Int32Array(n);
  /** open addressing: trace number + 1, 0 = free; at most half full */
  let slots = new Int32Array(1 << 10);
  let firstRow = new Int32Array(1 << 9);
  let count = 0;
  for (let row = 0; row < n; row++) {
    // Spans of one trace mostly stand together.
    if (row > 0 && sameTrace(ids, row, row - 1)) {
      trace[row] = trace[row - 1]!;
      continue;
    }
    const mask = slots.length - 1;
    let slot = hashTrace(ids, row) & mask;
    while (slots[slot] !== 0 && !sameTrace(ids, row, firstRow[slots[slot]! - 1]!)) slot = (slot + 1) & mask;
    if (slots[slot] === 0) {
      slots[slot] = ++count;
      firstRow[count - 1] = row;
      if (2 * count >= slots.length) {
        firstRow = resized(firstRow, 2 * firstRow.length);
        slots = rehashed(slots.length * 2, firstRow, count, ids);
        trace[row] = count - 1;
        continue;
      }
    }
    trace[row] = slots[slot]! - 1;
  }
  return { trace, traceCount: count };
}

function sameTrace(ids: Uint32Array, a: number, b: number): boolean {
  const i = 4 * a;
  const j = 4 * b;
  return ids[i + 3] === ids[j + 3] && ids[i + 2] === ids[j + 2] && ids[i + 1] === ids[j + 1] && ids[i] === ids[j];
}

/** All four words are mixed: some producers put a time into the high ones, others zero them. */
function hashTrace(ids: Uint32Array, row: number): number {
  let hash = Math.imul(ids[4 * row]!, 0x9e3779b1) ^ ids[4 * row + 1]!;
  hash = Math.imul(hash ^ (hash >>> 15), 0x85ebca6b) ^ ids[4 * row + 2]!;
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35) ^ ids[4 * row + 3]!;
  hash = Math.imul(hash ^ (hash >>> 16), 0x2c1b3c6d);
  return hash ^ (hash >>> 15);
}

function resized(column: Int32Array, length: number): Int32Array<ArrayBuffer> {
  const bigger = new Int32Array(length);
  bigger.set(column);
  return bigger;
}

function rehashed(size: number, firstRow: Int32Array, count: number, ids: Uint32Array): Int32Array<ArrayBuffer> {
  const slots = new Int32Array(size);
  for (let t = 0; t < count; t++) {
    let slot = hashTrace(ids, firstRow[t]!) & (size - 1);
    while (slots[slot] !== 0) slot = (slot + 1) & (size - 1);
    slots[slot] = t + 1;
  }
  return slots;
}
