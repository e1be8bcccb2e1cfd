/** The contract `longpole.what-if/1`. */
export const WHAT_IF_SCHEMA = "longpole.what-if/1";

export interface WhatIfReport {
  readonly schema: typeof WHAT_IF_SCHEMA;
  /** the specs as they were given */
  readonly changes: readonly string[];
  readonly endpoints: readonly WhatIfEndpoint[];
  /** null where the data do not tell what limits the throughput; `cannotTell` says what is missing */
  readonly ceiling: PredictedCeiling | null;
  readonly assumptions: readonly string[];
  readonly cannotTell: readonly string[];
}

/** The greatest rate of all endpoints together, at the present mix, now and after the changes (90 % interval). */
export interface PredictedCeiling extends PredictedQuantile {
  readonly unit: "requests/s";
  readonly limiterNow: { readonly service: string; readonly resource: string };
  readonly limiterAfter: { readonly service: string; readonly resource: string };
}

export interface WhatIfEndpoint {
  readonly service: string;
  readonly operation: string;
  readonly requests: number;
  readonly p50: PredictedQuantile;
  readonly p95: PredictedQuantile;
  readonly p99: PredictedQuantile;
  readonly unit: "ms";
}

/** Now and after the changes, with the 90 % bootstrap interval of the latter. */
export interface PredictedQuantile {
  readonly now: number;
  readonly predicted: number;
  readonly low: number;
  readonly high: number;
}
