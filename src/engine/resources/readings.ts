import type { Mechanism } from "../../model/report.ts";
import { meanOfTop } from "../../analysis/robust-deviation.ts";
import { growthOf } from "../../analysis/steady-growth.ts";
import { percent } from "../wording.ts";
import {
  eventLoopShare,
  largestOf,
  meanOf,
  measureOf,
  type ServiceMeasure,
  type ServiceMeasures,
  valuesOf,
} from "./service-measures.ts";

/** How used up one resource of a service is, by metrics. */
export interface ResourceReading {
  readonly service: string;
  readonly host: string;
  /** as in the report: "cpu", "event-loop", "pool:NAME", "quota", "memory", "disk", "gc", "host-cpu" */
  readonly resource: string;
  /** what it is when it is used up */
  readonly mechanism: Mechanism;
  /** share of the capacity in use per window, NaN where not known */
  readonly utilisation: Float64Array;
  /** from here on queues form */
  readonly line: number;
  /** whether it is used up in the worse half of the windows */
  readonly saturated: boolean;
  /** cores, connections; NaN where only the share is known */
  readonly capacity: number;
  readonly text: string;
  readonly metrics: readonly string[];
}

/** Where queues form: a processor at four fifths doubles its response times at random arrivals (1 / (1 - 0.8) = 5 of 1). */
const CPU_LINE = 0.8;
const LOOP_LINE = 0.8;
const POOL_LINE = 0.9;
const MEMORY_LINE = 0.9;
const DISK_LINE = 0.8;
/** A tenth of the time for collecting garbage, or stopped by a quota, shows in every tail. */
const GC_LINE = 0.1;
const THROTTLE_LINE = 0.1;
const HOST_LINE = 0.9;
/** Memory of a process that warms up grows by less. */
const LEAK_BYTES = 30e6;
/** A loop that is always active uses a whole core; one with less than half of one waits for it. */
const STARVED = 0.5;
/**
 * Share of the time in which an event loop is awake that its process has to go without a processor to say that it is kept
 * from working: a loop that gets one at once computes for nearly as long as it is awake, waits for its own threads included.
 */
const KEPT_WAITING = 0.3;
/** A loop that is awake for less tells nothing of how long it waits. */
const AWAKE = 0.05;
/** A loop that stands still this long at a time is blocked rather than busy, seconds. */
const BLOCKED_S = 0.1;

/** Every resource of every service of which the metrics tell how far it is used. */
export function resourceReadings(all: ServiceMeasures): ResourceReading[] {
  const cores = coresOfHosts(all);
  return [...all.services].flatMap(([service, measures]) =>
    [
      cpu(service, measures),
      quota(service, measures),
      eventLoop(service, measures, busyShare(cores.get(hostOf(measures)))),
      garbage(service, measures),
      ...pools(service, measures),
      memory(service, measures),
      leak(service, measures),
      disk(service, measures),
      connections(service, measures),
      neighbours(all, service, measures, cores),
    ].filter((reading) => reading !== undefined),
  );
}

const hostOf = (measures: readonly ServiceMeasure[]): string =>
  measures.flatMap((one) => one.instances).find((one) => one.host !== "")?.host ?? "";

/** Mean of the worse half of the windows. */
const worse = (values: Float64Array): number => {
  const known = values.filter((value) => Number.isFinite(value));
  return meanOfTop(known, Math.max(1, known.length >> 1));
};

type Draft = Omit<ResourceReading, "service" | "host" | "saturated" | "capacity" | "text"> & {
  readonly capacity?: number;
  readonly what: string;
};

function reading(service: string, measures: readonly ServiceMeasure[], draft: Draft): ResourceReading {
  const level = worse(draft.utilisation);
  return {
    ...draft,
    service,
    host: hostOf(measures),
    capacity: draft.capacity ?? Number.NaN,
    saturated: level >= draft.line,
    text: `${draft.what}: ${percent(meanOf(draft.utilisation))} on average, ${percent(level)} in the worse half of the time, at most ${percent(largestOf(draft.utilisation))}`,
  };
}

