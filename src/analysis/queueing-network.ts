/** A place where customers of all classes are served. */
export interface Station {
  readonly name: string;
  /**
   * "sharing": processor sharing, a CPU under a fair scheduler; "fifo": first come, first served, a pool of threads or
   * connections; "delay": nobody waits for anybody.
   */
  readonly kind: "sharing" | "fifo" | "delay";
  /** equal servers, at least 1 */
  readonly servers: number;
  /** per class: visits × service time, any unit of time; 0 where the class does not come */
  readonly demand: readonly number[];
  /** per class: visits per cycle, for stations of kind "fifo" whose service times differ by class; absent: 1 each */
  readonly visits?: readonly number[];
}

/** Customers that go round: think, then visit the stations. */
export interface ClosedClass {
  readonly population: number;
  /** time outside of all stations per cycle */
  readonly think: number;
}

export interface ClosedNetwork {
  readonly stations: readonly Station[];
  readonly classes: readonly ClosedClass[];
}

/** Mean values of a network in steady state. */
export interface NetworkSolution {
  /** per class: cycles per time */
  readonly throughput: readonly number[];
  /** per class: time per cycle in all stations together */
  readonly response: readonly number[];
  /** per station and class: time per cycle there, and mean number there */
  readonly residence: readonly (readonly number[])[];
  readonly queue: readonly (readonly number[])[];
  /** per station: mean number of busy servers over servers; of a delay the mean number there */
  readonly utilisation: readonly number[];
}

/**
 * Erlang's C: probability that all `servers` are busy when work arrives at random and waits, at a mean of `offered`
 * busy servers; 1 where `offered` is as much as there are.
 */
export function erlangC(servers: number, offered: number): number {
  if (offered >= servers) return 1;
  if (offered <= 0) return 0;
  // Erlang's B by its recursion, which neither overflows nor cancels; servers may be a fraction, which is interpolated.
  const whole = Math.floor(servers);
  let blocked = 1;
  for (let n = 1; n <= whole; n++) blocked = (offered * blocked) / (n + offered * blocked);
  const lower = waitingOf(blocked, whole, offered);
  if (whole === servers) return lower;
  const upper = waitingOf((offered * blocked) / (whole + 1 + offered * blocked), whole + 1, offered);
  return lower + (servers - whole) * (upper - lower);
}

function waitingOf(blocked: number, servers: number, offered: number): number {
  return offered >= servers ? 1 : (servers * blocked) / (servers - offered * (1 - blocked));
}

export function utilisationOf(station: Station, throughput: readonly number[]): number {
  const busy = station.demand.reduce((sum, demand, c) => sum + demand * throughput[c]!, 0);
  return station.kind === "delay" ? busy : busy / station.servers;
}
