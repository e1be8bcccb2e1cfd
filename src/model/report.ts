import type { CostRow, CostTotals } from "./cost-report.ts";

/** The report contract, `longpole.report/1`. Fields may be added, never change meaning within a version. */
export const REPORT_SCHEMA = "longpole.report/1";

export const MECHANISMS = [
  "slow-code",
  "slow-query",
  "missing-index",
  "n-plus-one",
  "sequential-calls",
  "duplicate-calls",
  "retries",
  "timeout",
  "fixed-delay",
  "pool-exhausted",
  "lock-contention",
  "thread-starvation",
  "event-loop-blocked",
  "garbage-collection",
  "cpu-saturated",
  "cpu-throttled",
  "run-queue",
  "noisy-neighbour",
  "memory-pressure",
  "memory-leak",
  "disk-saturated",
  "fsync",
  "excessive-syscalls",
  "network-latency",
  "network-loss",
  "connection-churn",
  "accept-queue",
  "queue-backlog",
  "payload-size",
  "data-growth",
  "cache-miss",
  "straggler",
  "external-dependency",
  "mix-shift",
  "load-increase",
  "error-handling",
  "misconfiguration",
  "unknown",
] as const;
export type Mechanism = (typeof MECHANISMS)[number];

export const FINDING_KINDS = ["latency", "throughput", "resource", "code", "config", "regression", "growth"] as const;
export type FindingKind = (typeof FINDING_KINDS)[number];

export const SEVERITIES = ["note", "warning", "critical"] as const;
export type Severity = (typeof SEVERITIES)[number];

export interface Report {
  readonly schema: typeof REPORT_SCHEMA;
  /** Nanoseconds since 1970 as decimal text: they do not fit a JSON number. */
  readonly window: { readonly startUnixNs: string; readonly endUnixNs: string };
  readonly dataQuality: DataQuality;
  readonly endpoints: readonly EndpointReport[];
  /** what was asked for with --objective, in that order; absent when nothing was */
  readonly objectives?: readonly ObjectiveResult[];
  readonly throughput: ThroughputReport;
  /** who uses it all, most first; rows and `costTotals.unattributed` sum to the totals. Absent where there is no span */
  readonly costs?: readonly CostRow[];
  readonly costTotals?: CostTotals;
  readonly findings: readonly Finding[];
  readonly healthy: boolean;
  readonly checkedNotCause: readonly { readonly what: string; readonly detail: string }[];
  readonly unexplained: readonly { readonly service: string; readonly p99Ms: number; readonly collect: string }[];
  /** what a running server read for it; absent for files */
  readonly live?: LiveWindow;
}

/** The time that a running server was asked about; `Report.window` is that of the data found in it. */
export interface LiveWindow {
  readonly fromUnixNs: string;
  readonly toUnixNs: string;
  /** share of the traces that were analysed; each of them counts 1 / share times */
  readonly traceShare: number;
  /** that the store holds of this time */
  readonly spansInWindow: number;
  /** the store does not answer, and this is what was answered then, nanoseconds since 1970; absent where it does */
  readonly stale?: { readonly why: string; readonly madeUnixNs: string };
  /** the time that it was compared with, and why it was taken; absent when there was none */
  readonly baseline?: {
    readonly fromUnixNs: string;
    readonly toUnixNs: string;
    readonly traceShare: number;
    readonly why: string;
  };
}

export interface DataQuality {
  readonly traces: number;
  readonly incompleteTraces: number;
  readonly spans: number;
  readonly orphanSpans: number;
  readonly skewedHosts: readonly SkewedHosts[];
  readonly sampling: "none" | "head" | "tail" | "unknown";
  readonly gates: readonly { readonly name: string; readonly ok: boolean; readonly detail: string }[];
  /** spans by what became of them; received = analysed + incomplete + the sum of rejected */
  readonly ledger: SpanLedger;
  /** points of metrics by what became of them; absent when there were none */
  readonly metricPoints?: PointLedger;
  readonly warnings: readonly string[];
  /** false when the analysis was cut short (Ctrl-C): the report covers what was read until then */
  readonly complete: boolean;
}

