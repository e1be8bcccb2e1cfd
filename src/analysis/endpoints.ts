import type { TraceForest } from "../model/trace-forest.ts";
import { mapToFloats } from "../model/map-column.ts";

/** A root operation that a user waits for, with its complete traces. */
export interface Endpoint {
  /** string ids */
  readonly service: number;
  readonly operation: number;
  /** trace numbers, ascending by duration (then by number) */
  readonly traces: Int32Array;
  /** duration of each of `traces`, ascending */
  readonly durationNs: Float64Array;
  /** weight of each of `traces` */
  readonly weight: Float64Array;
  readonly totalWeight: number;
  /** weighted share of traces whose root is in error */
  readonly errorRatio: number;
}

/**
 * Groups the complete traces of a forest by (service, operation) of their root;
 * endpoints with the most total time first. Incomplete traces are left out.
 */
export function groupEndpoints(forest: TraceForest): Endpoint[] {
  const { facts, root, complete, startNs, endNs } = forest;
  const groups = new Map<string, number[]>();
  for (let trace = 0; trace < forest.traceCount; trace++) {
    if (complete[trace] !== 1) continue;
    const row = root[trace]!;
    const key = `${facts.service[row]} ${facts.operation[row]}`;
    const held = groups.get(key);
    if (held === undefined) groups.set(key, [trace]);
    else held.push(trace);
  }
  const endpoints = [...groups.values()].map((members): Endpoint => {
    const duration = (trace: number): number => endNs[root[trace]!]! - startNs[root[trace]!]!;
    const traces = Int32Array.from(members).sort((a, b) => duration(a) - duration(b) || a - b);
    const weight = mapToFloats(traces, (trace) => forest.weight[trace]!);
    const totalWeight = weight.reduce((sum, w) => sum + w, 0);
    const errors = traces.reduce((sum, trace, i) => sum + (facts.error[root[trace]!] === 1 ? weight[i]! : 0), 0);
    const first = root[traces[0]!]!;
    return {
      service: facts.service[first]!,
      operation: facts.operation[first]!,
      traces,
      durationNs: mapToFloats(traces, duration),
      weight,
      totalWeight,
      errorRatio: totalWeight > 0 ? errors / totalWeight : 0,
    };
  });
  const time = (e: Endpoint): number => e.durationNs.reduce((sum, ns, i) => sum + ns * e.weight[i]!, 0);
  const total = new Map(endpoints.map((e) => [e, time(e)]));
  return endpoints.sort((a, b) => total.get(b)! - total.get(a)! || compareNames(forest, a, b));
}

/** By text: ids follow the order in which strings were met. */
function compareNames({ spans: { strings } }: TraceForest, a: Endpoint, b: Endpoint): number {
  const compare = (x: string, y: string): number => (x < y ? -1 : x > y ? 1 : 0);
  return (
    compare(strings.get(a.service), strings.get(b.service)) ||
    compare(strings.get(a.operation), strings.get(b.operation))
  );
}
