import { oncePerWindow } from "../once-per-window.ts";
import type { Window } from "../window.ts";
import { UNEXPLAINED } from "../../analysis/time-kinds.ts";
import type { ServiceCode } from "./service-profiles.ts";

/**
 * How the own time of a service's requests splits, from its profile and its spans, and what it
 * becomes without a share of its work:
 *
 *   work     processor time per request / own time per request, at most 1
 *   waiting  for the thread: by a queue before one server, work x ρ / (1 - ρ) at the utilisation ρ, as far
 *            as there is time left
 *   rest     what neither explains; it stays
 *
 * Without a share s of the work ρ falls to ρ (1 - s): work shrinks by s, and waiting with both the
 * work before and the queue's length, (1 - s) x [ρ' / (1 - ρ')] / [ρ / (1 - ρ)].
 */
export interface OwnTimeSplit {
  readonly work: number;
  readonly waiting: number;
  readonly rest: number;
  readonly utilisation: number;
}

/** Beyond it a queue has no mean length; a recording is finite, and its queue too. */
const MAX_UTILISATION = 0.97;

export function splitOwnTime(window: Window, code: ServiceCode): OwnTimeSplit {
  const own = ownTimeOfServices(window).get(code.service) ?? { ns: 0, instances: 1 };
  const { firstNs, lastNs } = spanOf(window);
  // Without a length in the profile its samples say no more than shares: then all own time counts as work.
  const busyShare = Number.isNaN(code.busyShare) ? 1 : Math.min(1, code.busyShare);
  const cpuNs = busyShare * (lastNs - firstNs) * own.instances;
  const work = own.ns === 0 ? 1 : Math.min(1, cpuNs / own.ns);
  const utilisation = Number.isNaN(code.busyShare) ? 0 : Math.min(MAX_UTILISATION, busyShare);
  const waiting = Math.min(1 - work, (work * utilisation) / (1 - utilisation));
  return { work, waiting, rest: 1 - work - waiting, utilisation };
}

/** What would be gone: of an endpoint's own work, and of all work that its requests queue behind. */
export interface ShareGone {
  readonly ofWork: number;
  readonly ofQueue: number;
}

/** The factor by which own time shrinks without a share of the work, 0 .. 1. */
export function factorWithout(split: OwnTimeSplit, { ofWork, ofQueue }: ShareGone): number {
  return split.work * (1 - ofWork) + split.waiting * waitingWithout(split, ofQueue) + split.rest;
}

/** The factor by which waiting for the thread shrinks: its queue and the work of those ahead become shorter. */
export function waitingWithout({ utilisation }: OwnTimeSplit, share: number): number {
  const queue = (load: number): number => load / (1 - load);
  return utilisation === 0 ? 1 : ((1 - share) * queue(utilisation * (1 - share))) / queue(utilisation);
}

/** How long a request waits for the thread on average, by the queue before one server, from its own time in nanoseconds. */
export const meanWait = ({ work, utilisation }: OwnTimeSplit, ownNs: number): number =>
  (work * ownNs * utilisation) / (1 - utilisation);

/** Per service: own time of all its spans, on critical paths, weighted, and how many instances they are of. */
const ownTimeOfServices = oncePerWindow((window): ReadonlyMap<string, { ns: number; instances: number }> => {
  const { segments, forest, facts, kinds, text } = window;
  const sums = new Map<number, { ns: number; instances: Set<number> }>();
  for (let trace = 0; trace < forest.traceCount; trace++) {
    for (let i = segments.traceStart[trace]!; i < segments.traceStart[trace + 1]!; i++) {
      const row = segments.row[i]!;
      if (kinds[row] !== UNEXPLAINED) continue;
      let held = sums.get(facts.service[row]!);
      if (held === undefined) sums.set(facts.service[row]!, (held = { ns: 0, instances: new Set() }));
      held.ns += (segments.endNs[i]! - segments.startNs[i]!) * forest.weight[trace]!;
      held.instances.add(facts.instance[row]!);
    }
  }
  return new Map([...sums].map(([service, { ns, instances }]) => [text(service), { ns, instances: instances.size }]));
});

const spanOf = oncePerWindow(({ forest }): { firstNs: number; lastNs: number } => {
  let [firstNs, lastNs] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const row of forest.root) {
    firstNs = Math.min(firstNs, forest.startNs[row]!);
    lastNs = Math.max(lastNs, forest.endNs[row]!);
  }
  return { firstNs, lastNs: Math.max(firstNs, lastNs) };
});
