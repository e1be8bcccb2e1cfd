import { utilisationOf, type ClosedNetwork, type NetworkSolution, type Station } from "./queueing-network.ts";

/** Populations that are looked at on the way; each costs stations × classes × servers. */
const MAX_POPULATIONS = 2_000_000;

/**
 * Exact mean values of a closed product-form network (Reiser & Lavenberg 1980), with several servers by their marginal
 * probabilities (Bolch et al. 2006, section 8.2). The exactness holds for stations of kind "sharing" and "delay" with
 * any service times, of kind "fifo" with exponential ones that are the same for all classes.
 *
 * Populations are whole numbers. Throws RangeError when their product is beyond MAX_POPULATIONS: see linearizer.ts.
 */
export function exactMeanValues(network: ClosedNetwork): NetworkSolution {
  const { stations, classes } = network;
  const lattice = latticeOf(classes.map(({ population }) => population));
  const queues = new Float64Array(lattice.size * stations.length);
  const marginals = stations.map((station) => marginalsOf(station, lattice.size));
  let last: PopulationValues | undefined;
  for (let at = 1; at < lattice.size; at++) {
    last = valuesAt(network, lattice, at, queues, marginals);
    stations.forEach((_, k) => {
      queues[at * stations.length + k] = last!.residence[k]!.reduce((sum, r, c) => sum + r * last!.throughput[c]!, 0);
    });
    stations.forEach((station, k) => updateMarginals(station, marginals[k], lattice, at, last!.throughput));
  }
  const nobody = { throughput: classes.map(() => 0), residence: stations.map(({ demand }) => [...demand]) };
  return solutionOf(stations, last ?? nobody);
}

interface PopulationValues {
  readonly throughput: readonly number[];
  /** per station and class */
  readonly residence: readonly (readonly number[])[];
}

export function solutionOf(stations: readonly Station[], values: PopulationValues): NetworkSolution {
  const { throughput, residence } = values;
  return {
    throughput,
    residence,
    response: throughput.map((_, c) => residence.reduce((sum, of) => sum + of[c]!, 0)),
    queue: residence.map((of) => of.map((r, c) => r * throughput[c]!)),
    utilisation: stations.map((station) => utilisationOf(station, throughput)),
  };
}

/** All population vectors up to the full one, numbered so that smaller ones come first. */
interface Lattice {
  readonly size: number;
  /** per class: how far apart the numbers of neighbours in that class are */
  readonly stride: readonly number[];
  readonly of: (at: number, c: number) => number;
}

function latticeOf(populations: readonly number[]): Lattice {
  const stride: number[] = [];
  let size = 1;
  for (const population of populations) {
    if (!Number.isInteger(population) || population < 0) throw new RangeError(`population ${population} is not whole`);
    stride.push(size);
    size *= population + 1;
  }
  if (size > MAX_POPULATIONS) throw new RangeError(`${size} populations are too many for exact mean values`);
  return { size, stride, of: (at, c) => Math.floor(at / stride[c]!) % (populations[c]! + 1) };
}

/** Per population: probabilities of 0 .. servers − 1 customers; absent where one server or none waits. */
function marginalsOf(station: Station, populations: number): Float64Array | undefined {
  if (station.kind === "delay" || station.servers === 1) return undefined;
  const marginals = new Float64Array(populations * station.servers);
  marginals[0] = 1;
  return marginals;
}

function valuesAt(
  { stations, classes }: ClosedNetwork,
  lattice: Lattice,
  at: number,
  queues: Float64Array,
  marginals: readonly (Float64Array | undefined)[],
): PopulationValues {
  const residence = stations.map((station, k) =>
    classes.map((_, c) => {
      if (lattice.of(at, c) === 0) return 0;
      const before = at - lattice.stride[c]!;
      const seen = station.kind === "delay" ? 0 : queues[before * stations.length + k]!;
      return station.demand[c]! * stretch(station, seen, marginals[k], before);
    }),
  );
  const throughput = classes.map(({ think }, c) => {
    const population = lattice.of(at, c);
    const cycle = residence.reduce((sum, of) => sum + of[c]!, think);
    return population === 0 ? 0 : population / cycle;
  });
  return { residence, throughput };
}

/** How many times as long a visit takes that finds `seen` others. */
function stretch(station: Station, seen: number, marginals: Float64Array | undefined, before: number): number {
  const { servers } = station;
  if (marginals === undefined) return 1 + seen;
  let idle = 0;
  for (let j = 0; j < servers - 1; j++) idle += (servers - 1 - j) * marginals[before * servers + j]!;
  return (1 + seen + idle) / servers;
}

function updateMarginals(
  station: Station,
  marginals: Float64Array | undefined,
  lattice: Lattice,
  at: number,
  throughput: readonly number[],
): void {
  if (marginals === undefined) return;
  const { servers, demand } = station;
  let rest = 0;
  for (let j = 1; j < servers; j++) {
    let probability = 0;
    throughput.forEach((x, c) => {
      if (lattice.of(at, c) === 0) return;
      probability += x * demand[c]! * marginals[(at - lattice.stride[c]!) * servers + j - 1]!;
    });
    marginals[at * servers + j] = probability / j;
    rest += ((servers - j) * probability) / j;
  }
  const busy = throughput.reduce((sum, x, c) => sum + x * demand[c]!, 0);
  // Near saturation the difference is rounding, and may fall below zero.
  marginals[at * servers] = Math.max(0, 1 - (busy + rest) / servers);
}
