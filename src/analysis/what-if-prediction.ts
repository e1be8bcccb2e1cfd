import { type Blocks, bootstrapQuantilePairs, type PairedEstimate } from "./bootstrap.ts";
import { ascendingOrder } from "./ascending-order.ts";
import { replay, type Edits } from "./replay.ts";
import type { ReplayPlan } from "./replay-plan.ts";
import { mapToFloats } from "../model/map-column.ts";

/** Percentiles of an endpoint's root spans now and after a change, nanoseconds. */
export interface EndpointPrediction {
  /** string ids of the root's service and operation */
  readonly service: number;
  readonly operation: number;
  readonly traces: number;
  readonly p50: PairedEstimate;
  readonly p95: PairedEstimate;
  readonly p99: PairedEstimate;
}

/**
 * Replays all traces of the plan and compares, per endpoint, its percentiles with the observed ones; weighted by
 * what each trace stands for, with bootstrap intervals over stretches of time. Endpoints with the most traces first.
 */
export function predictEndpoints(
  plan: ReplayPlan,
  edits: Edits,
  options: { seed: number; resamples?: number },
): EndpointPrediction[] {
  const { forest } = plan;
  const predicted = replay(plan, edits);
  const groups = new Map<string, number[]>();
  for (let t = 0; t < plan.traces.length; t++) {
    const root = forest.root[plan.traces[t]!]!;
    const key = `${forest.facts.service[root]} ${forest.facts.operation[root]}`;
    const held = groups.get(key);
    if (held === undefined) groups.set(key, [t]);
    else held.push(t);
  }
  const out = [...groups.values()].map((members): EndpointPrediction => {
    const now = mapToFloats(members, (t) => plan.durationNs[plan.traceStart[t]!]!);
    const then = mapToFloats(members, (t) => predicted[t]!);
    const weight = mapToFloats(members, (t) => forest.weight[plan.traces[t]!]!);
    const blocks = stretches(mapToFloats(members, (t) => forest.startNs[forest.root[plan.traces[t]!]!]!));
    const [p50, p95, p99] = bootstrapQuantilePairs(now, then, weight, [0.5, 0.95, 0.99], options, blocks);
    const root = forest.root[plan.traces[members[0]!]!]!;
    return {
      service: forest.facts.service[root]!,
      operation: forest.facts.operation[root]!,
      traces: members.length,
      p50: p50!,
      p95: p95!,
      p99: p99!,
    };
  });
  return out.sort((a, b) => b.traces - a.traces || a.service - b.service || a.operation - b.operation);
}

/** Enough stretches to draw from, each longer than a busy period of a system that is not full. */
const STRETCHES = 40;
/** Shorter stretches hold no more than one busy period: their traces are drawn one by one. */
const MIN_IN_STRETCH = 5;

/** Stretches of time with equally many requests each. */
function stretches(startNs: Float64Array): Blocks | undefined {
  const n = startNs.length;
  const count = Math.min(STRETCHES, Math.floor(n / MIN_IN_STRETCH));
  if (count < 10) return undefined;
  const of = new Int32Array(n);
  ascendingOrder(startNs).forEach((i, rank) => (of[i] = Math.floor((rank * count) / n)));
  return { of, count };
}
