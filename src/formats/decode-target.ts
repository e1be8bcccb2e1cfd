import type { Intake } from "../model/intake.ts";
import type { MetricTableBuilder } from "../model/metric-table-builder.ts";
import type { SpanTableBuilder } from "../model/span-table-builder.ts";

/** What the decoders of files fill: a file may hold more than one signal. */
export interface DecodeTarget {
  readonly spans: SpanTableBuilder;
  readonly metrics: MetricTableBuilder;
  readonly intake: Intake;
}
