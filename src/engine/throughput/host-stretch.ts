import { ownTimeNs } from "../../analysis/interventions.ts";
import { erlangC } from "../../analysis/queueing-network.ts";
import type { Edits } from "../../analysis/replay.ts";
import type { ReplayPlan } from "../../analysis/replay-plan.ts";
import { SpanRole } from "../../model/span-facts.ts";
import { NS_PER_S } from "../../model/units.ts";
import type { CapacityModel, ModelResource } from "./capacity-model.ts";

type WritableEdits = { -readonly [K in keyof Edits]: Edits[K] };

/** Processors in use by requests and by what does not yield, as M/M/m has it: residence over work. Infinity where full. */
export function hostStretch({ capacityEach, demandS, background }: ModelResource, perSecond: number): number {
  const busy = demandS * perSecond + background;
  return busy >= capacityEach ? Infinity : 1 + erlangC(capacityEach, busy) / (capacityEach - busy);
}

/** Stretches that differ by less than this are the same. */
const SAME = 0.005;

/**
 * Writes into `edits` how much shorter or longer work takes on machines whose processors are less or more used than before.
 * Of a span's own time, and of a statement, the part that its service has the processor, stretched as it is now, changes; what
 * else it waits for stays. Returns whether a machine would have to do more than it can, and the use of the fullest.
 */
export function rescaleHosts(
  plan: ReplayPlan,
  edits: WritableEdits,
  before: CapacityModel,
  after: CapacityModel,
): { saturated: boolean; fullest: number } {
  const factors = new Map<string, number>();
  let fullest = 0;
  for (const [i, host] of before.resources.entries()) {
    if (host.isHost !== true) continue;
    const now = hostStretch(host, before.perSecond);
    const then = hostStretch(after.resources[i]!, after.perSecond);
    if (!Number.isFinite(then)) return { saturated: true, fullest: 1 };
    if (!Number.isFinite(now) || Math.abs(then / now - 1) < SAME) continue;
    const changed = after.resources[i]!;
    fullest = Math.max(fullest, (changed.demandS * after.perSecond + changed.background) / changed.capacityEach);
    for (const [service, share] of host.shares ?? []) {
      // One that moves away finds its processors elsewhere, and how busy those are is not known.
      if (changed.shares?.has(service) !== true) continue;
      const onProcessor = processorShare(plan, service, host.demandS * share * now);
      factors.set(service, 1 - onProcessor * (1 - then / now));
    }
  }
  if (factors.size === 0) return { saturated: false, fullest };
  for (let at = 0; at < plan.count; at++) {
    const service = workerOf(plan, at);
    const factor = service === undefined ? undefined : factors.get(service);
    if (factor === undefined) continue;
    if (isStatement(plan, at)) edits.factor[at]! *= factor;
    else edits.ownFactor[at]! *= factor;
  }
  return { saturated: false, fullest };
}

/** Share of the time of a service's spans (or a database's statements) in which it has or wants a processor. */
function processorShare(plan: ReplayPlan, service: string, wantedS: number): number {
  let timeNs = 0;
  for (let at = 0; at < plan.count; at++) {
    if (workerOf(plan, at) !== service) continue;
    timeNs += isStatement(plan, at) ? plan.durationNs[at]! : ownTimeNs(plan, at);
  }
  const { facts } = plan.forest;
  const requests = plan.traces.filter((t) => facts.role[plan.forest.root[t]!] !== SpanRole.consumer).length;
  return timeNs > 0 ? Math.min(1, (wantedS * NS_PER_S * requests) / timeNs) : 0;
}

const isStatement = (plan: ReplayPlan, at: number): boolean =>
  plan.forest.facts.role[plan.row[at]!] === SpanRole.database;

/** Who works in a span's own time: the database in a statement, nobody that is known in a call or a wait. */
function workerOf(plan: ReplayPlan, at: number): string | undefined {
  const { facts, spans } = plan.forest;
  const row = plan.row[at]!;
  switch (facts.role[row]) {
    case SpanRole.client:
    case SpanRole.pool:
    case SpanRole.producer:
      return undefined;
    case SpanRole.database:
      return facts.callee[row]! < 0 ? undefined : spans.strings.get(facts.callee[row]!);
    default:
      return spans.strings.get(facts.service[row]!);
  }
}
