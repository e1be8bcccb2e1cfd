import type { ResourceSamples } from "../../model/resource-samples.ts";
import type { SpanTable } from "../../model/span-table.ts";
import { Draws, mixKey, nameKey } from "../simulator/random.ts";
import { type Run, simulate } from "../simulator/simulate.ts";
import type { SystemSpec } from "../simulator/system.ts";
import { cloneSystem, loadTo, numberSteps, offeredWork, provision, serviceOf } from "../simulator/system-walk.ts";
import { chain } from "../simulator/systems/chain.ts";
import { shop } from "../simulator/systems/shop.ts";
import { threeTier } from "../simulator/systems/three-tier.ts";
import { worker } from "../simulator/systems/worker.ts";
import { percentiles } from "./case.ts";

/** A system at a moderate load, with what happens at more load and after a change of its limiter. */
export interface CapacityCase {
  readonly seed: number;
  readonly system: string;
  readonly table: SpanTable;
  readonly resources: ResourceSamples;
  readonly truth: CapacityTruth;
}

export interface CapacityTruth {
  /** how busy the limiter is at the load of the recording */
  readonly load: number;
  readonly limiter: ResourceName;
  /** requests per second at which the limiter is full */
  readonly ceilingPerSecond: number;
  /** what would limit next, and from when on */
  readonly next: ResourceName;
  readonly nextPerSecond: number;
  /** a change that gives the limiter room or takes work from it, in the grammar of what-if, and the re-run with it */
  readonly change: string;
  readonly afterChange: { readonly p50Ms: number; readonly p99Ms: number; readonly ceilingPerSecond: number };
  /** the first endpoint's p99 as it is, for scale */
  readonly nowP99Ms: number;
  readonly endpoint: { readonly service: string; readonly operation: string };
}

export interface ResourceName {
  readonly service: string;
  readonly resource: string;
}

const REQUESTS = 5000;
/** The mean of a demand is within 1 or 2 % then. */
const LIMIT_REQUESTS = 3000;
/** How often a host's metrics are read. */
const SAMPLE_MS = 1000;

/**
 * Draws a system whose limiter is a processor, a database or a pool of connections, and plays it at 35 to 60 (or, with
 * `busy`, 75 to 88) per cent of its limit, near the limit, and with the limiter changed.
 */
export function capacityCase(seed: number, busy = false): CapacityCase {
  const key = mixKey(nameKey("capacity"), seed);
  const draws = new Draws(key, 1);
  const shape = draws.pick([chain, shop, threeTier, worker]);
  const system = shape.build(new Draws(key, 2));
  system.telemetry.headSampling = 1;
  const kind = draws.pick(["service", "database", "pool"] as const);
  const place = kind === "pool" ? limitByPool(system, draws, key) : limitByWork(system, draws, kind);
  numberSteps(system);
  const target = busy ? draws.between(0.75, 0.88) : draws.between(0.35, 0.6);
  loadToLimiter(system, place, target, key);
  const run = simulate(cloneSystem(system), { seed: key, requests: REQUESTS, sampleEveryMs: SAMPLE_MS });
  const limit = nearLimit(system, key);
  const { changed, change } = relieve(system, place, draws);
  const after = play(changed, key, REQUESTS);
  const { service, operation } = system.endpoints[0]!;
  const unlimited = nearLimit(withoutLimit(system, place), key);
  return {
    seed,
    system: shape.name,
    table: run.table,
    resources: run.resources,
    truth: {
      load: run.windowMs > 0 ? system.ratePerSecond / limit.perSecond : 0,
      limiter: limit.limiter,
      ceilingPerSecond: limit.perSecond,
      next: unlimited.limiter,
      nextPerSecond: unlimited.perSecond,
      change,
      afterChange: { ...firstEndpoint(after), ceilingPerSecond: nearLimit(changed, key).perSecond },
      nowP99Ms: firstEndpoint(run).p99Ms,
      endpoint: { service, operation },
    },
  };
}

/** A run of which only the usage counts: almost no spans are kept. */
function play(system: SystemSpec, seed: number, requests: number): Run {
  const silent = cloneSystem(system);
  silent.telemetry.headSampling = 1e-6;
  return simulate(silent, { seed, requests });
}

interface Place {
  readonly kind: "service" | "database" | "pool";
  readonly service: string;
  /** of a pool: towards which database */
  readonly pool: string;
}

/** Room everywhere, then the machines of one service or database taken away until it limits. */
function limitByWork(system: SystemSpec, draws: Draws, kind: "service" | "database"): Place {
  const work = offeredWork(system);
  const names = (kind === "service" ? system.services : system.databases.filter((d) => d.system !== "redis")).map(
    (s) => s.name,
  );
  const service = draws.pick(names.filter((name) => (work.get(name) ?? 0) > 0));
  // The limiter at 70 % of its capacity, everything else at 45 % at most.
  const capacity =
    kind === "service" ? capacityOf(system, service) : system.databases.find((d) => d.name === service)!.cores;
  system.ratePerSecond *= (0.7 * 1000 * capacity) / work.get(service)!;
  const spared = JSON.stringify(
    kind === "service" ? serviceOf(system, service) : system.databases.find((d) => d.name === service),
  );
  provision(system, draws.between(0.3, 0.5));
  Object.assign(
    kind === "service" ? serviceOf(system, service) : system.databases.find((d) => d.name === service)!,
    JSON.parse(spared),
  );
  return { kind, service, pool: "" };
}

const capacityOf = (system: SystemSpec, name: string): number => {
  const { instances, cores, cpu } = serviceOf(system, name);
  return instances * (cpu === "event-loop" ? 1 : cores);
};

