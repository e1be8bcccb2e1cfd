import { solveLayered, type LayeredSolution } from "../../analysis/layered-queueing.ts";
import type { LayeredCall, LayeredHost, LayeredModel } from "../../model/layered-model.ts";
import type { CallGraph, DatabaseWork } from "./call-graph.ts";

/** A resource with what requests need of it, as the model takes it; changes of a what-if change these. */
export interface ModelResource {
  readonly service: string;
  /** "cpu", "threads", "pool:NAME" */
  readonly resource: string;
  readonly instances: number;
  readonly capacityEach: number;
  /** capacity × seconds per request; of pools and threads at the present load */
  readonly demandS: number;
  /** capacity of all instances that is busy without requests */
  readonly background: number;
  /** work takes turns on one thread: whoever holds a connection waits for its turn to give it back */
  readonly isEventLoop: boolean;
  /** a machine that several services and databases share: it has no place of its own among their calls */
  readonly isHost?: boolean;
  /** of a machine: share of the demand by service or database */
  readonly shares?: ReadonlyMap<string, number>;
  /** of a machine: cores that each measured process takes which no request makes work, and does not yield */
  readonly others?: ReadonlyMap<string, number>;
}

/** What was observed of a system, in the terms of a layered queueing network. */
export interface CapacityModel {
  readonly graph: CallGraph;
  /** requests per second of all endpoints */
  readonly perSecond: number;
  readonly resources: readonly ModelResource[];
}

export interface ModelCeiling {
  /** requests per second at which the limiter is full */
  readonly perSecond: number;
  readonly limiter: ModelResource;
  /** per resource of the model: requests per second at which it would be full, if all grew on as up to the ceiling */
  readonly each: readonly number[];
}

/** At this share of its capacity a resource of the saturated model is taken to be full. */
const FULL = 0.97;
/**
 * A pool or threads whose ceiling, at the present hold, is so much higher than the least limits nothing: the hold would
 * have to grow as much first, and what it waits for would then be busy to two thirds of its limit at least.
 */
const ROOMY = 3;
/** So many requests in the system keep the slowest part of it busy. */
const CROWD = 2000;

/** The greatest throughput of the model, and what limits it. Undefined where no resource limits it. */
export function ceilingOf(model: CapacityModel): ModelCeiling | undefined {
  const byDemand = model.resources.map(ownCeiling);
  const least = leastIndex(byDemand);
  if (least < 0) return undefined;
  const isNear = model.resources.some((r, i) => isHeld(r) && byDemand[i]! < ROOMY * byDemand[least]!);
  if (!isNear) return { perSecond: byDemand[least]!, limiter: model.resources[least]!, each: byDemand };
  const built = buildModel(model);
  const saturated = solveLayered({
    ...built.layered,
    sources: [{ kind: "closed", name: "requests", customers: CROWD, thinkS: 0, calls: built.calls }],
  });
  const possible = saturated.throughput[0]!;
  const each = model.resources.map((resource, i) => {
    const utilisation = built.utilisationOf(saturated, i);
    return isHeld(resource) && utilisation > 0 ? possible / Math.min(1, utilisation) : byDemand[i]!;
  });
  const limiter = limiterOf(model, each, Math.min(possible, ...each));
  // What the iteration leaves of a ceiling that follows from a demand alone is not taken for a finding.
  const isSolved = isHeld(limiter) && built.utilisationOf(saturated, model.resources.indexOf(limiter)) > 0;
  const perSecond = isSolved ? possible : ownCeiling(limiter);
  return { perSecond, limiter, each: each.map((x) => Math.max(x, perSecond)) };
}

/** Requests per second at which the resource is full, by its present demand. */
export function ownCeiling({ instances, capacityEach, background, demandS }: ModelResource): number {
  return demandS > 0 ? Math.max(0, instances * capacityEach - background) / demandS : Infinity;
}

/** Held while something else works: full because of that, perhaps. */
export const isHeld = ({ resource }: Pick<ModelResource, "resource">): boolean =>
  resource === "threads" || resource.startsWith("pool:");

function leastIndex(values: readonly number[]): number {
  let least = -1;
  values.forEach((value, i) => {
    if (Number.isFinite(value) && (least < 0 || value < values[least]!)) least = i;
  });
  return least;
}

