import type { Window } from "../window.ts";
import type { ServiceGraph } from "./localise.ts";
import { meanOf, type ServiceMeasures } from "./service-measures.ts";

/**
 * Who calls whom: from the metrics where they count it, otherwise from the spans,
 * of the window or, where it has none, of the baseline.
 */
export function serviceGraph(
  now: ServiceMeasures,
  before: ServiceMeasures | undefined,
  window: Window,
  baseline: Window | undefined,
): ServiceGraph {
  const counted = now.edges.length > 0 ? now.edges : (before?.edges ?? []);
  if (counted.length > 0)
    return { edges: counted.map(({ client, server, rate }) => ({ client, server, rate: meanOf(rate) || 0 })) };
  return graphOfSpans(window.forest.rows.length > 0 || baseline === undefined ? window : baseline);
}

/** Calls from a service to another, per second of the window: as often as a span's parent is of another service. */
function graphOfSpans({ forest, facts, text }: Window): ServiceGraph {
  const counts = new Map<string, { client: string; server: string; rate: number }>();
  let first = Number.POSITIVE_INFINITY;
  let last = Number.NEGATIVE_INFINITY;
  for (const row of forest.rows) {
    first = Math.min(first, forest.startNs[row]!);
    last = Math.max(last, forest.endNs[row]!);
    const parent = forest.parent[row]!;
    if (parent < 0 || facts.service[parent] === facts.service[row]) continue;
    const key = `${facts.service[parent]} ${facts.service[row]}`;
    const held = counts.get(key);
    if (held !== undefined) held.rate++;
    else counts.set(key, { client: text(facts.service[parent]!), server: text(facts.service[row]!), rate: 1 });
  }
  const seconds = Math.max(1, (last - first) / 1e9);
  return { edges: [...counts.values()].map((edge) => ({ ...edge, rate: edge.rate / seconds })) };
}
