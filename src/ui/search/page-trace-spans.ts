import type { TraceSpans } from "../../analysis/match-traces.ts";
import type { PageTrace } from "../../model/page.ts";

const NS_PER_MS = 1e6;

/** A trace of a page, as it can be asked. Durations are to a microsecond, values to 2000 letters, as pages hold them. */
export function pageTraceSpans(trace: PageTrace): TraceSpans {
  const { strings } = trace;
  const service = strings.indexOf("service.name");
  const valueIn = (pairs: readonly number[] | undefined, key: number): string | undefined => {
    if (pairs === undefined || key < 0) return undefined;
    for (let i = pairs.length - 2; i >= 0; i -= 2) if (pairs[i] === key) return strings[pairs[i + 1]!];
    return undefined;
  };
  const keys = new Map<string, number>([["service.name", service]]);
  const keyOf = (key: string): number => {
    let at = keys.get(key);
    if (at === undefined) keys.set(key, (at = strings.indexOf(key)));
    return at;
  };
  return {
    count: trace.parent.length,
    parent: (row) => trace.parent[row]!,
    service: (row) => strings[trace.service[row]!]!,
    name: (row) => strings[trace.operation[row]!]!,
    durationNs: (row) => trace.durationsMs[row]! * NS_PER_MS,
    status: (row) => trace.status?.[row] ?? 2 * trace.error[row]!,
    kind: (row) => trace.kind[row]!,
    attribute: (row, scope, key) =>
      valueIn(scope === "span" ? trace.attributes[row] : trace.resources?.[trace.resource?.[row] ?? -1], keyOf(key)),
  };
}
