import type { BlockRows } from "./block-rows.ts";
import { metricSignal } from "./metric-rows.ts";
import type { KeptSignal } from "./signal.ts";
import { spanSignal } from "./span-rows.ts";
import { StackRows } from "./stack-rows.ts";
import { TableRows } from "./table-rows.ts";

/** Empty rows for a block of this signal. */
export function rowsOfSignal(signal: KeptSignal): BlockRows {
  switch (signal) {
    case "traces":
      return new TableRows(spanSignal()) as BlockRows;
    case "metrics":
      return new TableRows(metricSignal()) as BlockRows;
    case "profiles":
      return new StackRows() as BlockRows;
  }
}
