/** The contract of `longpole trace --json`. Fields may be added, never change meaning within a version. */
export const TRACE_SCHEMA = "longpole.trace/1";

export interface TraceReport {
  readonly schema: typeof TRACE_SCHEMA;
  /** name of the ready probe; "program" for one that was given whole */
  readonly probe: string;
  readonly title: string;
  readonly unit: "nanoseconds" | "count";
  readonly seconds: number;
  /** of the probe, those included whose end was not seen */
  readonly hits: number;
  readonly ended: "time" | "limit" | "interrupt";
  /** whole time, most first; without keys one row with key "" */
  readonly totals: readonly TraceRow[];
  /** a second each, all keys together */
  readonly intervals: readonly {
    readonly atSeconds: number;
    readonly count: number;
    readonly buckets: readonly TraceBucket[];
  }[];
  /** what the program itself printed */
  readonly printed: readonly string[];
}

export interface TraceRow {
  readonly key: string;
  readonly count: number;
  /** within a factor of 2, as far as the buckets tell; null for counts */
  readonly p50: number | null;
  readonly p99: number | null;
  readonly buckets: readonly TraceBucket[];
}

/** [low, high) in the report's unit; no upper edge is infinity, which JSON writes as null. */
export interface TraceBucket {
  readonly low: number;
  readonly high: number;
  readonly count: number;
}
