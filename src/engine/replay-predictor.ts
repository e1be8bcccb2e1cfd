import { bootstrapQuantilePairs } from "../analysis/bootstrap.ts";
import type { Window } from "./window.ts";
import type { Predict } from "./prediction.ts";

export function replayPredictor(window: Window, seed: number): Predict {
  return (view, undo) => {
    const predicted = view.endpoint.durationNs.slice();
    for (const u of undo) {
      if (u.kind === "change") {
        for (let j = 0; j < predicted.length; j++) {
          const t = view.endpoint.traces[j]!;
          for (let i = window.segments.traceStart[t]!; i < window.segments.traceStart[t + 1]!; i++) {
            if (u.nodes?.includes(window.paths.nodeOfRow[window.segments.row[i]!]!)) predicted[j]! -= 0.5 * (window.segments.endNs[i]! - window.segments.startNs[i]!);
          }
        }
      }
    }
    const [p50, p95, p99] = bootstrapQuantilePairs(view.endpoint.durationNs, predicted, view.endpoint.weight, [0.5, 0.95, 0.99], { seed });
    return { p50: p50!, p95: p95!, p99: p99! };
  };
}
