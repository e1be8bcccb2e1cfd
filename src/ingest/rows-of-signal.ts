import type { BlockRows } from "./block-rows.ts";
import { MetricRows } from "./metric-rows.ts";
import type { KeptSignal } from "./signal.ts";
import { SpanRows } from "./span-rows.ts";
import { StackRows } from "./stack-rows.ts";

/** Empty rows for a block of this signal. */
export function rowsOfSignal(signal: KeptSignal): BlockRows {
  switch (signal) {
    case "traces":
      return new SpanRows() as BlockRows;
    case "metrics":
      return new MetricRows() as BlockRows;
    case "profiles":
      return new StackRows() as BlockRows;
  }
}
