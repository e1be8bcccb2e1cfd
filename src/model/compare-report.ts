/** The contract `longpole.compare/1`. Fields may be added, never change meaning within a version. */
export const COMPARE_SCHEMA = "longpole.compare/1";

/** `same`: no difference that is both certain and large enough, which is not a proof that there is none. */
export const VERDICTS = ["worse", "better", "same", "insufficient-data"] as const;
export type Verdict = (typeof VERDICTS)[number];

/** Two recordings of one system: `before` is the baseline, `now` what is judged. */
export interface CompareReport {
  readonly schema: typeof COMPARE_SCHEMA;
  /** smallest relative change that counts, 0.05 for 5 % */
  readonly threshold: number;
  /** probability that all intervals of the report hold together */
  readonly level: number;
  /** the worst of the endpoints */
  readonly verdict: Verdict;
  readonly before: ComparedRecording;
  readonly now: ComparedRecording;
  /** in both recordings, by total time of both, most first */
  readonly endpoints: readonly ComparedEndpoint[];
  readonly newEndpoints: readonly SingleEndpoint[];
  readonly vanishedEndpoints: readonly SingleEndpoint[];
  /** of all requests together; null with fewer than two requests on either side */
  readonly mean: MeanChange | null;
  /** call paths whose own time changed significantly, by size of the change */
  readonly paths: readonly PathChange[];
  /** the rest of the call paths: `paths` and this sum to `mean.slowdownMs` exactly, but for rounding */
  readonly otherPaths: { readonly count: number; readonly slowdownMs: number };
  /** what to keep in mind about the data */
  readonly cautions: readonly string[];
}

export interface ComparedRecording {
  /** nanoseconds since 1970 as decimal text */
  readonly startUnixNs: string;
  readonly endUnixNs: string;
  /** complete traces, which alone count */
  readonly traces: number;
  readonly incompleteTraces: number;
  readonly sampling: "none" | "head" | "tail" | "unknown";
}

export interface ComparedEndpoint {
  readonly service: string;
  readonly operation: string;
  /** the worst of its percentiles and errors */
  readonly verdict: Verdict;
  readonly requests: { readonly before: number; readonly now: number };
  readonly p50: PercentileChange;
  readonly p95: PercentileChange;
  readonly p99: PercentileChange;
  readonly errors: ErrorChange;
  readonly mean: { readonly beforeMs: number; readonly nowMs: number };
  /** its part of `mean.mixMs` and `mean.slowdownMs` of the report */
  readonly mixMs: number;
  readonly slowdownMs: number;
}

/** `lowMs .. highMs` bounds the difference now - before; null with too few requests for it. */
export interface PercentileChange {
  readonly beforeMs: number;
  readonly nowMs: number;
  readonly differenceMs: number;
  readonly lowMs: number | null;
  readonly highMs: number | null;
  readonly verdict: Verdict;
}

/** Shares of requests in error; `low .. high` bounds the difference. */
export interface ErrorChange {
  readonly before: number;
  readonly now: number;
  readonly difference: number;
  readonly low: number;
  readonly high: number;
  /** two-sided, of the shares being equal */
  readonly pValue: number;
  readonly verdict: Verdict;
}

export interface SingleEndpoint {
  readonly service: string;
  readonly operation: string;
  readonly requests: number;
  readonly errorRatio: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
}

/** changeMs = mixMs + slowdownMs exactly, but for rounding: other requests, and the same requests slower. */
export interface MeanChange {
  readonly beforeMs: number;
  readonly nowMs: number;
  readonly changeMs: number;
  readonly mixMs: number;
  readonly slowdownMs: number;
}

/** Own time of the spans of one call path on the critical path, per request of the average mix of both recordings. */
export interface PathChange {
  /** operations from the root to the span, each "SERVICE OPERATION" */
  readonly path: readonly string[];
  readonly service: string;
  readonly operation: string;
  readonly statement?: string;
  /** what it adds to `mean.slowdownMs`; negative where it became faster */
  readonly slowdownMs: number;
  /** adjusted for the number of call paths (Benjamini and Hochberg) */
  readonly qValue: number;
}
