import { mean } from "./distribution.ts";
import type { DatabaseSpec, OperationSpec, QueueSpec, ServiceSpec, Step, SystemSpec } from "./system.ts";

export type StepOf<K extends Step["kind"]> = Extract<Step, { kind: K }>;

/** A step where it stands, and how often a request of the endpoint gets there on average. */
export interface Site<K extends Step["kind"] = Step["kind"]> {
  service: ServiceSpec;
  operation: string;
  step: StepOf<K>;
  /** the list that holds the step, for taking it out or wrapping it */
  list: Step[];
  index: number;
  runs: number;
  /** reached through a queue: the requester does not wait for it */
  asynchronous: boolean;
}

/** All steps that a request of `endpoint` (a row of `endpoints`) can reach. */
export function sitesOf(system: SystemSpec, endpoint: number): Site[] {
  const found: Site[] = [];
  const entry = system.endpoints[endpoint]!;
  const visitOperation = (name: string, operation: string, runs: number, asynchronous: boolean): void => {
    const service = serviceOf(system, name);
    visit(operationOf(service, operation).steps, runs, { service, operation, asynchronous });
  };
  const visit = (list: Step[], runs: number, at: Pick<Site, "service" | "operation" | "asynchronous">): void => {
    list.forEach((step, index) => {
      found.push({ ...at, step, list, index, runs } as Site);
      for (const [inner, share] of bodies(system, step)) visit(inner, runs * share, at);
      if (step.kind === "call") visitOperation(step.service, step.operation, runs, at.asynchronous);
      if (step.kind === "publish") {
        const queue = queueOf(system, step.queue);
        visitOperation(queue.consumer, `process ${queue.name}`, runs, true);
      }
    });
  };
  visitOperation(entry.service, entry.operation, 1, false);
  return found;
}

/** Lists of steps within a step, with how often each runs per run of the step. */
function bodies(system: SystemSpec, step: Step): [Step[], number][] {
  switch (step.kind) {
    case "par":
    case "any-order":
      return step.branches.map((branch) => [branch, 1]);
    case "loop":
      return [[step.steps, mean(step.times)]];
    case "maybe":
      return [[step.steps, step.probability]];
    case "when": {
      const values = system.requestAttributes.find((attribute) => attribute.key === step.key)?.values ?? [];
      const total = values.reduce((sum, { weight }) => sum + weight, 0);
      const own = values.find(({ value }) => value === step.value)?.weight ?? 0;
      return [[step.steps, total > 0 ? own / total : 0]];
    }
    case "span":
    case "lock":
    case "connection":
      return [[step.steps, 1]];
    case "cached":
      return [[step.steps, 1 - step.hitRatio]];
    case "rescue":
      return [
        [step.steps, 1],
        [step.otherwise, failureShare(step.steps)],
      ];
    case "compute":
    case "wait":
    case "call":
    case "db":
    case "external":
    case "publish":
    case "fail":
      return [];
  }
}

/** How often a list fails by itself; failures of what it calls are not followed. */
function failureShare(steps: readonly Step[]): number {
  let success = 1;
  for (const step of steps) {
    if (step.kind === "external") success *= 1 - step.failure;
    if (step.kind === "fail") success *= 1 - step.probability;
  }
  return 1 - success;
}

/** Offered work, in ms per second: CPU by service, statements by database. */
export function offeredWork(system: SystemSpec): Map<string, number> {
  const work = new Map<string, number>();
  const add = (name: string, ms: number): void => void work.set(name, (work.get(name) ?? 0) + ms);
  system.endpoints.forEach((endpoint, row) => {
    const rate = system.ratePerSecond * endpoint.share;
    for (const { service, step, runs } of sitesOf(system, row)) {
      if (step.kind === "compute") add(service.name, rate * runs * mean(step.time));
      if (step.kind === "cached") add(step.cache, rate * runs * mean(step.time));
      if (step.kind === "db") {
        const rows = step.rows === undefined ? 0 : mean(step.rows.count) * step.rows.msPerRow;
        add(step.database, rate * runs * (mean(step.time) * Math.max(1, step.growsTo) + rows));
      }
    }
  });
  return work;
}

/**
 * Gives every service and database what keeps its utilisation at or below
 * `utilisation`: threads get cores, event loops get instances. Never takes any away.
 */
export function provision(system: SystemSpec, utilisation: number): void {
  const work = offeredWork(system);
  for (const service of system.services) {
    const needed = (work.get(service.name) ?? 0) / 1000 / utilisation;
    if (service.cpu === "event-loop") service.instances = Math.max(service.instances, Math.ceil(needed));
    else service.cores = Math.max(service.cores, Math.ceil(needed / service.instances));
  }
  for (const database of system.databases) {
    database.cores = Math.max(database.cores, Math.ceil((work.get(database.name) ?? 0) / 1000 / utilisation));
  }
}

/** Utilisation of the busiest service or database, from the offered work. */
export function highestUtilisation(system: SystemSpec): { name: string; utilisation: number } {
  const work = offeredWork(system);
  let highest = { name: "", utilisation: 0 };
  const consider = (name: string, capacity: number): void => {
    const utilisation = (work.get(name) ?? 0) / 1000 / capacity;
    if (utilisation > highest.utilisation) highest = { name, utilisation };
  };
  for (const service of system.services) consider(service.name, service.instances * service.cores);
  for (const database of system.databases) consider(database.name, database.cores);
  return highest;
}

/** Sets the arrival rate that brings the busiest resource to `utilisation`. */
export function loadTo(system: SystemSpec, utilisation: number): void {
  system.ratePerSecond *= utilisation / highestUtilisation(system).utilisation;
}

/** A deep copy: a spec is plain data. */
export const cloneSystem = (system: SystemSpec): SystemSpec => JSON.parse(JSON.stringify(system)) as SystemSpec;

/** Numbers the steps that have no number yet; those that have one keep it, and so keep their draws. */
export function numberSteps(system: SystemSpec): void {
  const lists: Step[][] = [];
  for (const service of system.services)
    for (const key in service.operations) lists.push(service.operations[key]!.steps);
  const unnumbered: Step[] = [];
  let highest = 0;
  for (let list = lists.pop(); list !== undefined; list = lists.pop()) {
    for (const step of list) {
      if (step.id === 0) unnumbered.push(step);
      highest = Math.max(highest, step.id);
      lists.push(...bodies(system, step).map(([inner]) => inner));
    }
  }
  for (const step of unnumbered) step.id = ++highest;
}

export const serviceOf = (system: SystemSpec, name: string): ServiceSpec => found(system.services, name);
export const databaseOf = (system: SystemSpec, name: string): DatabaseSpec => found(system.databases, name);
export const queueOf = (system: SystemSpec, name: string): QueueSpec => found(system.queues, name);

export function operationOf(service: ServiceSpec, operation: string): OperationSpec {
  const spec = service.operations[operation];
  if (spec === undefined) throw new Error(`${service.name} has no operation ${operation}`);
  return spec;
}

function found<T extends { name: string }>(list: T[], name: string): T {
  const item = list.find((candidate) => candidate.name === name);
  if (item === undefined) throw new Error(`nothing is named ${name}`);
  return item;
}
