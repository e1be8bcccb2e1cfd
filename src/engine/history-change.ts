import { changePoints } from "../analysis/change-points.ts";
import { mapToFloats } from "../model/map-column.ts";

/** How an endpoint was in the steps of a stretch of time; ascending, steps without a request left out. */
export interface EndpointHistory {
  readonly service: string;
  readonly operation: string;
  readonly steps: readonly HistoryStep[];
}

export interface HistoryStep {
  readonly startUnixNs: bigint;
  readonly requests: number;
  readonly meanNs: number;
  readonly p99Ns: number;
}

export type HistoryMetric = "mean" | "p99";

/** A lasting change of an endpoint's level. */
export interface LevelChange {
  readonly service: string;
  readonly operation: string;
  readonly metric: HistoryMetric;
  /** start of the first step of the new level */
  readonly atUnixNs: bigint;
  /** start of the first step of the level before */
  readonly sinceUnixNs: bigint;
  /** until when the new level held: start of the first step of another one, or undefined where it still does */
  readonly untilUnixNs: bigint | undefined;
  /** mean over the steps of the metric, before and after */
  readonly beforeNs: number;
  readonly afterNs: number;
  /** requests per step of the new level */
  readonly requestsPerStep: number;
  readonly pValue: number;
}

/** Smaller changes are no reason to compare with another time. */
const LEAST_CHANGE = 0.1;

/**
 * All lasting changes of all endpoints. `pValue`: accepted chance that noise alone shows any in all of them together
 * (Bonferroni over endpoints and metrics). Levels of tail latency are compared by rank, since a few slow minutes are none.
 */
export function levelChanges(histories: readonly EndpointHistory[], pValue = 0.01): LevelChange[] {
  const metrics: readonly HistoryMetric[] = ["mean", "p99"];
  const each = pValue / Math.max(1, histories.length * metrics.length);
  return histories.flatMap((history) =>
    metrics.flatMap((metric) => {
      const values = mapToFloats(history.steps, (step) => (metric === "mean" ? step.meanNs : step.p99Ns));
      const points = changePoints(values, { pValue: each, scale: "rank" });
      return points.map(({ index, before, after, pValue: p }, i): LevelChange => {
        const end = points[i + 1]?.index ?? history.steps.length;
        const level = history.steps.slice(index, end);
        return {
          service: history.service,
          operation: history.operation,
          metric,
          atUnixNs: history.steps[index]!.startUnixNs,
          sinceUnixNs: history.steps[points[i - 1]?.index ?? 0]!.startUnixNs,
          untilUnixNs: history.steps[end]?.startUnixNs,
          beforeNs: before,
          afterNs: after,
          requestsPerStep: level.reduce((sum, { requests }) => sum + requests, 0) / level.length,
          pValue: p,
        };
      });
    }),
  );
}

/**
 * The rise that a window from `fromUnixNs` on is still under and that costs its requests most, if any: the endpoint's
 * last change before the window, and upwards by a tenth at least.
 */
export function riseBefore(changes: readonly LevelChange[], fromUnixNs: bigint): LevelChange | undefined {
  let worst: LevelChange | undefined;
  for (const change of changes) {
    const isCurrent =
      change.atUnixNs <= fromUnixNs && (change.untilUnixNs === undefined || change.untilUnixNs > fromUnixNs);
    if (!isCurrent || change.afterNs < change.beforeNs * (1 + LEAST_CHANGE)) continue;
    if (worst === undefined || costOf(change) > costOf(worst)) worst = change;
  }
  return worst;
}

const costOf = ({ afterNs, beforeNs, requestsPerStep }: LevelChange): number => (afterNs - beforeNs) * requestsPerStep;
