import type { HostUse, ResourceKind, ResourceSample, ResourceSamples } from "../../model/resource-samples.ts";
import type { ResourceRow, ThroughputReport } from "../../model/report.ts";
import { unixNs } from "../../model/units.ts";
import type { Use } from "./further-use.ts";
import { hostUses, loopShare, measuredProcesses, quotaUses } from "./host-use.ts";
import type { Measures } from "./read-measures.ts";
import { type ResourceReading, resourceReadings } from "./readings.ts";
import { byService, largestOf, meanOf, type ServiceMeasure, valuesOf } from "./service-measures.ts";

/** Rows of the USE table (utilisation, and how bad it gets), the fullest first. */
export function useTable(readings: readonly ResourceReading[], further: readonly Use[] = []): ResourceRow[] {
  const told = onePerHost(readings).filter(({ mechanism }) => mechanism !== "memory-leak");
  const isTold = (use: Use): boolean =>
    told.some(({ service, resource }) => service === use.service && resource === use.resource);
  const uses: readonly Use[] = [...told, ...further.filter((use) => !isTold(use))];
  return uses
    .filter(({ utilisation }) => Number.isFinite(meanOf(utilisation)))
    .map(({ service, resource, host, capacity, utilisation, line, waiting, errorsPerSecond }): ResourceRow => {
      const known = utilisation.filter((value) => Number.isFinite(value));
      return {
        service,
        resource,
        ...(host === "" ? {} : { host }),
        ...(Number.isFinite(capacity) ? { capacity: rounded(capacity) } : {}),
        utilisation: rounded(meanOf(known)),
        worstUtilisation: rounded(largestOf(known)),
        shareAboveLine: rounded(known.filter((value) => value >= line).length / known.length),
        ...(waiting === undefined ? {} : { waiting: rounded(waiting) }),
        ...(errorsPerSecond === undefined ? {} : { errorsPerSecond: rounded(errorsPerSecond) }),
      };
    })
    .toSorted((a, b) => b.utilisation - a.utilisation || (a.service + a.resource < b.service + b.resource ? -1 : 1));
}

/** The processors of a machine are one resource, whichever of its services' metrics told of it: they stand under its name. */
function onePerHost(readings: readonly ResourceReading[]): ResourceReading[] {
  const hosts = new Set<string>();
  return readings.flatMap((reading) => {
    if (reading.resource !== "host-cpu") return [reading];
    if (hosts.has(reading.host)) return [];
    hosts.add(reading.host);
    return [{ ...reading, service: reading.host, resource: "cpu" }];
  });
}

/** The ceilings with how bad each resource gets, and what was measured but has no ceiling below them. */
export function withUse(
  report: ThroughputReport,
  readings: readonly ResourceReading[],
  further: readonly Use[] = [],
): ThroughputReport {
  const use = useTable(readings, further);
  const isSame = (a: ResourceRow, b: ResourceRow): boolean => a.service === b.service && a.resource === b.resource;
  const known = (report.resources ?? []).map((row) => {
    const { worstUtilisation, shareAboveLine } =
      use.find((one) => isSame(one, row) && (one.worstUtilisation ?? 0) >= row.utilisation) ?? {};
    return {
      ...row,
      ...(worstUtilisation === undefined ? {} : { worstUtilisation }),
      ...(shareAboveLine === undefined ? {} : { shareAboveLine }),
    };
  });
  return { ...report, resources: [...known, ...use.filter((row) => !known.some((one) => isSame(one, row)))] };
}

const rounded = (value: number): number => Math.round(value * 1e4) / 1e4;

/** Resources whose share in use the capacity analysis can work with. */
const CAPACITIES: Readonly<Record<string, ResourceKind>> = {
  cpu: "cpu",
  "event-loop": "event-loop",
  disk: "disk",
  quota: "quota",
};

/** How busy each resource of each instance was in each window: what the capacity analysis asks for. */
export function resourceSamples(measures: Measures): ResourceSamples {
  const { grid } = measures;
  // Instances are told apart by making each a service of its own for the readings.
  const apart = byService({
    ...measures,
    series: measures.series.map((one) => ({
      ...one,
      service: one.service === "" ? "" : key(one.service, one.instance),
    })),
  });
  const hosts = hostUses(measures);
  const stretchOn = new Map(hosts.map(({ host, activePerUsed }) => [host, activePerUsed]));
  const samples: ResourceSample[] = [];
  for (const { service: name, host, resource, utilisation, capacity } of resourceReadings(apart)) {
    const kind = resource.startsWith("pool:") ? (resource as ResourceKind) : CAPACITIES[resource];
    if (kind === undefined || kind === "quota") continue;
    const [service, instance] = JSON.parse(name) as [string, string];
    const all = apart.services.get(name);
    const waiting = kind.startsWith("pool:") ? waitingFor(all, kind.slice("pool:".length)) : undefined;
    const shares = kind === "event-loop" ? (loopOf(all, stretchOn.get(host)) ?? utilisation) : utilisation;
    shares.forEach((value, w) => {
      if (!Number.isFinite(value)) return;
      samples.push({
        service,
        instance,
        host,
        resource: kind,
        windowStartNs: grid.startNs + w * grid.stepNs,
        windowNs: grid.stepNs,
        utilisation: value,
        capacity,
        ...(waiting === undefined || !Number.isFinite(waiting[w]!) ? {} : { waiting: waiting[w]! }),
      });
    });
  }
  return {
    baseUnixNs: unixNs(measures.baseUnixNs),
    samples: [...samples, ...processSamples(hosts, samples)],
    hosts,
    quotas: quotaUses(measures),
    processes: measuredProcesses(measures),
  };
}

/** The share of an event loop by its counters of active and idle time, where they and the processor time are sent. */
function loopOf(all: readonly ServiceMeasure[] | undefined, stretch: number | undefined): Float64Array | undefined {
  const [active, idle, used] = [
    valuesOf(all, "event-loop-active"),
    valuesOf(all, "event-loop-idle"),
    valuesOf(all, "cpu-used"),
  ];
  if (active === undefined || idle === undefined || used === undefined || stretch === undefined) return undefined;
  return loopShare(
    active.map((value, w) => value / (value + idle[w]!)),
    used,
    stretch,
  );
}

/** Processes without a limit of their own, and without an event loop: all processors of their machine are theirs to use. */
function processSamples(hosts: readonly HostUse[], samples: readonly ResourceSample[]): ResourceSample[] {
  const known = new Set(
    samples.filter(({ resource }) => resource === "cpu" || resource === "event-loop").map(({ service }) => service),
  );
  return hosts.flatMap(({ host, cores, startNs, windowNs, byService: services }) =>
    [...services].flatMap(([service, used]) =>
      known.has(service)
        ? []
        : Array.from(used, (value, w): ResourceSample => {
            const place = { service, instance: "", host, resource: "cpu" as const, capacity: cores };
            return { ...place, windowStartNs: startNs[w]!, windowNs, utilisation: value / cores };
          }).filter(({ utilisation }) => Number.isFinite(utilisation)),
    ),
  );
}

const key = (service: string, instance: string): string => JSON.stringify([service, instance]);

/** How many wait for a connection of this pool; metrics that do not name their pool stand under "database". */
const waitingFor = (all: readonly ServiceMeasure[] | undefined, pool: string): Float64Array | undefined =>
  valuesOf(
    all?.filter(({ resource }) => resource === pool || (resource === "" && pool === "database")),
    "pool-waiting",
  );
