import type { HostUse, ResourceSamples } from "../../model/resource-samples.ts";
import type { Window } from "../window.ts";
import { callGraph } from "./call-graph.ts";
import type { ModelResource } from "./capacity-model.ts";
import { demandOf, type Demand } from "./demand.ts";
import { poolUse } from "./pool-use.ts";
import { hostResources, type HostResource } from "./host-resource.ts";
import { calledDatabases, joinDatabases, type DatabaseJoins } from "./join-databases.ts";
import { quotaResources } from "./quota-resource.ts";
import { resourceUses, type ResourceUse } from "./resource-use.ts";
import { spanPools } from "./span-pools.ts";

/** A resource with what was seen of it and what requests need of it. */
export interface MeasuredResource {
  readonly use: ResourceUse;
  readonly demand: Demand;
  readonly model: ModelResource;
  /** what its capacity may be over what it is taken to be, where that is an estimate itself */
  readonly capacityLow: number;
  readonly capacityHigh: number;
}

/** All that was measured, under the names of the spans. */
export interface MeasuredSystem {
  readonly measured: readonly MeasuredResource[];
  readonly joins: DatabaseJoins;
  /** how measurements were read where that is not certain */
  readonly assumptions: readonly string[];
}

/** Resources of services, databases, pools, quotas and machines, by metrics and by spans. */
export function measureResources(
  window: Window,
  given: ResourceSamples | undefined,
  perSecond: number,
  seed: number,
): MeasuredSystem {
  const services = new Set(callGraph(window).services.keys());
  const databases = calledDatabases(window);
  const joins = joinDatabases(databases, given?.processes ?? [], services);
  const resources = given === undefined ? undefined : underDatabaseNames(given, joins);
  const known = new Set([...services, ...databases.map(({ name }) => name)]);
  const demandFor = (use: ResourceUse, apart: number): Demand | undefined =>
    perSecond > 0 ? demandOf(window, use, seed, apart) : undefined;
  // Whatever else has a limit and is busy is somebody else's: at one rate of requests all of its use would look like theirs.
  const called = new Set([...known, ...calleesOf(window)]);
  const pools = resourceUses(window, resources)
    .filter(({ service }) => called.has(service))
    .map((use) => poolUse(window, use));
  const fromMetrics = pools.map(({ use }) => use);
  const limiting = pools.filter(({ use }) => use.isHeld !== true);
  const fromSpans = spanPools(window)
    .map(({ use }) => use)
    .filter((use) => !fromMetrics.some((other) => other.service === use.service && other.resource === use.resource));
  const hosts = hostResources(window, resources, known);
  // What the processes of a machine do without requests is the sum of what each of them does.
  const apartOf = ({ parts }: HostResource): number =>
    parts.reduce((sum, part) => sum + (demandFor(part, 0)?.background ?? 0), 0);
  const parts = [
    ...limiting.map(({ use, background, low }) => ({ use, apart: background, low, high: 1, host: undefined })),
    ...fromSpans.map((use) => ({ use, apart: 0, low: 1, high: 1, host: undefined })),
    ...quotaResources(window, resources).map((quota) => ({ ...quota, apart: 0, host: undefined })),
    ...hosts.map((host) => ({ use: host.use, apart: apartOf(host), low: 1, high: 1, host })),
  ];
  const measured = parts.flatMap(({ use, apart, low, high, host }): MeasuredResource[] => {
    const demand = demandFor(use, apart);
    if (demand === undefined) return [];
    if (host !== undefined) return [ofHost(host, demand)];
    return [{ use, demand, model: modelOf(use, demand), capacityLow: low, capacityHigh: high }];
  });
  const assumptions = [
    ...joins.joined.map(
      ({ process, database, how }) => `the processes of ${process} are taken for the database ${database}: ${how}`,
    ),
    ...hosts.flatMap(yieldText),
    ...fromMetrics.filter(({ isHeld }) => isHeld).map(heldText),
    ...unusedHosts(resources, hosts, known),
  ];
  return { measured, joins, assumptions };
}

