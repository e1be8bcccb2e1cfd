import type { CallPaths } from "../model/call-paths.ts";
import type { SegmentTable } from "../model/segments.ts";
import { TIME_KINDS } from "../model/time-kind.ts";
import { grow } from "../model/string-pool.ts";

export const KIND_COUNT: number = TIME_KINDS.length;

/**
 * Critical-path time of every trace by (call path, time kind), in compressed
 * rows: entries of trace t are `traceStart[t] .. traceStart[t + 1]`. The entries of
 * a trace sum to its root's duration exactly: all times are whole nanoseconds
 * below 2^53.
 */
export interface BlameTable {
  readonly traceStart: Int32Array;
  /** node * KIND_COUNT + time kind; distinct within a trace */
  readonly key: Int32Array;
  readonly ns: Float64Array;
  /** number of possible keys: nodes * KIND_COUNT */
  readonly keyCount: number;
}

export const blameKey = (node: number, kind: number): number => node * KIND_COUNT + kind;
export const nodeOfKey = (key: number): number => Math.floor(key / KIND_COUNT);
export const kindOfKey = (key: number): number => key % KIND_COUNT;

/** Sums the segments of each trace; `kinds` is the time kind of each span row. */
export function blameTraces(segments: SegmentTable, paths: CallPaths, kinds: Uint8Array): BlameTable {
  const traceCount = segments.traceStart.length - 1;
  const traceStart = new Int32Array(traceCount + 1);
  let key = new Int32Array(1 << 12);
  let ns = new Float64Array(1 << 12);
  let entries = 0;
  // Where a key stands in the current trace's entries, valid when stamped with this trace.
  const keyCount = paths.nodeCount * KIND_COUNT;
  const place = new Int32Array(keyCount);
  const stamp = new Int32Array(keyCount).fill(-1);
  for (let trace = 0; trace < traceCount; trace++) {
    for (let i = segments.traceStart[trace]!; i < segments.traceStart[trace + 1]!; i++) {
      const row = segments.row[i]!;
      const k = blameKey(paths.nodeOfRow[row]!, kinds[row]!);
      if (stamp[k] !== trace) {
        stamp[k] = trace;
        place[k] = entries;
        if (entries === key.length) {
          key = grow(key, Int32Array, entries + 1);
          ns = grow(ns, Float64Array, entries + 1);
        }
        key[entries++] = k;
      }
      ns[place[k]!]! += segments.endNs[i]! - segments.startNs[i]!;
    }
    traceStart[trace + 1] = entries;
  }
  return { traceStart, key: key.subarray(0, entries), ns: ns.subarray(0, entries), keyCount };
}

/** Weighted mean blame per key over some traces, in nanoseconds; keys without time are absent. */
export function meanBlame(blame: BlameTable, traces: ArrayLike<number>, weight: Float64Array): Map<number, number> {
  const mean = new Map<number, number>();
  let total = 0;
  for (let j = 0; j < traces.length; j++) {
    const trace = traces[j]!;
    const w = weight[trace]!;
    total += w;
    for (let i = blame.traceStart[trace]!; i < blame.traceStart[trace + 1]!; i++) {
      mean.set(blame.key[i]!, (mean.get(blame.key[i]!) ?? 0) + w * blame.ns[i]!);
    }
  }
  if (total > 0) for (const [key, sum] of mean) mean.set(key, sum / total);
  return mean;
}
