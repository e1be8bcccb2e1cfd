import type { LayeredCall, LayeredModel } from "../model/layered-model.ts";
import { EventQueue } from "./simulator/event-queue.ts";
import { Draws } from "./simulator/random.ts";
import { Semaphore, SharedStation } from "./simulator/stations.ts";

export interface LayeredRun {
  /** per source: requests per second, and mean seconds until the answer, after the warm-up */
  readonly throughput: readonly number[];
  readonly responseS: readonly number[];
  readonly taskUtilisation: readonly number[];
  readonly hostUtilisation: readonly number[];
}

export interface LayeredRunOptions {
  readonly seed: number;
  /** how long is simulated, of which the first tenth is not counted */
  readonly seconds: number;
}

/**
 * Plays a layered model with random times, event by event: the referee of the analysis, which shares no code with it. Work
 * comes in slices between calls, exponential, on processors that are shared; the number of calls is geometric; threads
 * are handed out first come, first served; a call goes to a replica at random.
 */
export function simulateLayered(model: LayeredModel, { seed, seconds }: LayeredRunOptions): LayeredRun {
  return new Play(model, seed, seconds).run();
}

class Play {
  private readonly model: LayeredModel;
  private readonly seconds: number;
  private readonly warmUp: number;
  private readonly events = new EventQueue();
  private readonly draws: Draws;
  /** per host, per copy; per task, per replica */
  private readonly cpus: SharedStation[][];
  private readonly threads: Semaphore[][];
  /** per task: threads × time held by invocations that have ended */
  private readonly held: number[];
  private readonly done: number[];
  private readonly spent: number[];

  constructor(model: LayeredModel, seed: number, seconds: number) {
    this.model = model;
    this.seconds = seconds;
    this.warmUp = seconds / 10;
    this.draws = new Draws(seed);
    this.cpus = model.hosts.map(({ cores, copies }) => times(copies, () => new SharedStation(this.events, cores)));
    this.threads = model.tasks.map(({ threads, replicas }) =>
      times(replicas, () => new Semaphore(this.events, Number.isFinite(threads) ? threads : 0)),
    );
    this.held = model.tasks.map(() => 0);
    this.done = model.sources.map(() => 0);
    this.spent = model.sources.map(() => 0);
  }

  run(): LayeredRun {
    const { sources, hosts, tasks } = this.model;
    sources.forEach((source, s) => {
      if (source.kind === "closed") for (let i = 0; i < source.customers; i++) this.think(s, source.thinkS);
      else this.arrive(s, source.perSecond);
    });
    let usage = { work: hosts.map(() => 0), held: tasks.map(() => 0) };
    this.events.at(this.warmUp, () => (usage = this.usage()));
    let final = usage;
    this.events.at(this.seconds, () => (final = this.usage()));
    this.events.run();
    const counted = this.seconds - this.warmUp;
    return {
      throughput: this.done.map((n) => n / counted),
      responseS: this.spent.map((s, i) => s / this.done[i]!),
      hostUtilisation: hosts.map(
        ({ cores, copies }, h) => (final.work[h]! - usage.work[h]!) / counted / cores / copies,
      ),
      taskUtilisation: tasks.map(({ threads, replicas }, t) =>
        Number.isFinite(threads) ? (final.held[t]! - usage.held[t]!) / counted / threads / replicas : 0,
      ),
    };
  }

  private usage(): { work: number[]; held: number[] } {
    const sum = (values: number[]): number => values.reduce((a, b) => a + b, 0);
    return {
      work: this.cpus.map((copies) => sum(copies.map(({ workMs }) => workMs))),
      held: [...this.held],
    };
  }

  private think(source: number, meanS: number): void {
    this.events.after(this.draws.exponential(meanS), () => {
      if (this.events.now >= this.seconds) return;
      this.request(source, () => this.think(source, meanS));
    });
  }

  private arrive(source: number, perSecond: number): void {
    this.events.after(this.draws.exponential(1 / perSecond), () => {
      if (this.events.now >= this.seconds) return;
      this.request(source, () => {});
      this.arrive(source, perSecond);
    });
  }

  private request(source: number, answered: () => void): void {
    const start = this.events.now;
    this.callAll(this.draw(this.model.sources[source]!.calls), 0, () => {
      const { now } = this.events;
      if (now >= this.warmUp && now < this.seconds) {
        this.done[source]!++;
        this.spent[source]! += now - start;
      }
      answered();
    });
  }

