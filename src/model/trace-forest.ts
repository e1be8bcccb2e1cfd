import type { SpanFacts } from "./span-facts.ts";
import type { SpanTable } from "./span-table.ts";

/** Bits of `TraceForest.flags`. */
export const SpanFlag = {
  /** its parent id names no span of the trace */
  orphan: 1,
  /** same span id and kind seen before: left out of the forest */
  duplicate: 2,
  /** ended before it started: duration taken as zero */
  negativeDuration: 4,
  /** duration is zero */
  zeroDuration: 8,
  /** longer than a day: kept, but its trace is left out of the aggregates */
  absurdDuration: 16,
  /** own parent or part of a parent cycle: the edge was cut */
  cycleCut: 32,
  /** asynchronous to its parent (PRODUCER -> CONSUMER): never on the requester's path */
  asynchronous: 64,
  /** effective times are shifted by the clock offset of its host pair */
  clockShifted: 128,
  /** shifted by an offset that was not determined: another value of the feasible interval may change the critical path here */
  clockUndetermined: 256,
} as const;

/** Feasible clock offset of host `to` against host `from`, from all CLIENT -> SERVER pairs of the window. */
export interface ClockSkew {
  /** string ids of the two hosts */
  readonly from: number;
  readonly to: number;
  /** bounds of the offset that is ADDED to times of `to` to express them in the clock of `from` */
  readonly lowNs: number;
  readonly highNs: number;
  /** the applied value: 0 when 0 is feasible, else the middle */
  readonly appliedNs: number;
  readonly pairs: number;
  /** pairs that contradict the interval (dropped as outliers) */
  readonly violations: number;
}

/** How many spans and traces were mended or left out, by reason. Every span is counted once in `spans`. */
export interface AssemblyQuality {
  readonly spans: number;
  readonly traces: number;
  /** traces with orphans, without a root, with several roots or absurd times: left out of the aggregates */
  readonly incompleteTraces: number;
  /** complete traces whose root was called from outside, by something that sends no spans: the root's parent is missing, as always */
  readonly remoteRoots: number;
  /** spans whose parent is missing, without `remoteRoots` */
  readonly orphanSpans: number;
  readonly duplicateSpans: number;
  readonly cyclesCut: number;
  readonly negativeDurations: number;
  readonly zeroDurations: number;
  readonly absurdDurations: number;
  /** Zipkin: CLIENT and SERVER halves under one span id, told apart */
  readonly sharedSpans: number;
}

/**
 * Traces as trees over the rows of a SpanTable. Columns named "per span" have
 * `spans.rowCount` elements; "per trace" `traceCount`.
 */
export interface TraceForest {
  readonly spans: SpanTable;
  readonly facts: SpanFacts;
  readonly traceCount: number;
  /**
   * span rows grouped by trace; within a trace breadth first, so that parents stand before their children and the
   * children of one parent together. Duplicates are not in it.
   */
  readonly rows: Int32Array;
  /** traceCount + 1 positions in `rows` */
  readonly traceStart: Int32Array;
  /** per trace: row of the root. Of several roots the longest (earliest on ties). Never -1. */
  readonly root: Int32Array;
  /** per trace: 1 when exactly one root, no orphan, cycle or absurd time; an orphan root counts when its caller never sends spans */
  readonly complete: Uint8Array;
  /** per trace: how many traces it stands for (1 unless sampled) */
  readonly weight: Float64Array;
  /** per span: trace number, -1 for duplicates */
  readonly trace: Int32Array;
  /** per span: row of the parent, -1 for roots, orphans and duplicates */
  readonly parent: Int32Array;
  /** rowCount + 1 positions in `child` */
  readonly childStart: Int32Array;
  /** rows of the children, those of one parent ascending by (startNs, endNs, row) */
  readonly child: Int32Array;
  /** per span: effective times after clamping and clock correction, offsets of `spans.baseUnixNs`; endNs >= startNs */
  readonly startNs: Float64Array;
  readonly endNs: Float64Array;
  /** per span: how far its edges may be off against its parent's clock (granularity plus half the skew interval) */
  readonly toleranceNs: Float64Array;
  /** per span: SpanFlag bits */
  readonly flags: Uint16Array;
  readonly skews: readonly ClockSkew[];
  readonly quality: AssemblyQuality;
}

/** Throws when an invariant of the forest does not hold. For tests. */
export function assertTraceForest(forest: TraceForest): void {
  const { rows, traceStart, traceCount, parent, childStart, child, startNs, endNs, trace } = forest;
  const position = new Int32Array(forest.spans.rowCount).fill(-1);
  for (let i = 0; i < rows.length; i++) {
    if (position[rows[i]!]! >= 0) throw new Error(`row ${rows[i]} stands twice in the forest`);
    position[rows[i]!] = i;
  }
  for (let t = 0; t < traceCount; t++) {
    if (forest.trace[forest.root[t]!] !== t) throw new Error(`root of trace ${t} belongs to another trace`);
    for (let i = traceStart[t]!; i < traceStart[t + 1]!; i++) {
      const row = rows[i]!;
      if (trace[row] !== t) throw new Error(`row ${row} stands under trace ${t}, but says ${trace[row]}`);
      const up = parent[row]!;
      if (up >= 0 && !(position[up]! < i && trace[up] === t)) throw new Error(`row ${row} stands before its parent`);
    }
  }
  for (let row = 0; row < forest.spans.rowCount; row++) {
    if (!(endNs[row]! >= startNs[row]!)) throw new Error(`row ${row} ends before it starts`);
    for (let i = childStart[row]!; i < childStart[row + 1]!; i++) {
      if (parent[child[i]!] !== row) throw new Error(`row ${child[i]} is listed under ${row}, not its parent`);
      if (i > childStart[row]! && startNs[child[i - 1]!]! > startNs[child[i]!]!) {
        throw new Error(`children of row ${row} are not ascending by start`);
      }
    }
  }
}
