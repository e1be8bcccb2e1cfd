/** What the users do: which requests, how many per second, how that changes with time. */
export interface LoadPlan {
  /** requests per second where the schedule says 1 */
  readonly perSecond: number;
  readonly seconds: number;
  readonly schedule: Schedule;
  /** shares of the endpoints; they sum to 1 */
  readonly mix: Readonly<Partial<Record<EndpointName, number>>>;
  /** the same seed sends the same requests at the same times */
  readonly seed: number;
  /** metric points in one request to `points` */
  readonly pointsPerBatch: number;
  /** share of lookups that ask for a name that does not exist */
  readonly missing: number;
}

/**
 * Requests per second relative to `perSecond`, over the share of the plan that has passed.
 * Arrivals are a Poisson process with that rate: nobody waits for anybody's answer.
 */
export type Schedule =
  | { readonly kind: "steady" }
  /** from → to, in a straight line */
  | { readonly kind: "ramp"; readonly from: number; readonly to: number }
  /** `before` until the share `at` of the time has passed, `after` from then on */
  | { readonly kind: "step"; readonly at: number; readonly before: number; readonly after: number }
  /** 1, and `factor` for `lengthSeconds` at the end of every `everySeconds` */
  | { readonly kind: "burst"; readonly everySeconds: number; readonly lengthSeconds: number; readonly factor: number }
  /** a sine with `periods` in the plan, from 1 - depth to 1 + depth */
  | { readonly kind: "diurnal"; readonly periods: number; readonly depth: number };

/** The requests of the sample system by short name; root spans carry "METHOD route". */
export const ENDPOINTS = {
  lookup: "GET /api/records/:name",
  list: "GET /api/zones/:zone/records",
  create: "POST /api/zones/:zone/records",
  overview: "GET /api/accounts/:account/overview",
  points: "POST /api/points",
} as const;

export type EndpointName = keyof typeof ENDPOINTS;

export const USUAL_LOAD: LoadPlan = {
  perSecond: 40,
  seconds: 20,
  schedule: { kind: "steady" },
  mix: { lookup: 0.45, list: 0.2, create: 0.1, overview: 0.15, points: 0.1 },
  seed: 1,
  pointsPerBatch: 50,
  missing: 0.01,
};

/** What the load generator saw: the referee for what the spans say. */
export interface LoadResult {
  /** Unix ms at which the first request was due */
  readonly startedAtUnixMs: number;
  readonly plan: LoadPlan;
  readonly sent: number;
  /** answers, whatever their status; the others timed out or lost their connection */
  readonly completed: number;
  /**
   * By what was wrong: requests without an answer ("timeout", "ECONNRESET"), and answers with a status from 400 on
   * ("http 500"), but not 404 to a name that is missing on purpose.
   */
  readonly errors: Readonly<Record<string, number>>;
  /** how late requests left after they were due, ms; a generator out of breath makes no claims */
  readonly lateMs: { readonly p50: number; readonly p99: number; readonly max: number };
  readonly endpoints: Readonly<Partial<Record<EndpointName, Latency>>>;
  readonly all: Latency;
}

/** Milliseconds from the moment a request was due to the end of its answer; those without an answer are in `errors` only. */
export interface Latency {
  readonly operation: string;
  readonly completed: number;
  readonly meanMs: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}
