import type { LayeredCall, LayeredModel } from "../model/layered-model.ts";
import { simultaneous } from "./layered-concurrency.ts";
import { approximateMeanValues } from "./linearizer.ts";
import type { Station } from "./queueing-network.ts";

export interface LayeredSolution {
  /** per source: requests per second, and seconds until the answer */
  readonly throughput: readonly number[];
  readonly responseS: readonly number[];
  /** per entry: invocations per second, and how long a thread is held by one */
  readonly entryPerSecond: readonly number[];
  readonly entryHoldS: readonly number[];
  /** per task: share of the threads in use (0 without a limit), and mean wait for one */
  readonly taskUtilisation: readonly number[];
  readonly taskWaitS: readonly number[];
  /** per host: share of the cores in use */
  readonly hostUtilisation: readonly number[];
  /** per host: how many times as long work takes there as on a free core, mean over the work */
  readonly hostStretch: readonly number[];
  /** false when the iteration did not settle: the figures are off by some per cent then */
  readonly converged: boolean;
}

const MAX_ROUNDS = 2000;
const TOLERANCE = 1e-5;
/** So many customers with a long think time arrive as if at random from outside. */
const OPEN_POPULATION = 1e5;

/**
 * Mean values of a layered network by approximate mean value analysis, one server at a time (after the method of layers,
 * Rolia & Sevcik 1995, and stochastic rendezvous networks, Woodside et al. 1995): each task, and each host, is a queue
 * whose customers are the threads of the tasks that call it, and what they do meanwhile is their think time. What a thread
 * waits for below makes up the service time above; the two are iterated to a fixed point.
 *
 * An open source that asks for more than there is gets what there is: its throughput is below its rate.
 */
export function solveLayered(model: LayeredModel): LayeredSolution {
  return new Solver(model).solve();
}

/** What sends requests to a server: the threads of a task, or a source. */
interface Client {
  /** threads that can be at it, all replicas together */
  population: number;
  /** calls of the server per second */
  perSecond: number;
  /** seconds of service per call, mean over the entries that are called */
  service: number;
  /** current estimate of the wait per call */
  wait: number;
  /** invocations of the client per second: the length of a cycle is population over this */
  cyclesPerSecond: number;
}

class Solver {
  private readonly model: LayeredModel;
  /** per source */
  private readonly rates: number[];
  /** per source and entry: invocations per request */
  private readonly visits: number[][];
  /** per task: most invocations at once, by its threads and those of its callers */
  private readonly population: number[];
  private readonly entryPerSecond: number[];
  private readonly hold: number[];
  /** per task: residence at the host over demand */
  private readonly stretch: number[];
  /** by calling task (or source, after the tasks) and called task: wait for a thread */
  private readonly waits: Map<number, number>[];
  private readonly callersOf: number[][];
  /** most invocations that can meet at a task (those that wait for a thread among them), and on a host */
  private readonly atTask: readonly number[];
  private readonly onHost: readonly number[];

  constructor(model: LayeredModel) {
    this.model = model;
    const { hosts, tasks, entries, sources } = model;
    this.visits = sources.map(({ calls }) => visitsOf(model, calls));
    this.callersOf = callersOf(model);
    this.population = populations(model, this.callersOf);
    const sourcePopulations = sources.map((_, s) => sourcePopulation(model, s));
    const together = (targets: readonly number[]): number =>
      simultaneous(model, this.callersOf, sourcePopulations, targets);
    this.atTask = tasks.map((_, t) => together([t]));
    this.onHost = hosts.map((_, h) => together(tasks.map((_, t) => t).filter((t) => tasks[t]!.host === h)));
    this.stretch = tasks.map(() => 1);
    this.waits = Array.from({ length: tasks.length + sources.length }, () => new Map<number, number>());
    this.hold = entries.map(() => 0);
    this.entryPerSecond = entries.map(() => 0);
    this.rates = sources.map((source) => (source.kind === "open" ? source.perSecond : 0));
    this.settle();
  }

  solve(): LayeredSolution {
    const { hosts, tasks } = this.model;
    let converged = false;
    for (let round = 0; round < MAX_ROUNDS && !converged; round++) {
      const damping = round < 100 ? 0.5 : round < 500 ? 0.2 : 0.05;
      let change = 0;
      // What a change does to the throughput is worked out before the next one: with a lag the two would swing.
      for (let t = tasks.length - 1; t >= 0; t--) {
        change = Math.max(change, this.solveTask(t, damping));
        this.settle();
      }
      for (let h = 0; h < hosts.length; h++) {
        change = Math.max(change, this.solveHost(h, damping));
        this.settle();
      }
      converged = change < TOLERANCE;
    }
    return this.solution(converged);
  }

