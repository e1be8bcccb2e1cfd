import type { Mechanism } from "../../model/report.ts";
import type { SpanTable } from "../../model/span-table.ts";
import type { Fault } from "../simulator/faults/fault.ts";
import { Draws, mixKey, nameKey } from "../simulator/random.ts";
import { type Run, simulate } from "../simulator/simulate.ts";
import type { SystemSpec } from "../simulator/system.ts";
import { numberSteps } from "../simulator/system-walk.ts";

/** What is known about a simulated fault, told apart from its spans. */
export interface Truth {
  readonly fault: string;
  readonly seed: number;
  readonly system: string;
  readonly severity: number;
  readonly service: string;
  readonly acceptableServices: readonly string[];
  readonly mechanism: Mechanism;
  readonly acceptableMechanisms: readonly Mechanism[];
  readonly operation: string;
  readonly endpoint: { readonly service: string; readonly operation: string };
  readonly whatIf: readonly string[] | null;
  /** of the endpoint's root spans; `worse` compares the flow instead where that is what suffers */
  readonly faulty: Percentiles;
  /** the re-run with the fix, under the same arrivals and draws */
  readonly fixed: Percentiles;
  /** faulty / fixed of what suffers */
  readonly worse: { readonly p50: number; readonly p99: number };
}

export interface Percentiles {
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
}

export interface FaultCase {
  readonly truth: Truth;
  readonly current: SpanTable;
  readonly baseline: SpanTable | undefined;
}

/** A fault counts when it makes the endpoint's p50 or p99 at least this much worse. */
export const MATERIAL = { p50: 1.3, p99: 1.5 } as const;

/** Traces of the endpoint per window. */
const TRACES = 3000;
/** Minutes between the end of the baseline and the start of the faulty window, and the like; any will do. */
const GAP_MS = 600_000;
const FROM_SEED = 0.2;
const STEP = 0.25;
const TRIES = 5;

/**
 * The case of a fault and a seed: a base system, a place and a severity are
 * drawn from them. A severity that would not be material is raised step by step
 * (to 1.75 at most). Throws when even that is not material: such a case tests nothing.
 */
export function faultCase(fault: Fault, seed: number, traces: number = TRACES): FaultCase {
  const key = mixKey(nameKey(fault.name), seed);
  const choice = new Draws(key, nameKey("shape"));
  const drawn = FROM_SEED + 0.5 * choice.uniform();
  for (const shape of choice.shuffled(fault.shapes)) {
    const system = shape.build(new Draws(key, nameKey("system")));
    numberSteps(system);
    const p50Ms = percentiles(simulate(system, { seed, requests: 1000 }).roots.durationMs).p50Ms;
    for (let round = 0; round < TRIES; round++) {
      const severity = drawn + round * STEP;
      const dose = { severity, p50Ms, extraMs: p50Ms * (0.6 + 1.4 * severity) };
      const injection = fault.inject(system, dose, new Draws(key, nameKey("place")));
      if (injection === null) break;
      const requests = Math.ceil(traces / injection.faulty.endpoints[0]!.share);
      const current = simulate(injection.faulty, { seed: key, requests });
      const healed = simulate(injection.fixed, { seed: key, requests });
      const worse = ratio(suffered(current, injection.measure), suffered(healed, injection.measure));
      if (worse.p50 < MATERIAL.p50 && worse.p99 < MATERIAL.p99) continue;
      const before = injection.before ?? injection.fixed;
      const truth: Truth = {
        fault: fault.name,
        seed,
        system: shape.name,
        severity,
        service: injection.service,
        acceptableServices: injection.acceptableServices ?? [],
        mechanism: injection.mechanism,
        acceptableMechanisms: injection.acceptableMechanisms ?? [],
        operation: injection.operation,
        endpoint: endpointOf(injection.faulty),
        whatIf: injection.whatIf ?? null,
        faulty: suffered(current, "duration"),
        fixed: suffered(healed, "duration"),
        worse,
      };
      return { truth, current: current.table, baseline: fault.baseline ? earlier(before, key, requests) : undefined };
    }
  }
  throw new Error(`${fault.name}, seed ${seed}: no place where it is material`);
}

/** A window of `system` before the current one, with arrivals of its own. */
export function earlier(system: SystemSpec, seed: number, requests: number): SpanTable {
  const lengthMs = (requests / system.ratePerSecond) * 1000;
  return simulate(system, { seed: mixKey(seed, nameKey("baseline")), requests, startMs: -lengthMs - GAP_MS }).table;
}

const endpointOf = (system: SystemSpec): { service: string; operation: string } => {
  const { service, operation } = system.endpoints[0]!;
  return { service, operation };
};

/** Of the first endpoint's requests. */
function suffered({ roots }: Run, measure: "duration" | "flow" = "duration"): Percentiles {
  const column = measure === "flow" ? roots.flowMs : roots.durationMs;
  return percentiles(column.filter((_, i) => roots.endpoint[i] === 0));
}

/** Nearest rank. */
export function percentiles(values: Float64Array): Percentiles {
  const sorted = values.slice().sort();
  const at = (p: number): number => sorted[Math.min(sorted.length - 1, Math.ceil(p * sorted.length) - 1)]!;
  return { p50Ms: at(0.5), p95Ms: at(0.95), p99Ms: at(0.99) };
}

const ratio = (faulty: Percentiles, fixed: Percentiles): { p50: number; p99: number } => ({
  p50: faulty.p50Ms / fixed.p50Ms,
  p99: faulty.p99Ms / fixed.p99Ms,
});
