import type { Window } from "../window.ts";
import type { CallGraph } from "./call-graph.ts";
import type { MeasuredResource } from "./measured-resources.ts";
import { requestLoad } from "./request-load.ts";
import { spanPools } from "./span-pools.ts";

export interface MissingResource {
  readonly what: string;
  /** the least that it can do, by its spans: requests per second */
  readonly leastCeiling: number;
  /** all its calls pass pools that were seen full, so that it cannot limit as long as they stay as they are */
  readonly isBehindPools: boolean;
}

/**
 * Services and databases without a measured CPU. Work happens within spans, so no more cores can have been busy than
 * spans were open there, and each instance has one core at least: that bounds how near it can be to its limit.
 */
export function missingResources(
  window: Window,
  graph: CallGraph,
  measured: readonly MeasuredResource[],
  ambiguous: ReadonlyMap<string, string>,
): MissingResource[] {
  const hasCpu = new Set(
    measured.filter(({ use }) => use.resource === "cpu" || use.resource === "quota").map(({ use }) => use.service),
  );
  const found: MissingResource[] = [];
  for (const { name: service, ownS, instances } of graph.services.values()) {
    if (!hasCpu.has(service))
      found.push({
        what: `the CPU of ${service}`,
        leastCeiling: ownS > 0 ? instances / ownS : Infinity,
        isBehindPools: false,
      });
  }
  const databases = new Map<string, number>();
  for (const { database, timeS } of graph.databases.values())
    databases.set(database, (databases.get(database) ?? 0) + timeS);
  for (const [database, timeS] of databases) {
    if (database === "" || hasCpu.has(database)) continue;
    const leastCeiling = timeS > 0 ? 1 / timeS : Infinity;
    const reason = ambiguous.get(database);
    const what = `the CPU of the database ${database}${reason === undefined ? "" : ` (${reason})`}`;
    found.push({ what, leastCeiling, isBehindPools: isBehindPools(window, graph, database) });
  }
  for (const { model, use } of measured)
    if (model.isHost === true) found.push(...unseenOnHost(window, graph, measured, { model, use }));
  return found;
}

/** What is not measured and makes less of a machine's demand than this hardly moves its ceiling. */
const SMALL_PART = 0.1;

/**
 * Services whose processes nobody counts, and that run on the machine for all that their spans say: their work hides among
 * what "others" use of it, and would take its ceiling down. Work happens within spans, and was seen on the machine:
 * it is at most the lesser of the two.
 */
function unseenOnHost(
  window: Window,
  graph: CallGraph,
  measured: readonly MeasuredResource[],
  { model, use }: Pick<MeasuredResource, "model" | "use">,
): MissingResource[] {
  const hosts = measured.filter((one) => one.model.isHost === true);
  const counted = new Set(hosts.flatMap((host) => [...(host.model.shares ?? new Map<string, number>()).keys()]));
  const names = new Set(hosts.map((host) => host.model.service));
  const unseen = [...graph.services.values()].filter(({ name }) => {
    if (counted.has(name)) return false;
    const known = [...hostsOf(window, name)].filter((host) => names.has(host));
    return known.length === 0 || known.includes(model.service);
  });
  const { perSecond } = requestLoad(window);
  const unclaimed = use.utilisation * use.capacityEach - use.busy.reduce((a, b) => a + b, 0) / use.busy.length;
  const within = unseen.reduce((sum, { ownS }) => sum + ownS, 0);
  const perRequest = Math.min(within, unclaimed / perSecond);
  if (!(perRequest > SMALL_PART * model.demandS)) return [];
  const free = use.capacityEach - Math.max(0, model.background - perRequest * perSecond);
  const what = `the work of ${unseen.map(({ name }) => name).join(", ")} on ${model.service}`;
  return [{ what, leastCeiling: free / (model.demandS + perRequest), isBehindPools: false }];
}

function hostsOf({ forest, text }: Window, service: string): Set<string> {
  const { facts } = forest;
  const hosts = new Set<number>();
  for (const row of forest.rows) if (text(facts.service[row]!) === service) hosts.add(facts.host[row]!);
  return new Set([...hosts].map((id) => text(id)));
}

/** Uses of a full pool that last no longer than others: by so much they may. */
const SAME_HOLD = 1.3;
/** Share of the busy time in which a pool was full, for that to show how the database takes it. */
const SEEN_FULL = 0.1;

/**
 * A database whose calls all pass pools that were seen full, and that was no slower then, has seen the most at once that
 * it can ever get: it does not limit before they do.
 */
function isBehindPools(window: Window, graph: CallGraph, database: string): boolean {
  const pools = spanPools(window).filter((pool) => pool.database === database);
  return [...graph.databases.values()]
    .filter((work) => work.database === database)
    .every(({ service }) => {
      const limit = pools.find((pool) => pool.service === service)?.limit;
      return (
        limit !== undefined && limit.fullShare >= SEEN_FULL && limit.holdWhenFullNs <= SAME_HOLD * limit.holdElseNs
      );
    });
}
