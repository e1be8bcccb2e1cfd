import { erlangC } from "../../analysis/queueing-network.ts";
import type { HostUse, ResourceSamples } from "../../model/resource-samples.ts";
import type { Window } from "../window.ts";
import { requestLoad } from "./request-load.ts";
import type { ResourceUse } from "./resource-use.ts";
import { mapToFloats } from "../../model/map-column.ts";

/** The processors of one machine, with who uses them. */
export interface HostResource {
  readonly use: ResourceUse;
  /** the same of the processes of each service */
  readonly parts: readonly ResourceUse[];
  /** by service of the spans, database or not: share of what they use together */
  readonly shares: ReadonlyMap<string, number>;
  /** cores that each measured process uses which no request makes work */
  readonly others: ReadonlyMap<string, number>;
  /** cores that others use and do not yield */
  readonly othersCores: number;
  /** cores that others use at all */
  readonly othersSeen: number;
  /** whether loops tell how long work waits for these processors */
  readonly isWaitKnown: boolean;
}

/** Less than this of a processor is what counters differ by. */
const NOTHING = 0.02;

/**
 * Machines with services of the spans on them. `known`: services and databases that requests make work; whatever else
 * runs there is somebody else's. Its part is capacity that requests cannot have, unless it yields: a machine
 * may be full of work of a lower priority and keep nobody waiting. How long work waits for a processor says
 * how many cores are really taken before it: residence over work of M/M/m is 1 + C(m, a) / (m - a) for a of m cores.
 */
export function hostResources(
  window: Window,
  resources: ResourceSamples | undefined,
  known: ReadonlySet<string>,
): HostResource[] {
  if (resources?.hosts === undefined) return [];
  const shiftNs = Number(resources.baseUnixNs - window.spans.baseUnixNs);
  return resources.hosts.flatMap((host) => {
    const found = hostResource(window, host, shiftNs, known);
    return found === undefined ? [] : [found];
  });
}

function hostResource(
  window: Window,
  host: HostUse,
  shiftNs: number,
  known: ReadonlySet<string>,
): HostResource | undefined {
  const { fromNs, toNs } = requestLoad(window);
  const own = [...host.byService].filter(([service]) => known.has(service));
  if (own.length === 0) return undefined;
  const windows = Array.from(host.startNs, (_, w) => w).filter((w) => {
    const start = host.startNs[w]! + shiftNs;
    const isWithin = start >= fromNs && start + host.windowNs <= toNs;
    return isWithin && Number.isFinite(host.busy[w]!) && own.some(([, used]) => Number.isFinite(used[w]!));
  });
  if (windows.length === 0) return undefined;
  const usedBy = own.map(([service, used]) => ({ service, used: windows.map((w) => used[w]! || 0) }));
  const busy = mapToFloats(windows, (_, i) => usedBy.reduce((sum, { used }) => sum + used[i]!, 0));
  const all = mapToFloats(windows, (w) => host.busy[w]!);
  const [mean, ownMean] = [meanOf(all), meanOf(busy)];
  const othersSeen = Math.max(0, mean - ownMean);
  const taken = Number.isNaN(host.activePerUsed) ? mean : coresTaken(host.cores, host.activePerUsed);
  const others = Math.min(othersSeen, Math.max(0, taken - ownMean));
  const measured = all.map((b) => b / host.cores);
  const use: ResourceUse = {
    service: host.host,
    resource: "cpu",
    source: "metrics",
    isEventLoop: false,
    instances: 1,
    capacityEach: host.cores,
    isCapacityKnown: true,
    utilisation: mean / host.cores,
    worstUtilisation: measured.reduce((a, b) => Math.max(a, b), 0),
    shareAboveLine: measured.filter((share) => share > 0.8).length / measured.length,
    startNs: mapToFloats(windows, (w) => host.startNs[w]! + shiftNs),
    widthNs: host.windowNs,
    busy,
    measured,
  };
  return {
    use,
    parts: usedBy.map(({ service, used }) => ({ ...use, service, busy: Float64Array.from(used) })),
    shares: new Map(usedBy.map(({ service, used }) => [service, ownMean > 0 ? meanOf(used) / ownMean : 0])),
    others: new Map(
      [...host.byService].flatMap(([service, used]) =>
        known.has(service) ? [] : [[service, meanOf(windows.map((w) => used[w]! || 0))] as const],
      ),
    ),
    othersCores: others < NOTHING ? 0 : others,
    othersSeen,
    isWaitKnown: !Number.isNaN(host.activePerUsed),
  };
}

/** Cores in use of M/M/m whose work stays `stretch` times as long as it takes. */
export function coresTaken(cores: number, stretch: number): number {
  if (!(stretch > 1)) return 0;
  let [low, high] = [0, cores];
  for (let i = 0; i < 50; i++) {
    const busy = (low + high) / 2;
    const now = 1 + erlangC(cores, busy) / (cores - busy);
    if (now < stretch) low = busy;
    else high = busy;
  }
  return low;
}

const meanOf = (values: ArrayLike<number>): number => {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]!;
  return values.length === 0 ? 0 : sum / values.length;
};
