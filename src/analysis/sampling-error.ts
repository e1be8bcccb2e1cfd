import type { TraceForest } from "../model/trace-forest.ts";

/** How well the sampled traces tell how many there were. */
export interface SamplingError {
  /** complete traces at hand, and for how many they stand */
  readonly traces: number;
  readonly standFor: number;
  /** standard error of `standFor`, as a share of it */
  readonly relativeError: number;
}

/**
 * Each trace was kept with probability 1 / w on its own and counts w times, so the count's variance is estimated by
 * the sum of w (w - 1) (Horvitz & Thompson, JASA 1952, with independent draws). No error where all weights are 1.
 */
export function samplingError({ traceCount, complete, weight }: TraceForest): SamplingError {
  let traces = 0;
  let standFor = 0;
  let variance = 0;
  for (let trace = 0; trace < traceCount; trace++) {
    if (complete[trace] !== 1) continue;
    const w = weight[trace]!;
    traces++;
    standFor += w;
    variance += w * (w - 1);
  }
  return { traces, standFor, relativeError: standFor === 0 ? 0 : Math.sqrt(variance) / standFor };
}
