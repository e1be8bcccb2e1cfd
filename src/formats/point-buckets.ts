import { MetricKind } from "../model/metric-table.ts";
import type { MetricTableBuilder } from "../model/metric-table-builder.ts";
import { addExponentialBuckets, type ExponentialBuckets } from "./exponential-buckets.ts";

/** Buckets of the open point of OTLP, which can be added once all its fields were read. */
export class PointBuckets {
  readonly counts: number[] = [];
  readonly bounds: number[] = [];
  readonly exponential: ExponentialBuckets = {
    scale: 0,
    zeroCount: 0,
    zeroThreshold: 0,
    positiveOffset: 0,
    positive: [],
    negativeOffset: 0,
    negative: [],
  };

  /** For the next point, which is of this kind. */
  clear(kind: MetricKind): void {
    this.counts.length = this.bounds.length = 0;
    if (kind !== MetricKind.exponentialHistogram) return;
    const { exponential } = this;
    exponential.scale = exponential.zeroCount = exponential.zeroThreshold = 0;
    exponential.positiveOffset = exponential.negativeOffset = 0;
    exponential.positive.length = exponential.negative.length = 0;
  }

  /** Adds them to the open point. Returns what is wrong with them, the first thing, or "". */
  addTo(into: MetricTableBuilder, kind: MetricKind): string {
    const { counts, bounds } = this;
    let problem = "";
    if (kind === MetricKind.histogram) {
      if (counts.length > 0 && counts.length !== bounds.length + 1)
        problem = `${counts.length} buckets for ${bounds.length} bounds`;
      for (let i = 0; i < counts.length; i++) into.addBucket(bounds[i] ?? Number.POSITIVE_INFINITY, counts[i]!);
    } else if (kind === MetricKind.exponentialHistogram) problem = addExponentialBuckets(into, this.exponential);
    if (problem === "" && kind >= MetricKind.histogram && !into.bucketsAscend()) problem = "bounds that do not ascend";
    return problem;
  }
}
