import type { ResourceKind, ResourceSample } from "../../model/resource-samples.ts";
import { NS_PER_MS } from "../../model/units.ts";
import type { EventQueue } from "./event-queue.ts";
import type { Runtime } from "./runtime.ts";
import type { Semaphore } from "./stations.ts";

/** A counter of busy capacity × ms, and what it counts. */
interface Meter {
  readonly service: string;
  readonly instance: string;
  readonly host: string;
  readonly resource: ResourceKind;
  readonly capacity: number;
  readonly busyMs: () => number;
  readonly queuedMs: () => number;
  last: { busyMs: number; queuedMs: number };
}

/**
 * Looks at all stations every `everyMs` until the end of the window, and returns the list that fills meanwhile: CPU (of an
 * event loop its own), pools, worker threads, and the CPU of databases; what metrics of a real system count, no more.
 */
export function sampleStations(
  runtime: Runtime,
  events: EventQueue,
  everyMs: number,
  windowMs: number,
): ResourceSample[] {
  const samples: ResourceSample[] = [];
  const meters = metersOf(runtime);
  const look = (from: number): void => {
    for (const meter of meters) samples.push(readMeter(meter, from, events.now - from));
    if (events.now + everyMs <= windowMs) events.after(everyMs, () => look(from + everyMs));
  };
  if (everyMs <= windowMs) events.at(everyMs, () => look(0));
  return samples;
}

function readMeter(meter: Meter, fromMs: number, lengthMs: number): ResourceSample {
  const { service, instance, host, resource, capacity, last } = meter;
  const now = { busyMs: meter.busyMs(), queuedMs: meter.queuedMs() };
  meter.last = now;
  return {
    service,
    instance,
    host,
    resource,
    windowStartNs: fromMs * NS_PER_MS,
    windowNs: lengthMs * NS_PER_MS,
    utilisation: (now.busyMs - last.busyMs) / lengthMs / capacity,
    capacity,
    waiting: (now.queuedMs - last.queuedMs) / lengthMs,
  };
}

function metersOf(runtime: Runtime): Meter[] {
  const meters: Meter[] = [];
  const start = { busyMs: 0, queuedMs: 0 };
  for (const [service, instances] of runtime.instances) {
    for (const { id, host, spec, cpu, workers, pools } of instances) {
      const at = { service, instance: id, host, last: start };
      const resource = spec.cpu === "event-loop" ? "event-loop" : "cpu";
      meters.push({ ...at, resource, capacity: cpu.servers, busyMs: () => cpu.busyMs(), queuedMs: () => 0 });
      if (workers.capacity > 0) meters.push({ ...at, resource: "threads", ...ofPermits(workers) });
      for (const [name, pool] of pools) {
        if (pool.capacity > 0) meters.push({ ...at, resource: `pool:${name}`, ...ofPermits(pool) });
      }
    }
  }
  for (const [service, { station }] of runtime.databases) {
    const at = { service, instance: "", host: service, last: start };
    const counters = { busyMs: () => station.busyMs(), queuedMs: () => 0 };
    meters.push({ ...at, resource: "cpu", capacity: station.servers, ...counters });
  }
  return meters;
}

function ofPermits(permits: Semaphore): Pick<Meter, "capacity" | "busyMs" | "queuedMs"> {
  return {
    capacity: permits.capacity,
    busyMs: () => {
      permits.account();
      return permits.heldMs;
    },
    queuedMs: () => permits.queuedMs,
  };
}