/**
 * Of those that are full together the lowest limits: a pool is full because what its connections wait for is, while what
 * works cannot be full because of a pool.
 */
function limiterOf(model: CapacityModel, each: readonly number[], perSecond: number): ModelResource {
  const full = model.resources.filter((_, i) => each[i]! * FULL <= perSecond);
  const rank = ({ resource }: ModelResource): number =>
    resource === "threads" ? 2 : resource.startsWith("pool:") ? 1 : 0;
  const lowest = full.toSorted((a, b) => rank(a) - rank(b) || ownCeiling(a) - ownCeiling(b))[0];
  return lowest ?? model.resources[leastIndex(each)]!;
}

/** The same model without a resource's limit: what limits next. */
export function without(model: CapacityModel, resource: ModelResource): CapacityModel {
  return { ...model, resources: model.resources.filter((other) => other !== resource) };
}

/** Waits of the model at its present load. */
export interface ModelWaits {
  /** per resource: mean wait for a thread or connection, seconds; of CPUs residence over work */
  readonly waitS: readonly number[];
  readonly stretch: readonly number[];
  readonly utilisation: readonly number[];
  /** the present load is more than the model can do */
  readonly isSaturated: boolean;
}

export function waitsOf(model: CapacityModel): ModelWaits {
  const built = buildModel(model);
  const source = { kind: "open" as const, name: "requests", perSecond: model.perSecond, calls: built.calls };
  const solved = solveLayered({ ...built.layered, sources: [source] });
  return {
    waitS: model.resources.map((_, i) => built.waitOf(solved, i)),
    stretch: model.resources.map((_, i) => built.stretchOf(solved, i)),
    utilisation: model.resources.map((_, i) => built.utilisationOf(solved, i)),
    isSaturated: solved.throughput[0]! < 0.995 * model.perSecond,
  };
}

interface Built {
  readonly layered: Omit<LayeredModel, "sources">;
  readonly calls: readonly LayeredCall[];
  readonly utilisationOf: (solution: LayeredSolution, resource: number) => number;
  readonly waitOf: (solution: LayeredSolution, resource: number) => number;
  readonly stretchOf: (solution: LayeredSolution, resource: number) => number;
}

/** What a turn costs that only takes up an answer: it counts as a place in the queue, hardly as work. */
const TURN_S = 1e-6;
/** A host of which nothing is known: never busy. */
const UNKNOWN_CORES = 1e6;

function buildModel(model: CapacityModel): Built {
  const builder = new ModelBuilder(model);
  builder.addServices();
  builder.addPoolsAndDatabases();
  builder.connect();
  builder.calibrate();
  return builder.built();
}

interface Entry {
  name: string;
  task: number;
  demandS: number;
  delayS: number;
  turns: number;
  calls: LayeredCall[];
}

class ModelBuilder {
  private readonly model: CapacityModel;
  private readonly order: readonly string[];
  private readonly hosts: LayeredHost[] = [];
  private readonly tasks: { name: string; host: number; threads: number; replicas: number }[] = [];
  private readonly entries: Entry[] = [];
  private readonly serviceEntry = new Map<string, number>();
  /** by service and database: where its calls go, and how many of them a request makes */
  private readonly databaseEntry = new Map<string, { entry: number; calls: number }>();
  /** per resource of the model: the host or task that it is */
  private readonly places = new Map<ModelResource, { host: number } | { task: number }>();

  constructor(model: CapacityModel) {
    this.model = model;
    this.order = callOrder(model.graph);
  }

  private find(service: string, resource: string): ModelResource | undefined {
    return this.model.resources.find((r) => r.service === service && r.resource === resource);
  }

  private addHost(name: string, cpu: ModelResource | undefined, copies: number): number {
    const host = this.hosts.length;
    if (cpu === undefined) this.hosts.push({ name, cores: UNKNOWN_CORES, copies });
    else {
      const cores = Math.max(1e-6, cpu.capacityEach - cpu.background / cpu.instances);
      this.hosts.push({ name, cores, copies: cpu.instances, discipline: cpu.isEventLoop ? "fifo" : "sharing" });
      this.places.set(cpu, { host });
    }
    return host;
  }

