import type { Mechanism } from "../../../model/report.ts";
import { clientName, externalName, statementName } from "../conventions.ts";
import { mean, scaled } from "../distribution.ts";
import type { Draws } from "../random.ts";
import { simulate } from "../simulate.ts";
import type { ServiceSpec, Step, SystemSpec } from "../system.ts";
import { cloneSystem, provision, type Site, sitesOf } from "../system-walk.ts";
import type { Shape } from "../systems/parts.ts";

/** One kind of fault: how it gets into a healthy system, and what is then the truth. */
export interface Fault {
  readonly name: string;
  readonly summary: string;
  /** whether a window of the healthy system is given beside the faulty one */
  readonly baseline: boolean;
  /** base systems that have a place for it */
  readonly shapes: readonly Shape[];
  /** Null where this system has no place for it. The place must not depend on the severity. */
  readonly inject: (system: SystemSpec, dose: Dose, draws: Draws) => Injection | null;
}

export interface Dose {
  /** 0..1, mild to severe */
  readonly severity: number;
  /** p50 of the first endpoint of the healthy system */
  readonly p50Ms: number;
  /** time to add to a request, by severity: 0.6 to 2 times the healthy p50 */
  readonly extraMs: number;
}

export interface Injection {
  readonly faulty: SystemSpec;
  /** the same system, fixed: what the what-if is held against, and the baseline where there is one */
  readonly fixed: SystemSpec;
  /** the one whose code, setting or resource has to change */
  readonly service: string;
  /** others that are as right from traces alone; the reason stands where it is filled in */
  readonly acceptableServices?: readonly string[];
  readonly mechanism: Mechanism;
  readonly acceptableMechanisms?: readonly Mechanism[];
  readonly operation: string;
  /** `--change` specs that describe the fix, where the grammar can and the span names are unambiguous */
  readonly whatIf?: readonly string[];
  /** the load or state before the fault, where the fix is not just going back to it */
  readonly before?: SystemSpec;
  /** what gets worse: the root spans, or the flow until the last consumer */
  readonly measure?: "duration" | "flow";
}

/** Both variants start as copies, whose steps have the same numbers. */
export function variants(system: SystemSpec): { faulty: SystemSpec; fixed: SystemSpec } {
  return { faulty: cloneSystem(system), fixed: cloneSystem(system) };
}

/** Enough machines for `system`, and the same ones for `others`. */
export function sameMachines(system: SystemSpec, others: readonly SystemSpec[], utilisation = 0.7): void {
  provision(system, utilisation);
  for (const other of others) {
    system.services.forEach((service, i) =>
      Object.assign(other.services[i]!, { instances: service.instances, cores: service.cores }),
    );
    system.databases.forEach((database, i) => Object.assign(other.databases[i]!, { cores: database.cores }));
  }
}

/** Places of the first endpoint that (nearly) every request passes and waits for; `kind` narrows them. */
export function places<K extends Step["kind"]>(
  system: SystemSpec,
  kind: K,
  accept: (site: Site<K>) => boolean = () => true,
): Site<K>[] {
  const all = sitesOf(system, 0).filter(
    ({ step, runs, asynchronous }) => step.kind === kind && runs > 0.9 && runs < 1.1 && !asynchronous,
  );
  return (all as unknown as Site<K>[]).filter(accept);
}

/** The place of the same step in another variant. */
export function sameSite<K extends Step["kind"]>(system: SystemSpec, site: Site<K>): Site<K> {
  const found = sitesOf(system, 0).find(({ step }) => step.id === site.step.id);
  if (found === undefined) throw new Error(`step ${site.step.id} is not in the other variant`);
  return found as unknown as Site<K>;
}

/** Name of the CLIENT span of a step, undefined for steps without one. */
export function spanNameOf(system: SystemSpec, step: Step): string | undefined {
  if (step.kind === "call") return clientName(system, step.operation);
  if (step.kind === "db") return statementName(system, step.database, step.statement);
  if (step.kind === "external") return externalName(system, step.method, step.path);
  return undefined;
}

/** The change, provided that the span name of `step` means this call alone within its service. */
export function changeOfCall(
  system: SystemSpec,
  service: ServiceSpec,
  step: Step,
  change: string,
): readonly string[] | undefined {
  const name = spanNameOf(system, step)!;
  const same = new Set<string>();
  system.endpoints.forEach((_, row) => {
    for (const site of sitesOf(system, row)) {
      if (site.service.name === service.name && spanNameOf(system, site.step) === name) same.add(callee(site.step));
    }
  });
  return same.size === 1 ? [`service=${service.name},operation=${name},${change}`] : undefined;
}

const callee = (step: Step): string =>
  step.kind === "call"
    ? `${step.service} ${step.operation}`
    : step.kind === "db"
      ? step.statement
      : step.kind === "external"
        ? step.address + step.path
        : "";

/** Multiplies the times of the step and of all that is in it. */
export function slowDown(step: Step, factor: number): void {
  if ("time" in step) step.time = scaled(step.time, factor);
  const inner = "branches" in step ? step.branches.flat() : "steps" in step ? step.steps : [];
  for (const child of inner) slowDown(child, factor);
}

/**
 * Sets the load so that the resource `usage` (of simulate's usage list), which
 * `system` has without limit, would be busy `target` servers on average. The
 * machines grow with it, so that nothing else becomes the limiter. Measured
 * twice, since hold times change a little with the load.
 */
export function loadUntilBusy(system: SystemSpec, usage: string, target: number, seed: number): void {
  for (let round = 0; round < 2; round++) {
    const busy = simulate(cloneSystem(system), { seed, requests: 1500 }).usage.find(
      ({ name }) => name === usage,
    )!.meanBusy;
    system.ratePerSecond *= target / busy;
    provision(system, 0.6);
  }
}

/** How often an average request, of whatever endpoint, gets to a step. */
export function passesPerRequest(system: SystemSpec, id: number): number {
  let passes = 0;
  system.endpoints.forEach(({ share }, row) => {
    for (const { step, runs } of sitesOf(system, row)) if (step.id === id) passes += share * runs;
  });
  return passes;
}

/** A text for factors in change specs: enough digits for the fix to be exact. */
export const factorText = (factor: number): string => String(Number(factor.toPrecision(9)));

/** CPU of a run of these steps, without what they call. */
export const ownTime = (steps: readonly Step[]): number =>
  steps.reduce((sum, step) => sum + (step.kind === "compute" ? mean(step.time) : 0), 0);
