import { ownTimeNs } from "../../analysis/interventions.ts";
import type { ReplayPlan } from "../../analysis/replay-plan.ts";
import { quantileOf } from "../../analysis/weighted-quantile.ts";
import { SpanRole } from "../../model/span-facts.ts";
import { mapToFloats } from "../../model/map-column.ts";

/** Spans in which work waits for its turn on an event loop, and how long each did. */
export interface LoopWaits {
  readonly positions: readonly number[];
  readonly waitNs: Float64Array;
}

/** One in ten calls of a kind found nobody before it, or nearly so. */
const QUIET = 0.1;

/**
 * Where turns on the event loop of a service are waited for: before its SERVER spans begin (in the transit of the
 * calls to it), within its own time, and before it takes up an answer (at the end of its own calls). What such a time is
 * beyond the quiet level of its kind was waited, or was work that varies: of all that, `totalNs` is taken, by
 * share. `turnNs`: mean wait for a turn by service; a transit lies between two loops, and is shared by those.
 */
export function loopWaits(
  plan: ReplayPlan,
  service: string,
  totalNs: number,
  turnNs: ReadonlyMap<string, number>,
): LoopWaits {
  const own = turnNs.get(service) ?? 0;
  const byNode = new Map<number, number[]>();
  const positions: number[] = [];
  const share: number[] = [];
  for (let at = 0; at < plan.count; at++) {
    const of = shareOf(plan, at, service, own, turnNs);
    if (of <= 0) continue;
    positions.push(at);
    share.push(of);
    const node = plan.paths.nodeOfRow[plan.row[at]!]!;
    const held = byNode.get(node);
    if (held === undefined) byNode.set(node, [positions.length - 1]);
    else held.push(positions.length - 1);
  }
  const time = mapToFloats(positions, (at) => waitableNs(plan, at));
  const excess = new Float64Array(positions.length);
  for (const items of byNode.values()) {
    const quiet = quantileOf(
      mapToFloats(items, (i) => time[i]!),
      QUIET,
    );
    for (const i of items) excess[i] = Math.max(0, time[i]! - quiet) * share[i]!;
  }
  const all = excess.reduce((sum, ns) => sum + ns, 0);
  const taken = all > 0 ? Math.min(1, totalNs / all) : 0;
  return { positions, waitNs: excess.map((ns) => ns * taken) };
}

/** Share of what was waited within a span that was waited for the loop of `service`. */
function shareOf(
  plan: ReplayPlan,
  at: number,
  service: string,
  own: number,
  turnNs: ReadonlyMap<string, number>,
): number {
  const { facts, spans } = plan.forest;
  const row = plan.row[at]!;
  const caller = spans.strings.get(facts.service[row]!);
  switch (facts.role[row]) {
    case SpanRole.pool:
    case SpanRole.producer:
      return 0;
    case SpanRole.database:
      return caller === service ? 1 : 0;
    case SpanRole.client: {
      const callee = calleeOf(plan, at);
      if (caller !== service && callee !== service) return 0;
      const other = callee === caller ? 0 : (turnNs.get(caller === service ? (callee ?? "") : caller) ?? 0);
      return own + other > 0 ? own / (own + other) : 0;
    }
    default:
      return caller === service ? 1 : 0;
  }
}

function calleeOf(plan: ReplayPlan, at: number): string | undefined {
  const { facts, spans } = plan.forest;
  for (let child = plan.childFrom[at]!; child < plan.childTo[at]!; child++) {
    const row = plan.row[child]!;
    if (facts.role[row] === SpanRole.server) return spans.strings.get(facts.service[row]!);
  }
  return undefined;
}

/** Of a statement its whole time, of everything else what is its own. */
function waitableNs(plan: ReplayPlan, at: number): number {
  const role = plan.forest.facts.role[plan.row[at]!]!;
  return role === SpanRole.database ? plan.durationNs[at]! : ownTimeNs(plan, at);
}