  addServices(): void {
    for (const name of this.order) {
      const work = this.model.graph.services.get(name)!;
      const cpu = this.find(name, "cpu");
      const threads = this.find(name, "threads");
      const host = this.addHost(name, cpu, Math.max(1, work.instances));
      const task = this.tasks.length;
      const replicas = threads?.instances ?? this.hosts[host]!.copies;
      this.tasks.push({ name, host, threads: threads?.capacityEach ?? Infinity, replicas });
      if (threads !== undefined) this.places.set(threads, { task });
      this.serviceEntry.set(name, this.entries.length);
      const demandS = cpu === undefined || work.visits === 0 ? 0 : cpu.demandS / work.visits;
      // Work goes on after each answer: one turn more than there are calls.
      const turns = 1 + (work.visits > 0 ? callsOf(this.model.graph, name) / work.visits : 0);
      this.entries.push({ name, task, demandS, delayS: 0, turns, calls: [] });
    }
  }

  addPoolsAndDatabases(): void {
    const { databases } = this.model.graph;
    const pooled = new Map<string, number>();
    for (const [key, work] of databases) {
      const pool = this.find(work.service, `pool:${work.database}`);
      if (pool === undefined) continue;
      const loop = this.eventLoopOf(pool);
      const host = loop ?? this.addHost(pool.resource, undefined, 1);
      // What is in use whatever requests do, they cannot have.
      const threads = Math.max(1e-3, pool.capacityEach - pool.background / pool.instances);
      const task = this.tasks.push({ name: pool.resource, host, threads, replicas: pool.instances }) - 1;
      this.places.set(pool, { task });
      const demandS = loop === undefined ? 0 : TURN_S;
      const turns = 1 + (work.acquisitions > 0 ? work.calls / work.acquisitions : 1);
      pooled.set(key, this.entries.push({ name: key, task, demandS, delayS: 0, turns, calls: [] }) - 1);
    }
    const hostOf = new Map<string, number>();
    for (const [key, work] of databases) {
      const entry = this.addDatabaseEntry(work, hostOf);
      const calls = work.calls > 0 ? work.calls : work.acquisitions;
      const pool = pooled.get(key);
      if (pool === undefined) this.databaseEntry.set(key, { entry, calls });
      else {
        const acquisitions = work.acquisitions > 0 ? work.acquisitions : work.calls;
        this.entries[pool]!.calls.push({ entry, mean: calls / acquisitions });
        this.databaseEntry.set(key, { entry: pool, calls: acquisitions });
      }
    }
  }

  /** A database's CPU goes to its callers by the time that their calls take. */
  private addDatabaseEntry(work: DatabaseWork, hostOf: Map<string, number>): number {
    const cpu = this.find(work.database, "cpu");
    let host = hostOf.get(work.database);
    if (host === undefined) hostOf.set(work.database, (host = this.addHost(work.database, cpu, 1)));
    const all = [...this.model.graph.databases.values()].filter(({ database }) => database === work.database);
    const time = all.reduce((sum, { timeS }) => sum + timeS, 0);
    const demandS =
      cpu === undefined || work.calls === 0 || time === 0 ? 0 : (cpu.demandS * work.timeS) / time / work.calls;
    const task =
      this.tasks.push({ name: work.database, host, threads: Infinity, replicas: this.hosts[host]!.copies }) - 1;
    return this.entries.push({ name: work.database, task, demandS, delayS: 0, turns: 1, calls: [] }) - 1;
  }

  /** The host of the pool's service, where a connection that was granted, and each answer, waits for a turn. */
  private eventLoopOf(pool: ModelResource): number | undefined {
    const cpu = this.find(pool.service, "cpu");
    if (cpu === undefined || !cpu.isEventLoop || cpu.instances !== pool.instances) return undefined;
    const place = this.places.get(cpu);
    return place !== undefined && "host" in place ? place.host : undefined;
  }

  /** Calls between services, in the order that makes them all go down; those against it are left to the sources. */
  connect(): void {
    const { services, databases } = this.model.graph;
    this.order.forEach((name, at) => {
      for (const [caller, perRequest] of services.get(name)!.calledBy) {
        const from = this.order.indexOf(caller);
        if (from < 0 || from >= at) continue;
        const mean = perRequest / services.get(caller)!.visits;
        this.entries[this.serviceEntry.get(caller)!]!.calls.push({ entry: this.serviceEntry.get(name)!, mean });
      }
    });
    for (const [key, { service }] of databases) {
      const { entry, calls } = this.databaseEntry.get(key)!;
      const caller = this.serviceEntry.get(service);
      if (caller === undefined || calls === 0) continue;
      this.entries[caller]!.calls.push({ entry, mean: calls / services.get(service)!.visits });
    }
  }

