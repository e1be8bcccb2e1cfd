import type { Gate } from "./littles-law.ts";

/**
 * Processor seconds below which no process takes a request from the network, answers it, and records a span of it. The
 * fastest servers of the TechEmpower rounds need 4 µs of a core for a fixed answer without spans.
 */
const LEAST_S = 3e-6;
/** A loop is active for so many times its computing: longer than any queue for processors keeps it. */
const MAX_ACTIVE_PER_USED = 200;
/** Less of a core than this says little. */
const MIN_ACTIVE = 0.02;
/** The machine is busy with at least this share of what its loops are active for, or they only wait. */
const MIN_SEEN_ON_HOST = 0.2;

/** What counts the processor time of one service, and what else tells of its work. Cores are means over the same time. */
export interface WorkCheck {
  readonly service: string;
  /** cores in use by its processes, by their counters, whatever for */
  readonly usedCores: number;
  /** requests per second that it answers, by its spans */
  readonly servedPerSecond: number;
  /** cores for which its event loops are active; NaN where nothing counts that */
  readonly activeCores: number;
  /** cores in use on its machine beyond what processes there are counted for; NaN where not known */
  readonly unclaimedCores: number;
}

/**
 * The other side of the utilisation law: work cannot be done with next to no processor time. A counter in a unit that is
 * 1,000 times too large says so in one of two ways: a request costs less than taking it from the network does, or
 * event loops are active all the while, and their machine is busy for nobody. Waiting alone breaks neither.
 */
export function leastWork(check: WorkCheck): Gate {
  const { service, usedCores, servedPerSecond, activeCores, unclaimedCores } = check;
  const perRequestS = servedPerSecond > 0 ? usedCores / servedPerSecond : Infinity;
  if (perRequestS < LEAST_S) {
    const detail = `cpu of ${service}: ${us(perRequestS)} of processor time for each request that it answers; no process answers one in less than ${us(LEAST_S)}: a unit is wrong, or not all of its processes are counted`;
    return { name: "least-work", ok: false, error: LEAST_S / Math.max(perRequestS, Number.MIN_VALUE) - 1, detail };
  }
  const isActive = activeCores >= MIN_ACTIVE && activeCores > MAX_ACTIVE_PER_USED * usedCores;
  if (isActive && unclaimedCores >= MIN_SEEN_ON_HOST * activeCores) {
    const detail = `cpu of ${service}: its event loop is active for ${activeCores.toPrecision(2)} of a core and its process counts ${usedCores.toPrecision(2)}, while ${unclaimedCores.toPrecision(2)} cores of the machine are busy for nobody; a unit is wrong, or not all of its processes are counted`;
    return { name: "least-work", ok: false, error: activeCores / Math.max(usedCores, Number.MIN_VALUE) - 1, detail };
  }
  return { name: "least-work", ok: true, error: 0, detail: `cpu of ${service}: ${us(perRequestS)} per request` };
}

const us = (seconds: number): string => `${Number((seconds * 1e6).toPrecision(3))} µs`;
