import { solutionOf } from "./mean-value-analysis.ts";
import { erlangC, type ClosedNetwork, type NetworkSolution, type Station } from "./queueing-network.ts";

export interface ApproximationOptions {
  /**
   * "linearizer" (default): the shares of the queues are extrapolated from populations with one customer less;
   * "proportional": they are taken to be the same there (Bard & Schweitzer)
   */
  readonly method?: "linearizer" | "proportional";
  /** per station: so many alike, among which visits and demand are spread evenly; default 1 each */
  readonly copies?: readonly number[];
}

/**
 * Approximate mean values of a closed network, of any population at a cost that does not depend on it: Linearizer
 * (Chandy & Neuse 1982), mostly within 1 % of the exact values; Bard and Schweitzer's method within some 10 %. An arriving customer waits for those in the queue and, if all servers are busy, for one to
 * become free: R = S + S / m (P(all busy) + waiting); P by Erlang's C at the busy servers that it finds, and zero where
 * there are too few customers. At a "fifo" station it waits for the service times of those before it, whatever its own is.
 *
 * Populations may be fractions (a share of the threads of a pool).
 */
export function approximateMeanValues(network: ClosedNetwork, options: ApproximationOptions = {}): NetworkSolution {
  const { stations, classes } = network;
  const population = classes.map((c) => c.population);
  const count = classes.length;
  const shifts: Shifts = { queue: zeros(stations.length, count, count), busy: zeros(stations.length, count, count) };
  const copies = options.copies ?? stations.map(() => 1);
  const solve = (at: readonly number[], start: State | undefined): State => core(network, copies, at, shifts, start);
  let full = solve(population, undefined);
  if (options.method !== "proportional") {
    const reduced: (State | undefined)[] = classes.map(() => undefined);
    for (let round = 0; round < 3; round++) {
      for (let j = 0; j < count; j++) {
        if (population[j]! <= 0) continue;
        const fewer = population.map((n, c) => (c === j ? Math.max(0, n - 1) : n));
        reduced[j] = solve(fewer, reduced[j]);
      }
      update(shifts, full, reduced);
      full = solve(population, full);
    }
  }
  return solutionOf(stations, full);
}

/** Mean values at one population; queue and busy are shares: per customer of the class, by station and class. */
interface State {
  readonly throughput: number[];
  readonly residence: number[][];
  readonly queue: number[][];
  readonly busy: number[][];
}

/** By station, class and removed class: how the share changes when one customer is removed. */
interface Shifts {
  readonly queue: number[][][];
  readonly busy: number[][][];
}

const zeros = (a: number, b: number, c: number): number[][][] =>
  Array.from({ length: a }, () => Array.from({ length: b }, () => Array.from<number>({ length: c }).fill(0)));

function update(shifts: Shifts, full: State, reduced: readonly (State | undefined)[]): void {
  for (const key of ["queue", "busy"] as const) {
    shifts[key].forEach((byClass, k) =>
      byClass.forEach((byRemoved, c) =>
        byRemoved.forEach((_, j) => {
          const fewer = reduced[j];
          byRemoved[j] = fewer === undefined ? 0 : fewer[key][k]![c]! - full[key][k]![c]!;
        }),
      ),
    );
  }
}

const MAX_ROUNDS = 500;

/** Fixed point at one population, given how shares change with one customer less. */
function core(
  network: ClosedNetwork,
  copies: readonly number[],
  population: readonly number[],
  shifts: Shifts,
  start: State | undefined,
): State {
  const { stations, classes } = network;
  let state = start ?? firstGuess(network, population);
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const residence = stations.map((station, k) =>
      classes.map((_, c) =>
        population[c]! <= 0 || station.demand[c] === 0
          ? 0
          : residenceOf(station, copies[k]!, k, c, population, state, shifts),
      ),
    );
    const throughput = classes.map(({ think }, c) => {
      const cycle = residence.reduce((sum, of) => sum + of[c]!, think);
      return population[c]! <= 0 || cycle <= 0 ? 0 : population[c]! / cycle;
    });
    const share = (value: number, c: number): number => (population[c]! <= 0 ? 0 : value / population[c]!);
    const queue = residence.map((of) => of.map((r, c) => share(r * throughput[c]!, c)));
    const busy = stations.map(({ demand }) => demand.map((d, c) => share(d * throughput[c]!, c)));
    const change = Math.max(largestChange(queue, state.queue), largestChange(busy, state.busy));
    state = { throughput, residence, queue, busy };
    if (change < 1e-9) break;
  }
  return state;
}

function largestChange(now: number[][], before: number[][]): number {
  let change = 0;
  now.forEach((of, k) => of.forEach((value, c) => (change = Math.max(change, Math.abs(value - before[k]![c]!)))));
  return change;
}

function firstGuess({ stations, classes }: ClosedNetwork, population: readonly number[]): State {
  const total = classes.map(({ think }, c) => stations.reduce((sum, { demand }) => sum + demand[c]!, think));
  const queue = stations.map(({ demand }) => demand.map((d, c) => (total[c]! > 0 ? d / total[c]! : 0)));
  return { throughput: [...population], residence: queue, queue, busy: queue.map((of) => [...of]) };
}

/** Time per cycle of class c at station k, by what a customer of it finds there: the network without itself. */
function residenceOf(
  station: Station,
  copies: number,
  k: number,
  c: number,
  population: readonly number[],
  state: State,
  shifts: Shifts,
): number {
  const own = station.demand[c]!;
  if (station.kind === "delay") return own;
  const { servers } = station;
  let found = 0;
  let busy = 0;
  let waitingWork = 0;
  let busyWork = 0;
  let others = 0;
  population.forEach((n, i) => {
    const left = Math.max(0, i === c ? n - 1 : n);
    if (station.demand[i] === 0) return;
    others += left;
    const each = left / copies;
    const queueOf = Math.max(0, each * (state.queue[k]![i]! + shifts.queue[k]![i]![c]!));
    const busyOf = Math.min(queueOf, Math.max(0, each * (state.busy[k]![i]! + shifts.busy[k]![i]![c]!)));
    const service = serviceOf(station, i);
    found += queueOf;
    busy += busyOf;
    busyWork += busyOf * service;
    waitingWork += (queueOf - busyOf) * service;
  });
  const allBusy = servers === 1 ? busy : others < servers ? 0 : erlangC(servers, busy);
  if (station.kind === "sharing") return own * (1 + (allBusy + found - busy) / servers);
  const inService = busy > 0 ? busyWork / busy : 0;
  return own + (visitsOf(station, c) * (allBusy * inService + waitingWork)) / servers;
}

const visitsOf = (station: Station, c: number): number => station.visits?.[c] ?? 1;
const serviceOf = (station: Station, c: number): number => {
  const visits = visitsOf(station, c);
  return visits === 0 ? 0 : station.demand[c]! / visits;
};
