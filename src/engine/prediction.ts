import type { PairedEstimate } from "../analysis/bootstrap.ts";
import type { EndpointView } from "./endpoint-view.ts";
import type { Undo } from "./hot-spot.ts";

/** Percentiles of an endpoint now and with a cause taken away, nanoseconds. */
export interface PredictedEndpoint {
  readonly p50: PairedEstimate;
  readonly p95: PairedEstimate;
  readonly p99: PairedEstimate;
}

/** Replays an endpoint's traces with causes taken away. */
export type Predict = (view: EndpointView, undo: readonly Undo[]) => PredictedEndpoint;

/** The percentile in which a change shows most, and its relative gain there (0 .. 1; negative when it gets worse). */
export function bestGain(predicted: PredictedEndpoint): {
  metric: "p99" | "p95" | "p50";
  pair: PairedEstimate;
  gain: number;
} {
  // The objective is the p99. A gain that shows only at the median still counts, by half: most users feel it.
  const weighted = [
    { metric: "p99" as const, pair: predicted.p99, weight: 1 },
    { metric: "p95" as const, pair: predicted.p95, weight: 0.75 },
    { metric: "p50" as const, pair: predicted.p50, weight: 0.5 },
  ].map((entry) => ({ ...entry, gain: entry.weight * relativeGain(entry.pair) }));
  return weighted.reduce((best, entry) => (entry.gain > best.gain + 1e-12 ? entry : best));
}

export function relativeGain(pair: PairedEstimate): number {
  return pair.now.value > 0 ? (pair.now.value - pair.predicted.value) / pair.now.value : 0;
}
