/**
 * What the time that requests spend inside a service went to, from what its threads were busy with meanwhile
 * and from nothing that ties a thread to a request: a statistical attribution.
 */

/** Thread time of one kind, waits for something to do left out: seconds per second of the clock, all instances together. */
export interface OccupiedTime<Kind> {
  readonly kind: Kind;
  readonly perSecond: number;
}

/** A share of the own time; `low` and `high` are what it would be at least and at most. */
export interface OwnShare {
  readonly share: number;
  readonly low: number;
  readonly high: number;
}

export interface OwnTimeShares<Kind> {
  /** sum to at most 1, the loop's share included; what is missing is unexplained */
  readonly kinds: ReadonlyMap<Kind, OwnShare>;
  /** waiting for the one thread that serves all requests; absent where each has a thread of its own */
  readonly loop?: OwnShare;
  /** what other threads did meanwhile, of time that the one thread does not account for */
  readonly beside: ReadonlyMap<Kind, OwnShare>;
  /** waiting for one of those other threads; absent where they do nothing */
  readonly pool?: OwnShare;
}

/** One thread that serves all requests, and the threads that it hands work to. */
export interface LoopTimes<Kind> {
  /** of the one thread, 0 .. 1 */
  readonly utilisation: number;
  readonly beside: readonly OccupiedTime<Kind>[];
  /** how many threads share what is done beside it, and how busy each of them is, 0 .. 1 */
  readonly pool?: { readonly threads: number; readonly utilisation: number };
}

/** Beyond it a queue has no mean length; a window is finite, and its queue too. */
const MAX_UTILISATION = 0.97;

/**
 * By Little's law the requests' own time per second is the mean number of requests that are inside the service, so
 * threads that are busy with kind k for b_k seconds a second explain b_k / own of it: more than all of it cannot be
 * explained, and where threads do more than that (work that no request waits for) the kinds share it as they share the threads.
 *
 * At least: part of the threads' time went to requests while they were in calls (building them, reading their answers), in
 * proportion to how many were. At most: all that was ever done was done for the own time, and of this kind first.
 *
 * A single thread (an event loop) makes requests wait for it, too: by a queue before one server of utilisation ρ
 * ρ / (1 - ρ) times their work (M/M/1), at least half of that (M/D/1), at most all that is left. Work that it hands to other threads
 * (a runtime's pool for files and hashes) is waited for as well, or is nobody's: of what is left, at least nothing. The same holds of
 * the queue before them (Sakasegawa's formula for c servers, which is that of M/M/1 for one), with as little at least.
 */
export function ownTimeShares<Kind>(
  occupied: readonly OccupiedTime<Kind>[],
  requests: { readonly own: number; readonly inCalls: number },
  loop?: LoopTimes<Kind>,
): OwnTimeShares<Kind> {
  const { own, inCalls } = requests;
  const all = occupied.reduce((sum, { perSecond }) => sum + perSecond, 0);
  const besides = (loop?.beside ?? []).filter(({ perSecond }) => perSecond > 0);
  if (!(own > 0) || !(all + besides.length > 0)) return { kinds: new Map(), beside: new Map() };
  const kinds = new Map<Kind, OwnShare>();
  for (const { kind, perSecond } of occupied) {
    if (!(perSecond > 0)) continue;
    kinds.set(kind, {
      share: perSecond / Math.max(own, all),
      low: perSecond / Math.max(own + inCalls, all),
      high: Math.min(1, perSecond / own),
    });
  }
  const work = Math.min(1, all / own);
  let left = Math.max(0, 1 - work);
  const beside = new Map<Kind, OwnShare>();
  const total = besides.reduce((sum, { perSecond }) => sum + perSecond, 0);
  const besideShare = Math.min(left, total / own);
  for (const { kind, perSecond } of besides) {
    const high = Math.min(left, perSecond / own);
    beside.set(kind, { share: (besideShare * perSecond) / total, low: 0, high });
  }
  if (loop === undefined) return { kinds, beside };
  const rho = Math.min(MAX_UTILISATION, loop.utilisation);
  const queue = (work * rho) / (1 - rho);
  const most = left;
  left -= besideShare;
  const ofLoop = { share: Math.min(left, queue), low: Math.min(left, queue / 2), high: most };
  if (loop.pool === undefined || !(total > 0)) return { kinds, beside, loop: ofLoop };
  left -= ofLoop.share;
  const waits = besideShare * waitPerWork(loop.pool);
  return { kinds, beside, loop: ofLoop, pool: { share: Math.min(left, waits), low: 0, high: left + ofLoop.share } };
}

/** Mean wait over mean work before `threads` servers, by Sakasegawa: ρ^(√(2 (c + 1)) − 1) / (c (1 − ρ)). */
function waitPerWork({ threads, utilisation }: { readonly threads: number; readonly utilisation: number }): number {
  const rho = Math.min(MAX_UTILISATION, utilisation);
  return rho ** (Math.sqrt(2 * (threads + 1)) - 1) / (threads * (1 - rho));
}