  /** Seconds that a thread is held by each entry, callees first. */
  private updateHolds(): void {
    const { entries } = this.model;
    const order = entries.map((_, e) => e).sort((a, b) => entries[b]!.task - entries[a]!.task);
    for (const e of order) {
      const { task, demandS, delayS, calls } = entries[e]!;
      // A delay below zero stands for calls that run together.
      this.hold[e] = Math.max(0, delayS + demandS * this.stretch[task]! + this.timeOf(task, calls));
    }
  }

  private timeOf(client: number, calls: readonly LayeredCall[]): number {
    return calls.reduce((sum, { entry, mean }) => {
      const wait = this.waits[client]!.get(this.model.entries[entry]!.task) ?? 0;
      return sum + mean * (wait + this.hold[entry]!);
    }, 0);
  }

  private responseOf(source: number): number {
    return this.timeOf(this.model.tasks.length + source, this.model.sources[source]!.calls);
  }

  /** Holds, throughputs and flows at the current waits. */
  private settle(): void {
    this.updateHolds();
    this.model.sources.forEach((source, s) => {
      const response = this.responseOf(s);
      this.rates[s] =
        source.kind === "closed"
          ? source.customers / (source.thinkS + response)
          : Math.min(source.perSecond, OPEN_POPULATION / response);
    });
    this.updateFlows();
  }

  private updateFlows(): void {
    this.entryPerSecond.forEach((_, e) => {
      this.entryPerSecond[e] = this.rates.reduce((sum, rate, s) => sum + rate * this.visits[s]![e]!, 0);
    });
  }

  /** Waits for a thread of the task by each of its callers. */
  private solveTask(task: number, damping: number): number {
    const { threads, replicas } = this.model.tasks[task]!;
    if (!Number.isFinite(threads)) return 0;
    const callers = this.callersOf[task]!;
    const clients = callers.map((caller) => this.clientOf(caller, task));
    const found = waitsAt(clients, "fifo", threads, replicas, this.atTask[task]!);
    let change = 0;
    callers.forEach((caller, i) => {
      const before = clients[i]!.wait;
      change = Math.max(change, Math.abs(found[i]! - before) / (clients[i]!.service + before + 1e-12));
      this.waits[caller]!.set(task, before + damping * (found[i]! - before));
    });
    return change;
  }

  private clientOf(caller: number, task: number): Client {
    const { entries, tasks, sources } = this.model;
    const client: Client = {
      population: this.populationOf(caller),
      perSecond: 0,
      service: 0,
      wait: this.waits[caller]!.get(task) ?? 0,
      cyclesPerSecond: 0,
    };
    let work = 0;
    const add = (rate: number, calls: readonly LayeredCall[]): void => {
      client.cyclesPerSecond += rate;
      for (const { entry, mean } of calls) {
        if (entries[entry]!.task !== task) continue;
        client.perSecond += rate * mean;
        work += rate * mean * this.hold[entry]!;
      }
    };
    if (caller >= tasks.length) add(this.rates[caller - tasks.length]!, sources[caller - tasks.length]!.calls);
    else entries.forEach((entry, e) => entry.task === caller && add(this.entryPerSecond[e]!, entry.calls));
    client.service = client.perSecond > 0 ? work / client.perSecond : 0;
    return client;
  }

  private populationOf(caller: number): number {
    const { tasks } = this.model;
    return caller < tasks.length ? this.population[caller]! : sourcePopulation(this.model, caller - tasks.length);
  }

  /** How much longer work takes on the host, for each of the tasks on it. */
  private solveHost(host: number, damping: number): number {
    const { hosts, tasks, entries } = this.model;
    const { cores, copies, discipline = "sharing" } = hosts[host]!;
    const on = tasks.map((_, t) => t).filter((t) => tasks[t]!.host === host);
    const clients = on.map((t): Client => {
      let perSecond = 0;
      let work = 0;
      entries.forEach((entry, e) => {
        if (entry.task !== t) return;
        perSecond += this.entryPerSecond[e]! * (entry.turns ?? 1);
        work += this.entryPerSecond[e]! * entry.demandS;
      });
      const service = perSecond > 0 ? work / perSecond : 0;
      const population = Math.max(Math.min(1, this.population[t]!), this.population[t]! / copies);
      const each = perSecond / copies;
      return { population, perSecond: each, service, wait: service * (this.stretch[t]! - 1), cyclesPerSecond: each };
    });
    const found = waitsAt(clients, discipline, cores, 1, Math.max(1, this.onHost[host]! / copies));
    let change = 0;
    on.forEach((t, i) => {
      const { service, wait } = clients[i]!;
      if (service <= 0) return;
      change = Math.max(change, Math.abs(found[i]! - wait) / (service + wait));
      this.stretch[t]! += damping * ((found[i]! - wait) / service);
    });
    return change;
  }