function cpu(service: string, measures: readonly ServiceMeasure[]): ResourceReading | undefined {
  const share = measureOf(measures, "cpu-share");
  const used = measureOf(measures, "cpu-used");
  const limit = valuesOf(measures, "cpu-limit");
  const common = { resource: "cpu", mechanism: "cpu-saturated" as const, line: CPU_LINE };
  if (used !== undefined && limit !== undefined) {
    const utilisation = used.values.map((value, i) => value / limit[i]!);
    const what = `CPU of ${service} against its limit`;
    return reading(service, measures, { ...common, utilisation, capacity: meanOf(limit), what, metrics: used.metrics });
  }
  if (share === undefined) return undefined;
  const what = `CPU of ${service}`;
  return reading(service, measures, { ...common, utilisation: share.values, what, metrics: share.metrics });
}

function quota(service: string, measures: readonly ServiceMeasure[]): ResourceReading | undefined {
  const periods = valuesOf(measures, "quota-periods");
  const stopped = measureOf(measures, "throttled-periods");
  const time = measureOf(measures, "throttled-time");
  const share = measureOf(measures, "throttled-share");
  const common = { resource: "quota", mechanism: "cpu-throttled" as const, line: THROTTLE_LINE };
  if (stopped !== undefined && periods !== undefined) {
    // No period is no stop; periods that are not known, as before the second point, are neither.
    const utilisation = stopped.values.map((value, i) => (periods[i] === 0 ? 0 : value / periods[i]!));
    const what = `periods in which its quota stopped ${service}`;
    return reading(service, measures, { ...common, utilisation, what, metrics: stopped.metrics });
  }
  const found = share ?? time;
  if (found === undefined) return undefined;
  const what = `time in which its quota stopped ${service}`;
  return reading(service, measures, { ...common, utilisation: found.values, what, metrics: found.metrics });
}

function eventLoop(
  service: string,
  measures: readonly ServiceMeasure[],
  machine: Float64Array | undefined,
): ResourceReading | undefined {
  const share = eventLoopShare(measures);
  const delay = measureOf(measures, "event-loop-delay");
  const isBlocked = delay !== undefined && worse(delay.values) >= BLOCKED_S;
  if (share === undefined) return undefined;
  // A loop counts as active while its process waits for a processor, too: that is not its own work.
  const cores = valuesOf(measures, "cpu-used");
  const isIdle = cores !== undefined && worse(cores) < STARVED;
  const isBusy = worse(share.values) >= LOOP_LINE && !isIdle;
  // Pauses of one that hardly computes, on a machine without a processor to spare, are not its own either.
  const isStarved = isIdle && machine !== undefined && worse(machine) >= HOST_LINE && isKeptWaiting(measures);
  const found = reading(service, measures, {
    resource: "event-loop",
    mechanism: isBlocked && !isBusy ? "event-loop-blocked" : "cpu-saturated",
    utilisation: share.values,
    line: LOOP_LINE,
    capacity: 1,
    what: `event loop of ${service}`,
    metrics: share.metrics,
  });
  if (!isBlocked || isBusy || isStarved) return { ...found, saturated: isBusy };
  const text = `${found.text}; it stands still for up to ${Math.round(1000 * largestOf(delay.values))} ms`;
  return { ...found, saturated: true, text, metrics: [...share.metrics, ...delay.metrics] };
}

function garbage(service: string, measures: readonly ServiceMeasure[]): ResourceReading | undefined {
  const time = measureOf(measures, "gc-time");
  if (time === undefined) return undefined;
  // Several instances' collections sum up: what counts is the time of each.
  const utilisation = time.values.map((value) => value / Math.max(1, time.instances.length));
  return reading(service, measures, {
    resource: "gc",
    mechanism: "garbage-collection",
    utilisation,
    line: GC_LINE,
    what: `time that ${service} collects garbage`,
    metrics: time.metrics,
  });
}