/** A pool of a few connections per instance that is used up before any machine is. */
function limitByPool(system: SystemSpec, draws: Draws, seed: number): Place {
  const candidates = system.services.flatMap((service) =>
    Object.keys(service.pools)
      .filter((pool) => usesDatabase(system, service.name, pool))
      .map((pool) => ({ service: service.name, pool })),
  );
  if (candidates.length === 0) return limitByWork(system, draws, "service");
  const { service, pool } = draws.pick(candidates);
  provision(system, 0.35);
  loadTo(system, 0.35);
  const held = play(system, seed, 1500).usage.find(({ name }) => name === `pool:${service}:${pool}`)!;
  const { instances } = serviceOf(system, service);
  const size = draws.whole(2, 6);
  // A pool that is hardly used would need a load for which this system is none.
  if ((0.7 * size * instances) / held.meanBusy > MAX_MORE_LOAD) return limitByWork(system, draws, "service");
  // So much load that the pool would be used to 70 %, and machines to go with it.
  system.ratePerSecond *= (0.7 * size * instances) / held.meanBusy;
  serviceOf(system, service).pools[pool]!.size = size;
  provision(system, 0.35);
  return { kind: "pool", service, pool };
}

const MAX_MORE_LOAD = 6;

function usesDatabase(system: SystemSpec, service: string, database: string): boolean {
  return JSON.stringify(serviceOf(system, service).operations).includes(`"database":"${database}"`);
}

function loadToLimiter(system: SystemSpec, place: Place, target: number, seed: number): void {
  const usage = usageName(place);
  for (let round = 0; round < 2; round++) {
    const used = play(system, seed, 1500).usage.find(({ name }) => name === usage)!;
    system.ratePerSecond *= target / (used.meanBusy / used.capacity);
  }
}

function usageName({ kind, service, pool }: Place): string {
  return kind === "pool" ? `pool:${service}:${pool}` : kind === "service" ? `cpu:${service}` : `db:${service}`;
}

/**
 * The same system so near to its limit that hold times are what they are there, but in a steady state: under more load than
 * it can do, work that is begun piles up and throughput says little. The limit follows by the utilisation law.
 */
function nearLimit(system: SystemSpec, seed: number): { perSecond: number; limiter: ResourceName } {
  const loaded = cloneSystem(system);
  loaded.ratePerSecond *= 0.5 / fullest(loaded, seed).share;
  for (let round = 0; round < 2; round++) loaded.ratePerSecond *= 0.95 / fullest(loaded, seed).share;
  const { share, name } = fullest(loaded, seed);
  return { perSecond: loaded.ratePerSecond / share, limiter: name };
}

/** The most used processor, database or pool, and its use; what a pool waits for before the pool where both are. */
function fullest(system: SystemSpec, seed: number): { share: number; name: ResourceName } {
  const { usage } = play(system, seed, LIMIT_REQUESTS);
  const uses = usage
    .filter(({ name, capacity }) => /^(cpu|db|pool):/.test(name) && capacity > 0)
    .map(({ name, meanBusy, capacity }) => ({ name: resourceName(name), share: meanBusy / capacity }));
  const most = uses.reduce((a, b) => (b.share > a.share ? b : a));
  const working = uses.filter(({ name, share }) => name.resource === "cpu" && share > 0.97 * most.share);
  return working.reduce((a, b) => (b.share > a.share ? b : a), working[0] ?? most);
}

function resourceName(usage: string): ResourceName {
  const [kind, service, pool] = usage.split(":") as [string, string, string?];
  return { service, resource: kind === "pool" ? `pool:${pool}` : "cpu" };
}

/** The limiter changed so that it has half as much again, or that its work takes two thirds of the time. */
function relieve(
  system: SystemSpec,
  { kind, service, pool }: Place,
  draws: Draws,
): { changed: SystemSpec; change: string } {
  const changed = cloneSystem(system);
  if (kind === "pool") {
    const spec = serviceOf(changed, service);
    const size = Math.ceil(1.5 * spec.pools[pool]!.size);
    spec.pools[pool]!.size = size;
    return { changed, change: `service=${service},pool:${pool}=${size}` };
  }
  if (kind === "service") {
    const spec = serviceOf(changed, service);
    if (spec.cpu === "threads" && draws.chance(0.5)) {
      spec.cores = Math.ceil(1.5 * spec.cores);
      return { changed, change: `service=${service},cpu=${spec.cores}` };
    }
    spec.instances = Math.ceil(1.5 * spec.instances);
    return { changed, change: `service=${service},replicas=${spec.instances}` };
  }
  const database = changed.databases.find((d) => d.name === service)!;
  database.cores = Math.ceil(1.5 * database.cores);
  return { changed, change: `service=${service},cpu=${database.cores}` };
}

function withoutLimit(system: SystemSpec, { kind, service, pool }: Place): SystemSpec {
  const free = cloneSystem(system);
  if (kind === "pool") serviceOf(free, service).pools[pool]!.size = 1000;
  else if (kind === "database") free.databases.find((d) => d.name === service)!.cores *= 20;
  else if (serviceOf(free, service).cpu === "event-loop") serviceOf(free, service).instances *= 20;
  else serviceOf(free, service).cores *= 20;
  return free;
}

function firstEndpoint({ roots }: Run): { p50Ms: number; p99Ms: number } {
  const { p50Ms, p99Ms } = percentiles(roots.durationMs.filter((_, i) => roots.endpoint[i] === 0));
  return { p50Ms, p99Ms };
}
