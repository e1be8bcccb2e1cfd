import type { Report } from "../src/model/report.ts";
import type { SpanTable } from "../src/model/span-table.ts";

/** Predicted percentiles of an endpoint, ms. */
export interface WhatIfEndpoint {
  readonly service: string;
  readonly operation: string;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** A prediction, or why there is none. */
export type WhatIfAnswer =
  | { readonly kind: "predicted"; readonly endpoints: readonly WhatIfEndpoint[] }
  | { readonly kind: "cannot-tell"; readonly reason: string };

/** What is put to the test: the only place where the bench touches the engine. */
export function diagnoseTable(_current: SpanTable, _baseline?: SpanTable): Promise<Report> | Report {
  throw new Error("bench/accuracy-adapter.ts is not connected to the engine yet");
}

/** `changes` in the `--change` grammar; all of them happen together. */
export function whatIfTable(_table: SpanTable, _changes: readonly string[]): Promise<WhatIfAnswer> | WhatIfAnswer {
  throw new Error("bench/accuracy-adapter.ts is not connected to the engine yet");
}
