import { solutionOf } from "./mean-value-analysis.ts";
import { erlangC, utilisationOf, type NetworkSolution, type Station } from "./queueing-network.ts";

/** No steady state: this station has more work than it can do. */
export interface Saturated {
  readonly kind: "saturated";
  readonly station: string;
  readonly utilisation: number;
}

/**
 * Mean values of an open product-form network with arrivals at random, `rates` per class and unit of time (Lazowska et
 * al. 1984, section 7.3; several servers as M/M/m). Exact where `exactMeanValues` would be.
 */
export function openMeanValues(stations: readonly Station[], rates: readonly number[]): NetworkSolution | Saturated {
  for (const station of stations) {
    const utilisation = utilisationOf(station, rates);
    if (station.kind !== "delay" && utilisation >= 1) return { kind: "saturated", station: station.name, utilisation };
  }
  const residence = stations.map((station) => {
    const stretch = openStretch(station, rates);
    return station.demand.map((demand) => demand * stretch);
  });
  return solutionOf(stations, { throughput: rates, residence });
}

/** Residence over service time of an M/M/m queue: 1 + C(m, a) / (m - a). */
function openStretch(station: Station, rates: readonly number[]): number {
  if (station.kind === "delay") return 1;
  const offered = utilisationOf(station, rates) * station.servers;
  return 1 + erlangC(station.servers, offered) / (station.servers - offered);
}
