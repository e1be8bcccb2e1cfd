import { diagnose } from "../src/engine/diagnose.ts";
import { whatIf } from "../src/engine/what-if.ts";
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
export function diagnoseTable(current: SpanTable, baseline?: SpanTable): Promise<Report> {
  return diagnose({ spans: current, ...(baseline === undefined ? {} : { baseline }) });
}

/** `changes` in the `--change` grammar; all of them happen together. */
export async function whatIfTable(table: SpanTable, changes: readonly string[]): Promise<WhatIfAnswer> {
  try {
    const report = await whatIf(table, changes);
    const untold = report.cannotTell.find((text) => changes.some((change) => text.startsWith(change)));
    if (untold !== undefined) return { kind: "cannot-tell", reason: untold };
    return {
      kind: "predicted",
      endpoints: report.endpoints.map(({ service, operation, p50, p99 }) => ({
        service,
        operation,
        p50Ms: p50.predicted,
        p99Ms: p99.predicted,
      })),
    };
  } catch (error) {
    return { kind: "cannot-tell", reason: (error as Error).message };
  }
}
