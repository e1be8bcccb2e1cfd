import type { FlameTree } from "./flame-tree.ts";
import type { LedgerLink, Report } from "./report.ts";
import type { PredictedQuantile, WhatIfReport } from "./what-if-report.ts";

/**
 * What the web UI draws, `longpole.page/1`: the report with what is needed to look into it.
 * A page in one file holds one of these, the server sends one per window.
 * Fields may be added, never change meaning within a version.
 */
export const PAGE_SCHEMA = "longpole.page/1";

export interface PageDocument {
  readonly schema: typeof PAGE_SCHEMA;
  /** version of Longpole that made it */
  readonly producer: string;
  readonly source: PageSource;
  readonly report: Report;
  /** of the report's endpoints with the most total time, in its order */
  readonly endpoints: readonly PageEndpoint[];
  /** whole traces to look at, those of an endpoint together, slowest first */
  readonly traces: readonly PageTrace[];
  /** traces that would have been kept, but for the limit on spans */
  readonly tracesLeft: number;
  readonly flames: readonly PageFlame[];
  /** calls of databases, most time first */
  readonly statements: readonly PageStatement[];
  /** statements with less time, which are left out */
  readonly statementsLeft: number;
  readonly series: readonly PageSeries[];
  /** series beyond the limit, which are left out */
  readonly seriesLeft: number;
  readonly whatIf: readonly WhatIfCurve[];
}

export interface PageSource {
  readonly files: readonly string[];
  readonly baseline: readonly string[];
}

export interface PageEndpoint {
  readonly service: string;
  readonly operation: string;
  readonly heat: HeatMap;
  readonly requests: RequestSample;
  readonly map: ServiceMap;
}

/**
 * Requests by time and duration. Cell (column, row) is at `row * columns + column`; row 0 is the fastest.
 * A row reaches from `lowestMs * ratio^row` to `lowestMs * ratio^(row + 1)`.
 */
export interface HeatMap {
  /** milliseconds since 1970, to a microsecond */
  readonly startUnixMs: number;
  readonly columnMs: number;
  readonly columns: number;
  readonly rows: number;
  readonly lowestMs: number;
  readonly ratio: number;
  /** requests per cell, weighted */
  readonly requests: readonly number[];
}

/**
 * Requests one by one, with the time of their critical path by what it was spent on: columns, one element per
 * request, slowest first. Where there are too many, all of the slowest and a systematic sample of the others, each
 * with the number of requests it stands for.
 */
export interface RequestSample {
  /** requests of the endpoint, weighted */
  readonly total: number;
  /** milliseconds after the start of the heat map */
  readonly startMs: readonly number[];
  readonly durationMs: readonly number[];
  readonly weight: readonly number[];
  readonly error: readonly number[];
  readonly parts: readonly RequestPart[];
  /** one more than requests; parts of request i are `part[partStart[i] .. partStart[i + 1]]` with `partMs` */
  readonly partStart: readonly number[];
  /** index of `parts` */
  readonly part: readonly number[];
  readonly partMs: readonly number[];
}

export interface RequestPart {
  readonly service: string;
  readonly operation: string;
  readonly timeKind: string;
}

/** Who calls whom for an endpoint, and where the time of its slowest requests goes. */
export interface ServiceMap {
  readonly nodes: readonly MapNode[];
  readonly edges: readonly MapEdge[];
}

export interface MapNode {
  readonly name: string;
  readonly kind: "service" | "database" | "messages" | "external";
  /** milliseconds of the critical path of requests around the p99, and around the median */
  readonly p99Ms: number;
  readonly p50Ms: number;
  /** of its most used resource, 0 to 1; absent where nothing measured it */
  readonly utilisation?: number;
  /** name of that resource, as in the throughput of the report */
  readonly resource?: string;
}