  /** Entries to be called, in random order: of each a geometric number, or exactly so many where it is at most one. */
  private draw(calls: readonly LayeredCall[]): number[] {
    const list: number[] = [];
    for (const { entry, mean } of calls) {
      if (mean <= 1) {
        if (this.draws.chance(mean)) list.push(entry);
      } else while (this.draws.chance(mean / (1 + mean))) list.push(entry);
    }
    return this.draws.shuffled(list);
  }

  private callAll(entries: readonly number[], from: number, done: () => void): void {
    if (from === entries.length) return done();
    this.invoke(entries[from]!, () => this.callAll(entries, from + 1, done));
  }

  private invoke(entry: number, done: () => void): void {
    const { task, demandS, delayS, calls } = this.model.entries[entry]!;
    const { host } = this.model.tasks[task]!;
    const replica = Math.floor(this.draws.uniform() * this.threads[task]!.length);
    const cpu = this.cpus[host]![replica % this.cpus[host]!.length]!;
    const thread = this.threads[task]![replica]!;
    const slice = demandS / (1 + calls.reduce((sum, { mean }) => sum + mean, 0));
    const work = (then: () => void): void =>
      demandS > 0 ? cpu.request(this.draws.exponential(slice), then) : this.events.after(0, then);
    thread.acquire(() => {
      const since = this.events.now;
      const list = this.draw(calls);
      const step = (i: number): void =>
        work(() => {
          if (i < list.length) return this.invoke(list[i]!, () => step(i + 1));
          this.events.after(delayS > 0 ? this.draws.exponential(delayS) : 0, () => {
            this.held[task]! += this.events.now - since;
            thread.release();
            done();
          });
        });
      step(0);
    });
  }
}

const times = <T>(count: number, make: () => T): T[] => Array.from({ length: count }, make);

/**
 * A random network of two to four layers, loaded between lightly and to the limit: tasks with few, many or no limit
 * of threads, some on the same host, some in replicas, entries of different weight, one or two closed sources.
 */
export function randomLayeredModel(seed: number): LayeredModel {
  const draws = new Draws(seed, 77);
  const hosts: { name: string; cores: number; copies: number }[] = [];
  const tasks: { name: string; host: number; threads: number; replicas: number }[] = [];
  const entries: { name: string; task: number; demandS: number; delayS: number; calls: LayeredCall[] }[] = [];
  const layers: number[][] = [];
  for (let layer = 0; layer < draws.whole(2, 4); layer++) {
    layers.push(times(draws.whole(1, 3), () => addTask(draws, hosts, tasks)));
  }
  layers.forEach((layer) => {
    for (const task of layer) {
      times(draws.whole(1, 2), () =>
        entries.push({
          name: `entry ${entries.length}`,
          task,
          demandS: draws.exponential(0.01) + 0.001,
          delayS: draws.chance(0.3) ? draws.exponential(0.01) : 0,
          calls: [],
        }),
      );
    }
  });
  const below = (layer: number): number[] =>
    entries.map((_, e) => e).filter((e) => layers.slice(layer + 1).some((l) => l.includes(entries[e]!.task)));
  layers.forEach((layer, l) => {
    const callable = below(l);
    for (const entry of entries) {
      if (!layer.includes(entry.task) || callable.length === 0) continue;
      for (const called of draws.shuffled(callable).slice(0, draws.whole(1, 2)))
        entry.calls.push({ entry: called, mean: draws.pick([0.3, 0.7, 1, 1, 2, 3]) });
    }
  });
  const top = entries.map((_, e) => e).filter((e) => layers[0]!.includes(entries[e]!.task));
  const sources = times(draws.whole(1, 2), (): LayeredModel["sources"][number] => ({
    kind: "closed",
    name: "users",
    customers: draws.whole(3, 40),
    thinkS: draws.between(0.02, 1),
    calls: draws
      .shuffled(top)
      .slice(0, draws.whole(1, 2))
      .map((entry) => ({ entry, mean: 1 })),
  }));
  return { hosts, tasks, entries, sources };
}

function addTask(
  draws: Draws,
  hosts: { name: string; cores: number; copies: number }[],
  tasks: { name: string; host: number; threads: number; replicas: number }[],
): number {
  const isShared = hosts.length > 0 && draws.chance(0.25);
  const host = isShared ? draws.whole(0, hosts.length - 1) : hosts.length;
  const replicas = isShared ? hosts[host]!.copies : draws.pick([1, 1, 1, 2, 3]);
  if (!isShared) hosts.push({ name: `host ${host}`, cores: draws.pick([1, 1, 2, 4]), copies: replicas });
  const threads = draws.pick([1, 2, 4, 8, 16, Infinity, Infinity]);
  return tasks.push({ name: `task ${tasks.length}`, host, threads, replicas }) - 1;
}