  private solution(converged: boolean): LayeredSolution {
    const { hosts, tasks, entries, sources } = this.model;
    const inUse = tasks.map((_, t) =>
      entries.reduce((sum, { task }, e) => sum + (task === t ? this.entryPerSecond[e]! * this.hold[e]! : 0), 0),
    );
    return {
      throughput: [...this.rates],
      responseS: sources.map((_, s) => this.responseOf(s)),
      entryPerSecond: [...this.entryPerSecond],
      entryHoldS: [...this.hold],
      taskUtilisation: tasks.map(({ threads, replicas }, t) =>
        Number.isFinite(threads) ? inUse[t]! / (threads * replicas) : 0,
      ),
      taskWaitS: tasks.map((_, t) => this.meanWait(t)),
      hostUtilisation: hosts.map(({ cores, copies }, h) => this.workOn(h, () => 1) / (cores * copies)),
      hostStretch: hosts.map((_, h) => {
        const work = this.workOn(h, () => 1);
        return work === 0 ? 1 : this.workOn(h, (task) => this.stretch[task]!) / work;
      }),
      converged,
    };
  }

  /** Busy cores of a host, the work of each task weighted. */
  private workOn(host: number, weight: (task: number) => number): number {
    const { tasks, entries } = this.model;
    return entries.reduce((sum, { task, demandS }, e) => {
      return tasks[task]!.host === host ? sum + this.entryPerSecond[e]! * demandS * weight(task) : sum;
    }, 0);
  }

  private meanWait(task: number): number {
    const clients = this.callersOf[task]!.map((caller) => this.clientOf(caller, task));
    const calls = clients.reduce((sum, { perSecond }) => sum + perSecond, 0);
    return calls === 0 ? 0 : clients.reduce((sum, { perSecond, wait }) => sum + perSecond * wait, 0) / calls;
  }
}

/**
 * New waits per call of each client at one server of `copies` alike, each with `servers` places. The clients are taken
 * to come independently; where no more than `together` of them can (they have a caller in common), they meet so much less.
 */
function waitsAt(
  clients: readonly Client[],
  kind: Station["kind"],
  servers: number,
  copies: number,
  together: number,
): number[] {
  const used = clients.filter(({ perSecond, service }) => perSecond > 0 && service > 0);
  if (used.length === 0) return clients.map(() => 0);
  const callsPerCycle = used.map(({ perSecond, cyclesPerSecond }) => perSecond / cyclesPerSecond);
  const station: Station = {
    name: "",
    kind,
    servers,
    demand: used.map(({ service }, i) => callsPerCycle[i]! * service),
    visits: callsPerCycle,
  };
  const independent = used.reduce((sum, { population }) => sum + population, 0);
  if (together <= servers) return clients.map(() => 0);
  const share = Math.min(1, together / independent);
  const classes = used.map(({ population, cyclesPerSecond, service, wait }, i) => ({
    population: share * population,
    think: Math.max(0, (share * population) / cyclesPerSecond - callsPerCycle[i]! * (service + wait)),
  }));
  const { response } = approximateMeanValues({ stations: [station], classes }, { copies: [copies] });
  const found = new Map(used.map((client, i) => [client, response[i]! / callsPerCycle[i]! - client.service]));
  return clients.map((client) => Math.max(0, found.get(client) ?? 0));
}

function sourcePopulation(model: LayeredModel, source: number): number {
  const of = model.sources[source]!;
  return of.kind === "closed" ? of.customers : OPEN_POPULATION;
}

function visitsOf(model: LayeredModel, calls: readonly LayeredCall[]): number[] {
  const { entries } = model;
  const visits = entries.map(() => 0);
  for (const { entry, mean } of calls) visits[entry]! += mean;
  const order = entries.map((_, e) => e).sort((a, b) => entries[a]!.task - entries[b]!.task);
  for (const e of order) for (const { entry, mean } of entries[e]!.calls) visits[entry]! += visits[e]! * mean;
  return visits;
}

/** Per task: tasks that call it, and sources by their number behind the tasks'. Throws when a call goes upwards. */
function callersOf({ tasks, entries, sources }: LayeredModel): number[][] {
  const callers = tasks.map(() => new Set<number>());
  for (const { task, calls } of entries) {
    for (const { entry } of calls) {
      const called = entries[entry]!.task;
      if (called <= task) throw new Error(`task ${called} is called by task ${task}, which stands behind it`);
      callers[called]!.add(task);
    }
  }
  sources.forEach(({ calls }, s) => {
    for (const { entry } of calls) callers[entries[entry]!.task]!.add(tasks.length + s);
  });
  return callers.map((set) => [...set]);
}

/** No more invocations can be open than there are threads of it, nor than its callers have threads to wait for them. */
function populations(model: LayeredModel, callers: readonly (readonly number[])[]): number[] {
  const { tasks } = model;
  const population: number[] = [];
  tasks.forEach(({ threads, replicas }, t) => {
    const waiting = callers[t]!.reduce(
      (sum, caller) =>
        sum + (caller < tasks.length ? population[caller]! : sourcePopulation(model, caller - tasks.length)),
      0,
    );
    population.push(Math.min(threads * replicas, waiting));
  });
  return population;
}