  private sourceCalls(): LayeredCall[] {
    return this.order.flatMap((name, at) => {
      const work = this.model.graph.services.get(name)!;
      const upwards = [...work.calledBy].reduce((sum, [caller, calls]) => {
        const from = this.order.indexOf(caller);
        return from < 0 || from >= at ? sum + calls : sum;
      }, 0);
      const mean = work.fromOutside + upwards;
      return mean > 0 ? [{ entry: this.serviceEntry.get(name)!, mean }] : [];
    });
  }

  /**
   * Time that a thread or connection is held beyond what the model explains at the present load (network, other waits, and
   * less where calls run together) is a delay that does not depend on load.
   */
  calibrate(): void {
    const held = [...this.places].flatMap(([resource, place]) =>
      "task" in place ? [{ resource, task: place.task }] : [],
    );
    if (held.length === 0) return;
    for (let round = 0; round < 2; round++) {
      const source = {
        kind: "open" as const,
        name: "requests",
        perSecond: this.model.perSecond,
        calls: this.sourceCalls(),
      };
      const solved = solveLayered({ ...this.layered(), sources: [source] });
      for (const { resource, task } of held) {
        const entry = this.entries.findIndex((e) => e.task === task);
        const invocations = solved.entryPerSecond[entry]! / solved.throughput[0]!;
        const holdS = invocations > 0 ? resource.demandS / invocations : 0;
        // Below, so that the hold stays what was measured where the parts together last longer.
        this.entries[entry]!.delayS += holdS - solved.entryHoldS[entry]!;
      }
    }
  }

  private layered(): Omit<LayeredModel, "sources"> {
    return { hosts: this.hosts, tasks: this.tasks, entries: this.entries };
  }

  built(): Built {
    const placeOf = (i: number): { host: number } | { task: number } | undefined =>
      this.places.get(this.model.resources[i]!);
    const { hosts } = this;
    return {
      layered: this.layered(),
      calls: this.sourceCalls(),
      utilisationOf: (solution, i) => {
        const place = placeOf(i);
        if (place === undefined) return 0;
        return "host" in place ? solution.hostUtilisation[place.host]! : solution.taskUtilisation[place.task]!;
      },
      waitOf: (solution, i) => {
        const place = placeOf(i);
        return place !== undefined && "task" in place ? solution.taskWaitS[place.task]! : 0;
      },
      stretchOf: (solution, i) => {
        const place = placeOf(i);
        if (place === undefined || "task" in place) return 1;
        const entry = this.entries.findIndex((e) => this.tasks[e.task]!.host === place.host && e.demandS > 0);
        if (entry < 0 || hosts[place.host]!.cores >= UNKNOWN_CORES) return 1;
        return solution.hostStretch[place.host]!;
      },
    };
  }
}

/** Calls of other services and of databases that a service makes per request. */
function callsOf(graph: CallGraph, service: string): number {
  let calls = 0;
  for (const { calledBy } of graph.services.values()) calls += calledBy.get(service) ?? 0;
  for (const work of graph.databases.values()) if (work.service === service) calls += work.calls + work.acquisitions;
  return calls;
}

/** Services so that callers come before callees, as far as calls do not go in circles. Deterministic: by name. */
function callOrder(graph: CallGraph): string[] {
  const callees = new Map<string, string[]>([...graph.services.keys()].map((name) => [name, []]));
  for (const [name, { calledBy }] of graph.services) {
    for (const caller of calledBy.keys()) if (caller !== name) callees.get(caller)?.push(name);
  }
  const done = new Set<string>();
  const finished: string[] = [];
  for (const root of [...callees.keys()].sort()) {
    // Depth first with a stack of its own: a chain of services may be long.
    const stack = [{ name: root, next: 0 }];
    if (done.has(root)) continue;
    done.add(root);
    for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
      const callee = callees.get(top.name)![top.next++];
      if (callee === undefined) {
        finished.push(top.name);
        stack.pop();
      } else if (!done.has(callee)) {
        done.add(callee);
        stack.push({ name: callee, next: 0 });
      }
    }
  }
  return finished.reverse();
}
