import { ownTimeNs } from "../../analysis/interventions.ts";
import type { ReplayPlan } from "../../analysis/replay-plan.ts";
import { quantileOf } from "../../analysis/weighted-quantile.ts";
import { SpanRole } from "../../model/span-facts.ts";
import type { ModelResource } from "./capacity-model.ts";
import { mapToFloats } from "../../model/map-column.ts";

/** Spans in which a connection was waited for that no span of its own shows, and how long. */
export interface UnseenWaits {
  readonly positions: readonly number[];
  readonly waitNs: Float64Array;
}

/** One in ten statements of a kind found a connection free, or nearly so. */
const QUIET = 0.1;

/**
 * Waits for a pool without spans of acquisitions: they are in the callers' own time before each statement, beyond the
 * quiet level of its kind. Of that, as much as the model has the pool make wait (`meanNs` per statement) is
 * taken, by share. Undefined where no statement goes to that pool.
 */
export function unseenWaits(
  plan: ReplayPlan,
  { service, resource }: ModelResource,
  meanNs: number,
): UnseenWaits | undefined {
  const { facts, spans } = plan.forest;
  const towards = resource.slice("pool:".length);
  const byNode = new Map<number, number[]>();
  for (let at = 0; at < plan.count; at++) {
    const row = plan.row[at]!;
    if (facts.role[row] !== SpanRole.database || plan.parentAt[at]! < 0 || facts.callee[row]! < 0) continue;
    if (spans.strings.get(facts.service[row]!) !== service || spans.strings.get(facts.callee[row]!) !== towards)
      continue;
    const node = plan.paths.nodeOfRow[row]!;
    const held = byNode.get(node);
    if (held === undefined) byNode.set(node, [at]);
    else held.push(at);
  }
  const waits = new Map<number, number>();
  let [all, statements] = [0, 0];
  for (const positions of byNode.values()) {
    const quiet = quantileOf(
      mapToFloats(positions, (at) => plan.ownThinkNs[at]!),
      QUIET,
    );
    for (const at of positions) {
      const excess = Math.max(0, plan.ownThinkNs[at]! - quiet);
      const caller = plan.parentAt[at]!;
      waits.set(caller, (waits.get(caller) ?? 0) + excess);
      all += excess;
    }
    statements += positions.length;
  }
  if (!(all > 0)) return undefined;
  const taken = Math.min(1, (meanNs * statements) / all);
  const positions = [...waits.keys()].sort((a, b) => a - b);
  const waitNs = mapToFloats(positions, (at) => Math.min(ownTimeNs(plan, at), waits.get(at)! * taken));
  return { positions, waitNs };
}
