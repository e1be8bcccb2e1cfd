import { quotaFromStops } from "../../analysis/quota-from-stops.ts";
import { selfTimes } from "../../analysis/self-time.ts";
import { quantileOf } from "../../analysis/weighted-quantile.ts";
import type { QuotaUse, ResourceSamples } from "../../model/resource-samples.ts";
import { SpanRole } from "../../model/span-facts.ts";
import { NS_PER_S } from "../../model/units.ts";
import type { Window } from "../window.ts";
import { requestLoad } from "./request-load.ts";
import type { ResourceUse } from "./resource-use.ts";
import { mapToFloats } from "../../model/map-column.ts";

/** A quota with its use, and between what it may lie where it was told by its stops. */
export interface QuotaResource {
  readonly use: ResourceUse;
  /** lowest and highest capacity over the one that is taken */
  readonly low: number;
  readonly high: number;
}

/** A quota that stops a process in fewer of its periods is none that matters. */
const MIN_STOPPED = 0.01;

/**
 * Quotas that stopped their service. Where no metric tells how large one is, it is what would have stopped the work that the
 * spans began in each of its periods as often as it was stopped.
 */
export function quotaResources(window: Window, resources: ResourceSamples | undefined): QuotaResource[] {
  if (resources?.quotas === undefined) return [];
  const shiftNs = Number(resources.baseUnixNs - window.spans.baseUnixNs);
  return resources.quotas.flatMap((quota) => {
    if (!(quota.stoppedShare >= MIN_STOPPED)) return [];
    const { fromNs, toNs } = requestLoad(window);
    const windows = Array.from(quota.startNs, (_, w) => w).filter((w) => {
      const start = quota.startNs[w]! + shiftNs;
      return start >= fromNs && start + quota.windowNs <= toNs && Number.isFinite(quota.used[w]!);
    });
    if (windows.length === 0) return [];
    const busy = mapToFloats(windows, (w) => quota.used[w]!);
    const size = sizeOf(window, quota, busy.reduce((a, b) => a + b, 0) / busy.length);
    if (size === undefined) return [];
    const total = size.value * quota.instances;
    const shares = busy.map((b) => b / total);
    const use: ResourceUse = {
      service: quota.service,
      resource: "quota",
      source: "metrics",
      isEventLoop: false,
      instances: quota.instances,
      capacityEach: size.value,
      isCapacityKnown: true,
      utilisation: shares.reduce((a, b) => a + b, 0) / shares.length,
      worstUtilisation: shares.reduce((a, b) => Math.max(a, b), 0),
      shareAboveLine: shares.filter((share) => share > 0.8).length / shares.length,
      startNs: mapToFloats(windows, (w) => quota.startNs[w]! + shiftNs),
      widthNs: quota.windowNs,
      busy,
      measured: shares,
    };
    return [{ use, low: size.low / size.value, high: size.high / size.value }];
  });
}

/** Cores of the quota of one instance, by the metric or by its stops. */
function sizeOf(
  window: Window,
  { service, cores, instances, periodsPerSecond, stoppedShare }: QuotaUse,
  used: number,
): { value: number; low: number; high: number } | undefined {
  if (cores > 0) return { value: cores, low: cores, high: cores };
  const periodS = 1 / periodsPerSecond;
  const work = workByPeriod(window, service, periodS * NS_PER_S);
  const asked = work.reduce((a, b) => a + b, 0);
  if (!(asked > 0)) return undefined;
  // Spans tell when there was work and how much of it in relation; the counter tells how much in all.
  const scale = (used * periodS * work.length) / instances / asked;
  const found = quotaFromStops(
    work.map((w) => w * scale),
    stoppedShare,
  );
  if (found === undefined) return undefined;
  return { value: found.value / periodS, low: found.low / periodS, high: found.high / periodS };
}

/** Work of a service that begins in each period, in its usual time by operation: a stop makes a span longer, not its work. */
function workByPeriod(window: Window, service: string, periodNs: number): Float64Array {
  const { forest, paths, text } = window;
  const { facts, startNs } = forest;
  const { fromNs, toNs } = requestLoad(window);
  const own = selfTimes(forest);
  const byNode = new Map<number, number[]>();
  for (const row of forest.rows) {
    const role = facts.role[row]!;
    const isWork = role === SpanRole.server || role === SpanRole.internal || role === SpanRole.consumer;
    if (!isWork || text(facts.service[row]!) !== service) continue;
    const node = paths.nodeOfRow[row]!;
    const held = byNode.get(node);
    if (held === undefined) byNode.set(node, [row]);
    else held.push(row);
  }
  const work = new Float64Array(Math.max(0, Math.floor((toNs - fromNs) / periodNs)));
  for (const rows of byNode.values()) {
    const usual = quantileOf(
      mapToFloats(rows, (row) => own[row]!),
      0.5,
    );
    for (const row of rows) {
      const period = Math.floor((startNs[row]! - fromNs) / periodNs);
      if (period >= 0 && period < work.length) work[period]! += usual;
    }
  }
  return work;
}
