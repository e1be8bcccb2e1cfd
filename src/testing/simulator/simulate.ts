import type { ResourceSamples } from "../../model/resource-samples.ts";
import type { SpanTable } from "../../model/span-table.ts";
import { EventQueue } from "./event-queue.ts";
import { Interpreter, type Request } from "./interpreter.ts";
import { Draws, mixKey, nameKey } from "./random.ts";
import { Runtime } from "./runtime.ts";
import { SpanWriter } from "./span-writer.ts";
import { sampleStations } from "./station-samples.ts";
import type { SystemSpec } from "./system.ts";
import { numberSteps } from "./system-walk.ts";

export interface RunOptions {
  readonly seed: number;
  /** arrivals of all endpoints; the window is as long as they take */
  readonly requests: number;
  /** when the window starts, ms after a common base; a baseline starts earlier */
  readonly startMs?: number;
  /** how often the stations are looked at, as a host's metrics would be; absent: never */
  readonly sampleEveryMs?: number;
}

export interface Run {
  readonly table: SpanTable;
  /** one element per request, in the order of arrival */
  readonly roots: RootLog;
  /** nominal length of the window: requests / rate */
  readonly windowMs: number;
  readonly usage: readonly Usage[];
  /** what metrics of hosts and pools would say, within the nominal window; none unless asked for */
  readonly resources: ResourceSamples;
  readonly spans: { readonly opened: number; readonly written: number; readonly unsampled: number };
  readonly events: number;
}

/** What the requester saw, kept apart from the spans. */
export interface RootLog {
  /** row of `endpoints` */
  readonly endpoint: Uint8Array;
  readonly arrivalMs: Float64Array;
  /** of the root span: a wait for a worker before it is not in it */
  readonly durationMs: Float64Array;
  /** until the last consumer was done, where there is one; else the duration */
  readonly flowMs: Float64Array;
  readonly failed: Uint8Array;
}

/** What a station or semaphore had to do, for the theory's checks and for sizing faults. */
export interface Usage {
  readonly name: string;
  /** servers or permits; 0 = no limit */
  readonly capacity: number;
  /** mean number of busy servers or held permits, over the nominal window */
  readonly meanBusy: number;
  readonly meanWaitMs: number;
}

/**
 * Runs a system for a number of open-loop arrivals until the last of them is
 * done, and returns its spans. The same spec, seed and number give the same
 * result, and runs of two variants of a spec share all draws of the steps that
 * they have in common. `system` gets its steps numbered; else it is not changed.
 */
export function simulate(system: SystemSpec, options: RunOptions): Run {
  const { seed, requests } = options;
  numberSteps(system);
  const windowMs = (requests / system.ratePerSecond) * 1000;
  const events = new EventQueue();
  const writer = new SpanWriter(seed, system.telemetry.headSampling, options.startMs ?? 0);
  const runtime = new Runtime(system, writer, events, seed, windowMs);
  const roots: RootLog = {
    endpoint: new Uint8Array(requests),
    arrivalMs: arrivals(system, seed, requests),
    durationMs: new Float64Array(requests).fill(-1),
    flowMs: new Float64Array(requests),
    failed: new Uint8Array(requests),
  };
  const finished = (request: Request, durationMs: number, failed: boolean): void => {
    roots.durationMs[request.index] = durationMs;
    roots.failed[request.index] = failed ? 1 : 0;
  };
  const interpreter = new Interpreter(system, events, writer, runtime, windowMs, finished);
  const admitted: Request[] = [];
  const admit = (index: number): void => {
    const request = newRequest(system, writer, seed, index);
    admitted.push(request);
    roots.endpoint[index] = request.endpoint;
    if (index + 1 < requests) events.at(roots.arrivalMs[index + 1]!, () => admit(index + 1));
    interpreter.arrive(request);
  };
  if (requests > 0) events.at(roots.arrivalMs[0]!, () => admit(0));
  const samples =
    options.sampleEveryMs === undefined ? [] : sampleStations(runtime, events, options.sampleEveryMs, windowMs);
  const count = events.run();
  for (const { index, firstStartMs, lastEndMs } of admitted) roots.flowMs[index] = lastEndMs - firstStartMs;
  const spans = { opened: writer.opened, written: writer.written, unsampled: writer.unsampled };
  const resources = { baseUnixNs: writer.baseUnixNs, samples };
  const usage = usageOf(runtime, windowMs);
  return { table: writer.finish(), roots, windowMs, usage, resources, spans, events: count };
}