export interface SkewedHosts {
  readonly from: string;
  readonly to: string;
  readonly lowMs: number;
  readonly highMs: number;
  readonly appliedMs: number;
  readonly pairs: number;
}

export interface PointLedger {
  readonly received: number;
  /** of metrics that the diagnosis asks for */
  readonly analysed: number;
  /** of metrics that nothing asks for, and points that came twice */
  readonly notUsed: number;
  readonly rejected: readonly { readonly reason: string; readonly points: number; readonly example: string }[];
}

export interface SpanLedger {
  readonly received: number;
  /** in complete traces */
  readonly analysed: number;
  /** in traces that are left out of the aggregates */
  readonly incomplete: number;
  readonly rejected: readonly { readonly reason: string; readonly spans: number; readonly example: string }[];
}

export interface EndpointReport {
  readonly service: string;
  readonly operation: string;
  readonly requests: number;
  readonly perSecond: number;
  readonly errorRatio: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
  /** why a percentile cannot be trusted, where it cannot */
  readonly caution?: string;
  readonly blame: readonly BlameRow[];
  /** the same time by what it was spent on, as far as spans and hosts tell; absent where no host was looked at */
  readonly ledger?: EndpointLedger;
  readonly baseline?: {
    readonly requests: number;
    readonly p50Ms: number;
    readonly p95Ms: number;
    readonly p99Ms: number;
  };
}

/** An objective held against the endpoint that it names. */
export interface ObjectiveResult {
  /** as it was asked for */
  readonly text: string;
  /** null: no endpoint of the report is named so; `detail` says so */
  readonly endpoint: { readonly service: string; readonly operation: string } | null;
  readonly metric: "p50" | "p95" | "p99";
  readonly limitMs: number;
  /** null without an endpoint */
  readonly nowMs: number | null;
  /** null: cannot be told */
  readonly met: boolean | null;
  /** why it cannot be told, or why the figure is to be taken with care */
  readonly detail?: string;
}

/** What ties a time to the spans, the strongest first; docs/time-kinds.md has the meaning of each. */
export const LEDGER_LINKS = ["spans", "span-id", "thread-time", "statistical", "metrics", "none"] as const;
export type LedgerLink = (typeof LEDGER_LINKS)[number];

/** Time of the critical path by service, operation and kind. */
export interface EndpointLedger {
  /** milliseconds at p99 that requests spend within services that send spans, and the share of it whose kind is known */
  readonly ownMs: number;
  readonly explainedShare: number;
  /** sum to the blame's: kinds and what is unexplained together are the time exactly */
  readonly rows: readonly EndpointLedgerRow[];
}

export interface EndpointLedgerRow {
  readonly service: string;
  readonly operation: string;
  /** kinds of docs/time-kinds.md, and "throttled" */
  readonly timeKind: string;
  readonly link: LedgerLink;
  /** what told it: a file, a profile, metrics; absent for what spans tell, and what nothing does */
  readonly source?: string;
  /** whose time it is where it passes within what the operation calls: a database that tells what it spent it on */
  readonly callee?: string;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** of p99Ms, as far as the link tells: with 90 % for samples, between bounds for what was attributed statistically */
  readonly lowMs: number;
  readonly highMs: number;
  /** of all the time at p99 */
  readonly share: number;
}

/** Mean time of the critical path of the traces around a percentile, by (service, operation, kind). */
export interface BlameRow {
  readonly service: string;
  readonly operation: string;
  readonly timeKind: string;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** 90 % bootstrap interval of p99Ms */
  readonly lowMs: number;
  readonly highMs: number;
}

/** A ceiling is the total rate of all user-facing endpoints together at the present mix. */
export interface ThroughputReport {
  readonly status: "ok" | "insufficient-data" | "gate-failed";
  readonly detail: string;
  /** the resource with the lowest ceiling; absent unless the status is "ok" */
  readonly limiter?: Limiter;
  /** what limits once the limiter no longer does */
  readonly next?: Omit<Limiter, "lowPerSecond" | "highPerSecond" | "utilisation">;
  /** most utilised first; rows without a ceiling were observed, but their demand per request is not known */
  readonly resources?: readonly ResourceRow[];
  /** how measurements were read where that is not certain: which process is which database, who yields to whom */
  readonly assumptions?: readonly string[];
  /** limiter and next where they are full at nearly the same load: room for one alone gains little, for both more */
  readonly together?: {
    readonly resources: readonly { readonly service: string; readonly resource: string }[];
    readonly onePerSecond: number;
    readonly bothPerSecond: number;
  };
  /** the load at which each objective falls; absent without objectives */
  readonly objectives?: readonly ObjectiveLoad[];
}