function pools(service: string, measures: readonly ServiceMeasure[]): ResourceReading[] {
  const names = new Set(
    measures.filter((one) => /^pool-(used|waiting|max)$/.test(one.measure)).map((one) => one.resource),
  );
  return [...names].flatMap((name) => {
    const used = measureOf(measures, "pool-used", name);
    const idle = valuesOf(
      measures.filter((one) => one.resource === name),
      "pool-idle",
    );
    const most = measureOf(measures, "pool-max", name) ?? measures.find((one) => one.measure === "pool-max");
    const waiting = measureOf(measures, "pool-waiting", name);
    if (used === undefined) return [];
    // Pools that do not tell their size are as large as they ever were.
    const size =
      most === undefined ? largestOf(used.values.map((value, i) => value + (idle?.[i] || 0))) : meanOf(most.values);
    if (!(size > 0)) return [];
    const queued = waiting === undefined ? 0 : worse(waiting.values);
    const label = name === "" ? "database" : name;
    const found = reading(service, measures, {
      resource: `pool:${label}`,
      mechanism: "pool-exhausted",
      utilisation: used.values.map((value) => value / size),
      line: POOL_LINE,
      capacity: size,
      what: `connections of ${service} to ${label} in use, of ${Math.round(size)}`,
      metrics: [...used.metrics, ...(waiting?.metrics ?? [])],
    });
    const text = waiting === undefined ? found.text : `${found.text}; ${queued.toFixed(1)} requests wait for one`;
    // Full is not too small: somebody has to wait. Both are snapshots: a queue of milliseconds shows in few of them.
    const someWait = waiting === undefined ? most !== undefined : largestOf(waiting.values) >= 1;
    return [{ ...found, text, saturated: (found.saturated && someWait) || queued >= 1 }];
  });
}

function memory(service: string, measures: readonly ServiceMeasure[]): ResourceReading | undefined {
  const share = measureOf(measures, "memory-share");
  const used = measureOf(measures, "memory-used");
  const heap = measureOf(measures, "heap-used");
  const limit = valuesOf(measures, "memory-limit");
  const heapLimit = valuesOf(measures, "heap-limit");
  const common = { resource: "memory", mechanism: "memory-pressure" as const, line: MEMORY_LINE };
  const ratio = (a: ServiceMeasure, b: Float64Array): Float64Array => a.values.map((value, i) => value / b[i]!);
  if (share !== undefined)
    return reading(service, measures, {
      ...common,
      utilisation: share.values,
      what: `memory of ${service}`,
      metrics: share.metrics,
    });
  if (used !== undefined && limit !== undefined)
    return reading(service, measures, {
      ...common,
      utilisation: ratio(used, limit),
      what: `memory of ${service} against its limit`,
      metrics: used.metrics,
    });
  if (heap !== undefined && heapLimit !== undefined)
    return reading(service, measures, {
      ...common,
      utilisation: ratio(heap, heapLimit),
      what: `heap of ${service} against its limit`,
      metrics: heap.metrics,
    });
  return undefined;
}

/** Memory that grows all the time. */
function leak(service: string, measures: readonly ServiceMeasure[]): ResourceReading | undefined {
  const used = measureOf(measures, "heap-used") ?? measureOf(measures, "memory-used");
  if (used === undefined) return undefined;
  const growth = growthOf(used.values);
  if (growth === undefined || growth.tau < 0.85 || growth.factor < 1.5 || growth.increase < LEAK_BYTES)
    return undefined;
  const found = reading(service, measures, {
    resource: "memory",
    mechanism: "memory-leak",
    utilisation: used.values.map((value) => value / largestOf(used.values)),
    line: 0,
    what: `memory of ${service}`,
    metrics: used.metrics,
  });
  const mb = (bytes: number): string => `${Math.round(bytes / 1e6)} MB`;
  return {
    ...found,
    saturated: true,
    text: `memory of ${service} grows all the time: ${mb(growth.first)} -> ${mb(growth.last)} within the window (Kendall's tau ${growth.tau.toFixed(2)})`,
  };
}