function newRequest(system: SystemSpec, writer: SpanWriter, seed: number, index: number): Request {
  const key = mixKey(mixKey(seed, nameKey("request")), index);
  const draws = new Draws(key, nameKey("identity"));
  let endpoint = 0;
  let left = draws.uniform();
  while (endpoint < system.endpoints.length - 1 && (left -= system.endpoints[endpoint]!.share) >= 0) endpoint++;
  const sampled = draws.chance(system.telemetry.headSampling);
  const attributes = new Map<string, string>();
  for (const { key: name, values } of system.requestAttributes) {
    const total = values.reduce((sum, { weight }) => sum + weight, 0);
    let rest = draws.uniform() * total;
    attributes.set(name, (values.find(({ weight }) => (rest -= weight) < 0) ?? values.at(-1)!).value);
  }
  return { index, key, endpoint, trace: writer.newTrace(sampled), attributes, firstStartMs: -1, lastEndMs: -1 };
}

/** Poisson, or Poisson bursts of 1–9 requests within some 20 ms at the same mean rate. */
function arrivals(system: SystemSpec, seed: number, requests: number): Float64Array {
  const draws = new Draws(seed, nameKey("arrivals"));
  const gap = 1000 / system.ratePerSecond;
  const out = new Float64Array(requests);
  let now = 0;
  for (let i = 0; i < requests;) {
    const burst = system.arrivals === "bursty" ? draws.whole(1, 9) : 1;
    // the mean burst has 5 requests, so bursts come 5 times as rarely
    now += draws.exponential(system.arrivals === "bursty" ? 5 * gap : gap);
    for (let j = 0; j < burst && i < requests; j++) out[i++] = now + (j === 0 ? 0 : draws.exponential(20));
  }
  return out.sort();
}

function usageOf(runtime: Runtime, windowMs: number): Usage[] {
  const out: Usage[] = [];
  const permits = (
    name: string,
    semaphores: { capacity: number; heldMs: number; acquired: number; waitMs: number }[],
  ): void => {
    let held = 0;
    let acquired = 0;
    let waitMs = 0;
    let capacity = 0;
    for (const semaphore of semaphores) {
      held += semaphore.heldMs;
      acquired += semaphore.acquired;
      waitMs += semaphore.waitMs;
      capacity += semaphore.capacity;
    }
    out.push({ name, capacity, meanBusy: held / windowMs, meanWaitMs: acquired === 0 ? 0 : waitMs / acquired });
  };
  for (const [service, instances] of runtime.instances) {
    const work = instances.reduce((sum, { cpu }) => sum + cpu.workMs, 0);
    const capacity = instances.reduce((sum, { cpu }) => sum + cpu.servers, 0);
    out.push({ name: `cpu:${service}`, capacity, meanBusy: work / windowMs, meanWaitMs: NaN });
    permits(
      `workers:${service}`,
      instances.map(({ workers }) => workers),
    );
    for (const pool of instances[0]?.pools.keys() ?? [])
      permits(
        `pool:${service}:${pool}`,
        instances.map(({ pools }) => pools.get(pool)!),
      );
    const locks = new Set(instances.flatMap((instance) => [...instance.lockNames].map(([name]) => name)));
    for (const name of locks)
      permits(
        `lock:${service}:${name}`,
        instances.map((instance) => instance.lock(name)),
      );
  }
  for (const [name, { station, rowLocks }] of runtime.databases) {
    out.push({ name: `db:${name}`, capacity: station.servers, meanBusy: station.workMs / windowMs, meanWaitMs: NaN });
    for (const [lock, semaphore] of rowLocks) permits(`row:${name}:${lock}`, [semaphore]);
  }
  for (const [name, semaphore] of runtime.consumers) permits(`consumers:${name}`, [semaphore]);
  return out;
}