/** Where an objective falls as the load of all endpoints grows at the present mix, with its 90 % interval. */
export interface ObjectiveLoad {
  readonly endpoint: { readonly service: string; readonly operation: string };
  readonly metric: "p50" | "p95" | "p99";
  readonly limitMs: number;
  /** requests per second of all endpoints; null: it cannot be told, or falls at any load, as `detail` says */
  readonly fallsAtPerSecond: number | null;
  readonly lowPerSecond: number | null;
  readonly highPerSecond: number | null;
  readonly detail?: string;
}

export interface Limiter {
  readonly service: string;
  readonly resource: string;
  readonly ceilingPerSecond: number;
  readonly lowPerSecond: number;
  readonly highPerSecond: number;
  readonly utilisation: number;
}

export interface ResourceRow {
  readonly service: string;
  /**
   * "cpu", "event-loop", "gc", "pool:<name>", "threads", "lock:<name>", "memory", "swap", "disk", "disk-space:<mount>", "network",
   * "quota", "connections", "fds", "ports", "run-queue" (threads that want to run over processors, above 1 where some
   * wait) or "accept-queue" (in use: the share of windows in which it overflowed)
   */
  readonly resource: string;
  readonly instance?: string;
  readonly host?: string;
  /** milliseconds of the resource per request of any endpoint */
  readonly demandMs?: number;
  /** servers: cores, connections, threads */
  readonly capacity?: number;
  /** mean share in use over the window, 0 to 1 */
  readonly utilisation: number;
  /** share in use in the worst of the windows the metrics come in */
  readonly worstUtilisation?: number;
  /** share of those windows above the line from which queues form, where one is known */
  readonly shareAboveLine?: number;
  /** mean number that waits for it, and uses per second that failed, where a metric tells */
  readonly waiting?: number;
  readonly errorsPerSecond?: number;
  readonly ceilingPerSecond?: number;
}

export interface Finding {
  readonly rank: number;
  /** stable across runs on the same data */
  readonly id: string;
  readonly kind: FindingKind;
  readonly severity: Severity;
  readonly confidence: number;
  readonly title: string;
  readonly why: string;
  readonly subject: Subject;
  readonly mechanism: Mechanism;
  readonly impact: Impact;
  readonly chain: readonly ChainLink[];
  readonly evidence: readonly Evidence[];
  readonly counter: readonly string[];
  readonly refutedBy: string;
  readonly remedy: { readonly text: string; readonly change?: string; readonly whatIf?: string };
}

export interface Subject {
  readonly service: string;
  readonly operation?: string;
  readonly resource?: string;
  readonly statement?: string;
  readonly frame?: string;
  /** of the kernel, where a host was looked at */
  readonly syscall?: string;
  readonly setting?: string;
  readonly instance?: string;
  readonly host?: string;
}

export interface Impact {
  readonly endpoint: { readonly service: string; readonly operation: string };
  /** "ceiling": the greatest rate of all endpoints together; "mean": of metrics that give no percentile */
  readonly metric: "p99" | "p95" | "p50" | "ceiling" | "mean";
  readonly now: number;
  readonly predicted: number;
  readonly low: number;
  readonly high: number;
  readonly unit: "ms" | "requests/s";
  /** how the prediction was made */
  readonly method?: string;
}

/** One step from symptom to cause; `evidence` are indices into the finding's evidence. */
export interface ChainLink {
  readonly claim: string;
  readonly evidence: readonly number[];
}

export interface Evidence {
  readonly kind: "trace" | "series" | "stack" | "statement" | "setting" | "statistic";
  readonly text: string;
  /** how to reproduce it */
  readonly query: string;
  readonly link?: string;
}
