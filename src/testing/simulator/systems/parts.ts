import { lognormal } from "../distribution.ts";
import type { Draws } from "../random.ts";
import type { DatabaseSpec, RequestAttribute, ServiceSpec, Step, SystemSpec, TelemetrySpec } from "../system.ts";
import { loadTo, provision } from "../system-walk.ts";
import { TENANTS } from "./names.ts";

/** A base system of its shape, healthy, with parameters drawn from the seed. */
export interface Shape {
  readonly name: string;
  readonly build: (draws: Draws) => SystemSpec;
}

/** What all shapes have in common; services and databases are sized and the load is set at the end, by `settle`. */
export function newSystem(name: string, draws: Draws): SystemSpec {
  return {
    name,
    ratePerSecond: 60,
    arrivals: draws.chance(0.8) ? "poisson" : "bursty",
    endpoints: [],
    services: [],
    databases: [],
    queues: [],
    requestAttributes: [tenants(draws)],
    network: lognormal(draws.between(0.15, 0.6), 0.5),
    edgeDelay: {},
    telemetry: telemetry(draws),
  };
}

/** Sizes the system so that its limiter stands at 20–70 %; the load may be given. */
export function settle(system: SystemSpec, draws: Draws, utilisation: number = draws.between(0.2, 0.7)): SystemSpec {
  provision(system, 0.7);
  loadTo(system, utilisation);
  return system;
}

export function service(draws: Draws, name: string, operations: Record<string, Step[]>): ServiceSpec {
  const language = draws.pick(["nodejs", "java", "go", "python"] as const);
  return {
    name,
    language,
    instances: draws.whole(2, 4),
    cores: 1,
    cpu: language === "nodejs" ? "event-loop" : "threads",
    workers: 0,
    speeds: [],
    pauses: [],
    pools: {},
    operations: Object.fromEntries(Object.entries(operations).map(([key, steps]) => [key, { steps }])),
  };
}

export const database = (draws: Draws, name: string): DatabaseSpec => ({
  name,
  system: draws.pick(["postgresql", "postgresql", "mysql"] as const),
  cores: 4,
});
export const cache = (name: string): DatabaseSpec => ({ name, system: "redis", cores: 2 });

/** A roomy pool towards each of the databases; spans of it or not. */
export function withPools(spec: ServiceSpec, databases: string[], spans: boolean): ServiceSpec {
  for (const name of databases) spec.pools[name] = { size: 40, spans };
  return spec;
}

function tenants(draws: Draws): RequestAttribute {
  const names = draws.shuffled(TENANTS).slice(0, draws.whole(4, 7));
  return { key: "app.tenant", values: names.map((value, i) => ({ value, weight: 1 / (i + 1) })), everywhere: true };
}

function telemetry(draws: Draws): TelemetrySpec {
  return {
    conventions: draws.chance(0.7) ? "new" : "old",
    clientNames: draws.chance(0.5) ? "route" : "method",
    literals: draws.chance(0.4),
    clockSkewMs: draws.chance(0.3) ? draws.between(0.2, 4) : 0,
    headSampling: 1,
    consumerIs: "child",
  };
}