function disk(service: string, measures: readonly ServiceMeasure[]): ResourceReading | undefined {
  const busy = measures
    .filter((one) => one.measure === "disk-busy")
    .toSorted((a, b) => worse(b.values) - worse(a.values))[0];
  if (busy === undefined) return undefined;
  const what = `disk ${busy.resource} of ${service}`;
  return reading(service, measures, {
    resource: "disk",
    mechanism: "disk-saturated",
    utilisation: busy.values,
    line: DISK_LINE,
    what,
    metrics: busy.metrics,
  });
}

function connections(service: string, measures: readonly ServiceMeasure[]): ResourceReading | undefined {
  const used = measureOf(measures, "db-connections");
  const most = valuesOf(measures, "db-connections-max");
  if (used === undefined || most === undefined) return undefined;
  const what = `connections of ${service}, of ${Math.round(meanOf(most))}`;
  const utilisation = used.values.map((value, i) => value / most[i]!);
  return reading(service, measures, {
    resource: "connections",
    mechanism: "pool-exhausted",
    utilisation,
    line: POOL_LINE,
    capacity: meanOf(most),
    what,
    metrics: used.metrics,
  });
}

function coresOfHosts(all: ServiceMeasures): Map<string, { busy: Float64Array; cores: Float64Array }> {
  const found = new Map<string, { busy: Float64Array; cores: Float64Array }>();
  for (const [host, measures] of all.hosts) {
    const busy = valuesOf(measures, "host-cpu-busy");
    const idle = valuesOf(measures, "host-cpu-idle");
    if (busy !== undefined && idle !== undefined)
      found.set(host, { busy, cores: busy.map((value, i) => value + idle[i]!) });
  }
  return found;
}

const busyShare = (machine: { busy: Float64Array; cores: Float64Array } | undefined): Float64Array | undefined =>
  machine?.busy.map((value, i) => value / machine.cores[i]!);

/** The machine is busy, and not with what is known to run for this system. */
function neighbours(
  all: ServiceMeasures,
  service: string,
  measures: readonly ServiceMeasure[],
  hosts: ReturnType<typeof coresOfHosts>,
): ResourceReading | undefined {
  const host = hostOf(measures);
  const machine = hosts.get(host);
  if (machine === undefined || valuesOf(measures, "cpu-used") === undefined) return undefined;
  const known = new Float64Array(all.grid.count);
  for (const others of all.services.values()) {
    for (const instance of measureOf(others, "cpu-used")?.instances ?? []) {
      if (instance.host === host) for (let i = 0; i < known.length; i++) known[i]! += instance.values[i]! || 0;
    }
  }
  const foreign = machine.busy.map((value, i) => Math.max(0, value - known[i]!));
  const foreignShare = meanOf(foreign) / meanOf(machine.busy);
  const isNeighbour = foreignShare >= 0.35;
  const found = reading(service, measures, {
    resource: "host-cpu",
    mechanism: isNeighbour ? "noisy-neighbour" : "run-queue",
    utilisation: busyShare(machine)!,
    line: HOST_LINE,
    capacity: meanOf(machine.cores),
    what: `CPU of ${host}`,
    metrics: measureOf(all.hosts.get(host), "host-cpu-busy")!.metrics,
  });
  return {
    ...found,
    saturated: found.saturated && isKeptWaiting(measures),
    text: `${found.text}; ${percent(foreignShare)} of it is used by what is none of this system's processes`,
  };
}

/**
 * Whether a process waits for a processor: a busy machine is none that its services feel where those with a higher priority
 * or a share of their own get one at once. True where nothing tells.
 */
function isKeptWaiting(measures: readonly ServiceMeasure[]): boolean {
  const awake = meanOf(valuesOf(measures, "event-loop-active"));
  const computes = meanOf(valuesOf(measures, "cpu-used"));
  return !(awake >= AWAKE) || 1 - computes / awake >= KEPT_WAITING;
}
