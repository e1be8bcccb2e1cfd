import type { SpanTable } from "../../model/span-table.ts";
import { constant, scaled, sometimes } from "../simulator/distribution.ts";
import { Draws, mixKey, nameKey } from "../simulator/random.ts";
import { simulate } from "../simulator/simulate.ts";
import { compute, db, loop, step } from "../simulator/steps.ts";
import type { SystemSpec } from "../simulator/system.ts";
import { highestUtilisation, loadTo, operationOf, provision, serviceOf, sitesOf } from "../simulator/system-walk.ts";
import { chain } from "../simulator/systems/chain.ts";
import { shop } from "../simulator/systems/shop.ts";
import { threeTier } from "../simulator/systems/three-tier.ts";
import { worker } from "../simulator/systems/worker.ts";
import { earlier } from "./case.ts";

/** A healthy system with something in it that looks like a fault to a careless reader. */
export interface HealthyKind {
  readonly name: string;
  readonly baseline: boolean;
  /** changes a healthy system into another healthy one */
  readonly decoy: (system: SystemSpec, draws: Draws) => void;
}

export interface HealthyCase {
  readonly name: string;
  readonly seed: number;
  readonly system: string;
  readonly current: SpanTable;
  readonly baseline: SpanTable | undefined;
}

/** The statements of the first endpoint, at least one in every shape. */
const statements = (system: SystemSpec): ReturnType<typeof sitesOf> =>
  sitesOf(system, 0).filter(({ step: { kind } }) => kind === "db");

export const HEALTHY_KINDS: readonly HealthyKind[] = [
  { name: "light-load", baseline: false, decoy: (system) => loadTo(system, 0.2) },
  { name: "medium-load", baseline: false, decoy: (system) => loadTo(system, 0.4) },
  { name: "busy-but-well", baseline: false, decoy: (system) => loadTo(system, 0.6) },
  { name: "same-as-before", baseline: true, decoy: () => {} },
  {
    name: "heavy-tails",
    baseline: false,
    decoy: (system) => {
      for (const { step: own } of sitesOf(system, 0)) {
        if (own.kind === "db" || own.kind === "external") own.time = sometimes(0.02, scaled(own.time, 4), own.time);
      }
    },
  },
  {
    name: "slow-report",
    baseline: false,
    decoy: (system, draws) => {
      // a report takes longer than a page and is rare; that is what it is
      const { service } = system.endpoints[0]!;
      const store = system.databases[0]!.name;
      const report = db(
        store,
        "SELECT day, SUM(total) FROM daily_totals WHERE day > $1 GROUP BY day",
        draws.between(60, 120),
        0.3,
      );
      serviceOf(system, service).operations["GET /reports/daily"] = { steps: [compute(3), report, compute(10)] };
      for (const endpoint of system.endpoints) endpoint.share *= 0.98;
      system.endpoints.push({ service, operation: "GET /reports/daily", share: 0.02 });
    },
  },
  {
    name: "rare-errors",
    baseline: false,
    decoy: (system, draws) => {
      const { service, operation } = system.endpoints[0]!;
      operationOf(serviceOf(system, service), operation).steps.push(
        step({ kind: "fail", probability: draws.between(0.002, 0.01), status: 500 }),
      );
    },
  },
  {
    name: "dependent-calls",
    baseline: false,
    decoy: (system) => {
      // each needs what the one before returned: always in this order
      const { list, index, step: own } = statements(system)[0]!;
      if (own.kind !== "db") return;
      const names = ["account", "plan", "limits"];
      list.splice(
        index + 1,
        0,
        ...names.flatMap((name) => [compute(0.4), db(own.database, `SELECT id, value FROM ${name} WHERE id = $1`, 2)]),
      );
    },
  },
  {
    name: "small-batches",
    baseline: false,
    decoy: (system) => {
      const { list, index, step: own } = statements(system)[0]!;
      if (own.kind !== "db") return;
      list.splice(
        index + 1,
        0,
        loop({ kind: "uniform", low: 1.5, high: 3.49 }, [
          db(own.database, "SELECT id, chunk FROM chunks WHERE id = $1", 1.2),
        ]),
      );
    },
  },
  {
    name: "bounded-fan-out",
    baseline: false,
    decoy: (system) => {
      const { list, index, step: own } = statements(system)[0]!;
      if (own.kind !== "db") return;
      list.splice(
        index + 1,
        0,
        loop(constant(6), [db(own.database, "SELECT id, part FROM parts WHERE shard = $1", 1.5)], 6),
      );
    },
  },
  {
    name: "skewed-clocks",
    baseline: false,
    decoy: (system, draws) => {
      system.telemetry.clockSkewMs = draws.between(2, 20);
    },
  },
  {
    name: "sampled",
    baseline: false,
    decoy: (system) => {
      system.telemetry.headSampling = 0.25;
    },
  },
  {
    name: "a-little-more-load",
    baseline: true,
    decoy: (system) => loadTo(system, 0.35),
  },
];

/** The healthy case of a kind and a seed; the baseline of "a-little-more-load" has a tenth less. */
export function healthyCase(kind: HealthyKind, seed: number, traces = 3000): HealthyCase {
  const key = mixKey(nameKey(`healthy ${kind.name}`), seed);
  const draws = new Draws(key, nameKey("shape"));
  const shape = draws.pick([threeTier, shop, worker, chain]);
  const system = shape.build(new Draws(key, nameKey("system")));
  kind.decoy(system, draws);
  provision(system, 0.6);
  // bursts at a high load make waits that a reader may rightly complain about
  if (system.arrivals === "bursty" && highestUtilisation(system).utilisation > 0.35) loadTo(system, 0.35);
  const requests = Math.ceil(traces / system.endpoints[0]!.share / system.telemetry.headSampling);
  const current = simulate(system, { seed: key, requests }).table;
  const before = kind.name === "a-little-more-load" ? { ...system, ratePerSecond: 0.9 * system.ratePerSecond } : system;
  return {
    name: kind.name,
    seed,
    system: shape.name,
    current,
    baseline: kind.baseline ? earlier(before, key, requests) : undefined,
  };
}