const heldText = ({ service, resource, measured }: ResourceUse): string =>
  `the ${resource} of ${service} is full all the time, and in ${measured.length} readings nobody waits for it: those who use it are no more than it holds, so it is not taken for a limit`;

/** All that spans name as the other end of a call or a message, with spans of its own or not. */
function calleesOf({ forest, text }: Window): Set<string> {
  const ids = new Set<number>();
  for (const row of forest.rows) if (forest.facts.callee[row]! >= 0) ids.add(forest.facts.callee[row]!);
  return new Set([...ids].map((id) => text(id)));
}

function modelOf(use: ResourceUse, demand: Demand): ModelResource {
  return {
    service: use.service,
    resource: use.resource,
    instances: use.instances,
    capacityEach: effectiveCapacity(use),
    demandS: demand.perRequest.value,
    background: demand.background,
    isEventLoop: use.isEventLoop,
  };
}

/** Where one instance is clearly busier, it is full while the others are not: the capacity that can be used is less. */
function effectiveCapacity({ capacityEach, utilisation, hottest }: ResourceUse): number {
  return hottest === undefined || hottest.utilisation <= 0
    ? capacityEach
    : (capacityEach * utilisation) / hottest.utilisation;
}

/** What others use of a machine is lost to requests between all that they were seen to use, and nothing, if they yield. */
function ofHost(
  { use, shares, others: seen, othersCores, othersSeen }: HostResource,
  demand: Demand,
): MeasuredResource {
  const background = demand.background + othersCores;
  const free = use.capacityEach - background;
  const kept = othersSeen > 0 ? othersCores / othersSeen : 0;
  const others = new Map([...seen].map(([service, cores]) => [service, cores * kept]));
  const model = { ...modelOf(use, demand), background, isHost: true, shares, others };
  return {
    use,
    demand: { ...demand, background },
    model,
    capacityLow: free > 0 ? Math.max(0, use.capacityEach - demand.background - othersSeen) / free : 1,
    capacityHigh: free > 0 ? (use.capacityEach - demand.background) / free : 1,
  };
}

/** Machines that may limit, and of which nothing could be used: without a word they would seem to have been looked at. */
function unusedHosts(
  resources: ResourceSamples | undefined,
  hosts: readonly HostResource[],
  known: ReadonlySet<string>,
): string[] {
  const used = new Set(hosts.map(({ use }) => use.service));
  return (resources?.hosts ?? []).flatMap(({ host, byService }) =>
    used.has(host) || ![...byService.keys()].some((service) => known.has(service))
      ? []
      : [
          `the processors of ${host} are left out: their use is not known in any window within the time of the requests`,
        ],
  );
}

function yieldText({ use, othersCores, othersSeen, isWaitKnown }: HostResource): string[] {
  if (othersSeen < 0.05 * use.capacityEach) return [];
  const seen = `${othersSeen.toFixed(2)} of the ${use.capacityEach} cores of ${use.service} are used by what no request makes work`;
  if (!isWaitKnown) return [`${seen}, and are taken for lost to requests`];
  return othersSeen - othersCores < 0.05 * use.capacityEach
    ? [`${seen}`]
    : [
        `${seen}, but work hardly waits for a processor there: ${(othersSeen - othersCores).toFixed(2)} of them are taken to yield to requests`,
      ];
}

function underDatabaseNames(resources: ResourceSamples, { joined }: DatabaseJoins): ResourceSamples {
  if (joined.length === 0) return resources;
  const names = new Map(joined.map(({ process, database }) => [process, database]));
  const nameOf = (service: string): string => names.get(service) ?? service;
  const renamed = (host: HostUse): HostUse => ({
    ...host,
    byService: new Map([...host.byService].map(([service, used]) => [nameOf(service), used])),
  });
  return {
    ...resources,
    samples: resources.samples.map((sample) =>
      names.has(sample.service) ? { ...sample, service: nameOf(sample.service) } : sample,
    ),
    ...(resources.hosts === undefined ? {} : { hosts: resources.hosts.map(renamed) }),
    ...(resources.quotas === undefined
      ? {}
      : { quotas: resources.quotas.map((quota) => ({ ...quota, service: nameOf(quota.service) })) }),
  };
}
