import { rankCorrelation } from "../../analysis/rank-correlation.ts";
import type { HostUse, MeasuredProcess, QuotaUse } from "../../model/resource-samples.ts";
import type { Measures } from "./read-measures.ts";
import { byService, meanOf, measureOf, type ServiceMeasures, valuesOf } from "./service-measures.ts";
import { mapToFloats } from "../../model/map-column.ts";

/** Processors of each machine of which busy and idle time are known, with the part of each service measured on it. */
export function hostUses(measures: Measures): HostUse[] {
  const all = byService(measures);
  const { grid } = all;
  const startNs = mapToFloats({ length: grid.count }, (_, w) => grid.startNs + w * grid.stepNs);
  return [...all.hosts].flatMap(([host, machine]): HostUse[] => {
    const busy = valuesOf(machine, "host-cpu-busy");
    const idle = valuesOf(machine, "host-cpu-idle");
    if (busy === undefined || idle === undefined) return [];
    // Counters are read a moment too early or too late; there are whole processors.
    const cores = Math.round(meanOf(busy.map((value, w) => value + idle[w]!)));
    if (!(cores >= 1)) return [];
    const own = { host, cores, startNs, windowNs: grid.stepNs, busy };
    const activeLoops = coresOn(all, host, "event-loop-active");
    const processors = measures.processors.get(host)?.size;
    const clocks = { loopSeconds: loopSeconds(all, host), ...(processors === undefined ? {} : { processors }) };
    return [
      {
        ...own,
        byService: coresOn(all, host, "cpu-used"),
        activePerUsed: activePerUsed(all, host),
        activeLoops,
        ...clocks,
      },
    ];
  });
}

/** Cores by the processes of each service on a machine, together; NaN where none of them was counted then. */
function coresOn(
  all: ServiceMeasures,
  host: string,
  measure: "cpu-used" | "event-loop-active",
): Map<string, Float64Array> {
  const used = new Map<string, Float64Array>();
  for (const [service, measures] of all.services) {
    const here = (measureOf(measures, measure)?.instances ?? []).filter((instance) => instance.host === host);
    if (here.length === 0) continue;
    const sum = new Float64Array(all.grid.count).fill(Number.NaN);
    for (const { values } of here) {
      values.forEach((value, w) => {
        if (Number.isFinite(value)) sum[w] = (Number.isNaN(sum[w]!) ? 0 : sum[w]!) + value;
      });
    }
    used.set(service, sum);
  }
  return used;
}

/** A loop is active or idle all the time: as long as the clock says, if both are counted in the unit that they say. */
function loopSeconds(all: ServiceMeasures, host: string): Map<string, number> {
  const seconds = new Map<string, number>();
  for (const [service, measures] of all.services) {
    const [active, idle] = [measureOf(measures, "event-loop-active"), measureOf(measures, "event-loop-idle")];
    if (active === undefined || idle === undefined) continue;
    if (!active.instances.every((instance) => instance.host === host)) continue;
    if (active.instances.length !== idle.instances.length) continue;
    const each = active.instances.flatMap((one) => {
      const other = idle.instances.find(({ instance }) => instance === one.instance);
      return other === undefined ? [] : [meanOf(one.values.map((value, w) => value + other.values[w]!))];
    });
    const mean = meanOf(each);
    if (Number.isFinite(mean)) seconds.set(service, mean);
  }
  return seconds;
}

/** A loop that hardly runs says little about how long it waits to. */
const MIN_USED = 0.02;

/**
 * How much longer event loops of a machine are active than they compute: what they wait for a processor counts as active.
 * Some block on files and partners besides, so that the lower one of the middle counts.
 */
function activePerUsed(all: ServiceMeasures, host: string): number {
  const ratios: number[] = [];
  for (const measures of all.services.values()) {
    const active = measureOf(measures, "event-loop-active");
    const used = measureOf(measures, "cpu-used");
    if (active === undefined || used === undefined) continue;
    if (!used.instances.every((instance) => instance.host === host)) continue;
    const [a, u] = [meanOf(active.values), meanOf(used.values)];
    if (u >= MIN_USED && a > 0) ratios.push(Math.max(1, a / u));
  }
  ratios.sort((a, b) => a - b);
  return ratios[(ratios.length - 1) >> 1] ?? Number.NaN;
}

/** Moves with the processor time, or it says something else than how busy the loop is. */
const MIN_CORRELATION = 0.5;

/**
 * Share of the time in which an event loop can do nothing else: what it computes, and what it waits for in calls that block
 * it. It counts as active while it waits for a processor, too (`stretch` times as long as it computes), which is
 * not its own. Some runtimes count a loop as active that only sleeps: that does not move with what it computes.
 */
export function loopShare(active: Float64Array, used: Float64Array, stretch: number): Float64Array {
  const seen = Array.from(active, (_, w) => w).filter((w) => Number.isFinite(active[w]!) && Number.isFinite(used[w]!));
  const r = rankCorrelation(
    mapToFloats(seen, (w) => active[w]!),
    mapToFloats(seen, (w) => used[w]!),
  );
  if (!(r >= MIN_CORRELATION))
    return used.map((value, w) => Math.min(value, Number.isNaN(active[w]!) ? value : active[w]!));
  return active.map((value, w) => Math.max(Math.min(value, used[w]!), value / Math.max(1, stretch || 1)));
}

/** Services that a quota stopped, or might have. */
export function quotaUses(measures: Measures): QuotaUse[] {
  const all = byService(measures);
  const { grid } = all;
  const startNs = mapToFloats({ length: grid.count }, (_, w) => grid.startNs + w * grid.stepNs);
  return [...all.services].flatMap(([service, of]): QuotaUse[] => {
    const stopped = measureOf(of, "throttled-periods");
    const periods = measureOf(of, "quota-periods");
    const used = measureOf(of, "cpu-used");
    if (stopped === undefined || periods === undefined || used === undefined) return [];
    const instances = periods.instances.length;
    const all = meanOf(periods.values);
    if (!(all > 0)) return [];
    return [
      {
        service,
        host: used.instances[0]!.host,
        instances,
        periodsPerSecond: all / instances,
        stoppedShare: meanOf(stopped.values) / all,
        cores: meanOf(valuesOf(of, "cpu-limit")) / instances,
        startNs,
        windowNs: grid.stepNs,
        used: used.values,
      },
    ];
  });
}

/** Services of which metrics count the processor time of processes. */
export function measuredProcesses(measures: Measures): MeasuredProcess[] {
  const hosts = new Map<string, Set<string>>();
  for (const { service, measure, host } of measures.series) {
    if (service === "" || !measure.startsWith("cpu-")) continue;
    const of = hosts.get(service) ?? new Set();
    if (host !== "") of.add(host);
    hosts.set(service, of);
  }
  return [...hosts].map(([service, of]) => ({
    service,
    hosts: [...of],
    programs: [...(measures.programs.get(service) ?? [])],
    ports: [...(measures.ports.get(service) ?? [])],
  }));
}