export interface MapEdge {
  /** index of `nodes` */
  readonly from: number;
  readonly to: number;
  /** calls per request of the endpoint */
  readonly calls: number;
  /** milliseconds that the requests around the p99 wait for these calls, with all below them */
  readonly p99Ms: number;
  /** milliseconds they wait for a connection first */
  readonly waitMs: number;
  /** milliseconds between caller and callee: the network, and waiting until the callee begins */
  readonly transitMs: number;
}

/** A whole trace: columns, one element per span; parents before children. Texts are indices of `strings`. */
export interface PageTrace {
  readonly traceId: string;
  /** index of `PageDocument.endpoints`, -1 for a trace that was searched for */
  readonly endpoint: number;
  /** why it is here */
  readonly role: "slow" | "typical" | "evidence" | "found";
  readonly startUnixNs: string;
  readonly durationMs: number;
  /** false when spans of it are missing */
  readonly complete: boolean;
  readonly strings: readonly string[];
  readonly spanId: readonly string[];
  /** row of the parent, -1 for the root */
  readonly parent: readonly number[];
  readonly service: readonly number[];
  readonly operation: readonly number[];
  /** OTLP's SpanKind */
  readonly kind: readonly number[];
  readonly error: readonly number[];
  /** OTLP's status code. Absent in pages of before 0.2 */
  readonly status?: readonly number[];
  /** milliseconds after the start of the trace, corrected for clocks */
  readonly startMs: readonly number[];
  readonly durationsMs: readonly number[];
  /** key and value in turn, per span */
  readonly attributes: readonly (readonly number[])[];
  /** what sends: key and value in turn, each once; per span its index. Absent in pages of before 0.2 */
  readonly resources?: readonly (readonly number[])[];
  readonly resource?: readonly number[];
  /** the critical path in the order of time: row of the span, start and end, name of the time kind */
  readonly path: readonly (readonly [row: number, startMs: number, endMs: number, timeKind: string])[];
  /**
   * What samples of the processes show of stretches of the path whose kind the spans do not tell: index in `path`, kind, how
   * they are tied to the span, and milliseconds, an estimate, at most the stretch. Absent where there are none.
   */
  readonly sampled?: readonly (readonly [stretch: number, timeKind: string, link: LedgerLink, ms: number])[];
}

export interface PageFlame {
  readonly kind: "critical-path" | "profile";
  /** index of `PageDocument.endpoints`; absent for profiles of processes */
  readonly endpoint?: number;
  readonly service?: string;
  /** time in which the threads of a profile had nothing to do, which is not in the tree; in its unit */
  readonly idle?: number;
  readonly tree: FlameTree;
}

/** All calls of one operation and statement, of all endpoints. */
export interface PageStatement {
  readonly database: string;
  readonly services: readonly string[];
  readonly operation: string;
  /** literals out; "" where the spans do not tell */
  readonly statement: string;
  readonly perSecond: number;
  /** share of the time of all statements */
  readonly share: number;
  readonly meanMs: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly errorRatio: number;
}

/** What a metric measured over time, on windows of equal length. */
export interface PageSeries {
  /** what it measures, whatever the metric is called */
  readonly measure: string;
  readonly service: string;
  readonly instance: string;
  readonly host: string;
  /** the pool, device, table or queue; "" where there is none */
  readonly resource: string;
  /** names of the metrics that it was made of */
  readonly metrics: readonly string[];
  /** milliseconds since 1970 of the first window's begin */
  readonly startUnixMs: number;
  readonly windowMs: number;
  /** mean per window, null where not known */
  readonly values: readonly (number | null)[];
}

/** What the replay predicts for a finding's fix, at several strengths of it. */
export interface WhatIfCurve {
  /** id of the finding */
  readonly finding: string;
  readonly points: readonly WhatIfPoint[];
}

export interface WhatIfPoint {
  /** a spec of `what-if --change` */
  readonly change: string;
  /** the number that was varied; absent where there is nothing to vary */
  readonly value?: number;
  readonly p50: PredictedQuantile;
  readonly p95: PredictedQuantile;
  readonly p99: PredictedQuantile;
  readonly ceiling: WhatIfReport["ceiling"];
  readonly cannotTell: readonly string[];
}
