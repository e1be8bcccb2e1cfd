import { constant, lognormal, mean, scaled } from "../distribution.ts";
import { compute, db, loop, step } from "../steps.ts";
import { cloneSystem, numberSteps, operationOf, serviceOf, type Site, sitesOf } from "../system-walk.ts";
import type { SystemSpec } from "../system.ts";
import { chain } from "../systems/chain.ts";
import { shop } from "../systems/shop.ts";
import { threeTier } from "../systems/three-tier.ts";
import { worker } from "../systems/worker.ts";
import {
  changeOfCall,
  factorText,
  type Fault,
  type Injection,
  loadUntilBusy,
  passesPerRequest,
  places,
  sameMachines,
  sameSite,
  variants,
} from "./fault.ts";

const ALL = [threeTier, shop, worker, chain] as const;

/** A statement that becomes `factor` times as slow; in both variants it reads `text`. */
function slowStatement(
  system: SystemSpec,
  site: Site<"db">,
  text: string,
  extraMs: number,
): Pick<Injection, "faulty" | "fixed" | "whatIf"> {
  const { faulty, fixed } = variants(system);
  const slow = sameSite(faulty, site).step;
  for (const variant of [faulty, fixed]) sameSite(variant, site).step.statement = text;
  const factor = 1 + extraMs / mean(slow.time);
  slow.time = scaled(slow.time, factor);
  sameMachines(faulty, [fixed]);
  const whatIf = changeOfCall(faulty, site.service, slow, `time=${factorText(1 / factor)}`);
  return { faulty, fixed, ...(whatIf && { whatIf }) };
}

const tableOf = (statement: string): string => /\b(?:FROM|INTO|UPDATE)\s+([a-z_]+)/.exec(statement)![1]!;

/** Reads that replace a read, so that the table is known to the system. */
const isRead = ({ step: { statement } }: Site<"db">): boolean => statement.startsWith("SELECT");

/** Faults in statements, in how they are called, and in the database. */
export const DATABASE_FAULTS: readonly Fault[] = [
  {
    name: "slow-query",
    summary: "an aggregate over a join is slow",
    baseline: false,
    shapes: ALL,
    inject: (system, { extraMs }, draws) => {
      const site = draws.pick(places(system, "db", isRead));
      const table = tableOf(site.step.statement);
      const text = `SELECT a.id, SUM(b.amount) FROM ${table} a JOIN ${table}_lines b ON b.parent_id = a.id WHERE a.owner_id = $1 GROUP BY a.id`;
      // which of the two it is shows in the plan, which spans don't carry
      return {
        ...slowStatement(system, site, text, extraMs),
        service: site.step.database,
        mechanism: "slow-query",
        acceptableMechanisms: ["missing-index"],
        operation: site.operation,
      };
    },
  },
  {
    name: "missing-index",
    summary: "a look-up by a column without index reads the whole table to return one row",
    baseline: false,
    shapes: ALL,
    inject: (system, { extraMs }, draws) => {
      const site = draws.pick(places(system, "db", isRead));
      const text = `SELECT id, state FROM ${tableOf(site.step.statement)} WHERE external_ref = $1`;
      const injection = slowStatement(system, site, text, extraMs);
      for (const variant of [injection.faulty, injection.fixed])
        sameSite(variant, site).step.rows = { count: constant(1), msPerRow: 0 };
      // as above: the plan decides
      return {
        ...injection,
        service: site.step.database,
        mechanism: "missing-index",
        acceptableMechanisms: ["slow-query"],
        operation: site.operation,
      };
    },
  },
  {
    name: "data-growth",
    summary: "a statement gets slower and slower over the window",
    baseline: false,
    shapes: ALL,
    inject: (system, { extraMs }, draws) => {
      const { faulty, fixed } = variants(system);
      const site = draws.pick(places(faulty, "db", isRead));
      site.step.growsTo = 1 + (2 * extraMs) / mean(site.step.time);
      sameMachines(faulty, [fixed]);
      return { faulty, fixed, service: site.step.database, mechanism: "data-growth", operation: site.operation };
    },
  },
  ...[false, true].map((poolSpans): Fault => ({
    name: poolSpans ? "n-plus-one-pool-spans" : "n-plus-one",
    summary: poolSpans
      ? "one statement per row, with a span of the pool before each"
      : "one statement per row instead of one for all",
    baseline: false,
    shapes: ALL,
    inject: (system, { extraMs }, draws) => {
      const { faulty, fixed } = variants(system);
      const site = draws.pick(places(faulty, "db", isRead));
      const times = Math.min(60, Math.max(6, extraMs / (2.2 + 2 * mean(faulty.network))));
      const one = db(
        site.step.database,
        `SELECT id, label FROM ${tableOf(site.step.statement)}_details WHERE id = $1`,
        2.2,
        0.5,
      );
      for (const variant of [faulty, fixed]) {
        serviceOf(variant, site.service.name).pools[site.step.database] = { size: 60, spans: poolSpans };
      }
      const healthy = sameSite(fixed, site);
      site.list.splice(site.index + 1, 0, loop(lognormal(times, 0.3), [one]));
      healthy.list.splice(healthy.index + 1, 0, one);
      const whatIf = numberedTogether(faulty, fixed) && changeOfCall(faulty, site.service, one, "batch");
      sameMachines(faulty, [fixed]);
      return {
        faulty,
        fixed,
        service: site.service.name,
        mechanism: "n-plus-one",
        operation: site.operation,
        ...(whatIf && { whatIf }),
      };
    },
  })),
  {
    name: "duplicate-calls",
    summary: "the same statement is run again and again within a request, between other steps",
    baseline: false,
    shapes: ALL,
    inject: (system, { extraMs }, draws) => {
      const { faulty, fixed } = variants(system);
      const site = draws.pick(places(faulty, "db", isRead));
      for (const variant of [faulty, fixed]) {
        variant.telemetry.literals = false;
        const { step: read } = sameSite(variant, site);
        read.time = lognormal(5, 0.4);
      }
      const again = Math.min(8, Math.max(2, Math.round(extraMs / 5)));
      const { steps } = operationOf(site.service, site.operation);
      const spread = Math.max(1, Math.floor((steps.length + 1) / again));
      for (const variant of [faulty, fixed]) {
        const list = operationOf(serviceOf(variant, site.service.name), site.operation).steps;
        for (let i = 0; i < again; i++) {
          // what is done between two of them is done without them too
          const copies = variant === faulty ? [{ ...site.step, id: 0 }] : [];
          const at = 1 + i * (spread + 1 + copies.length);
          list.splice(Math.min(list.length, at), 0, ...copies, compute(0.4, 0.5));
        }
      }
      sameMachines(faulty, [fixed]);
      const whatIf = changeOfCall(faulty, site.service, site.step, "batch");
      // statements carry parameters, not literals: whether the repeated ones ask for the same row is not in the spans
      return {
        faulty,
        fixed,
        service: site.service.name,
        mechanism: "duplicate-calls",
        acceptableMechanisms: ["n-plus-one"],
        operation: site.operation,
        ...(whatIf && { whatIf }),
      };
    },
  },
  {
    name: "row-lock",
    summary: "an update waits for the row that the other requests update too",
    baseline: false,
    shapes: ALL,
    inject: (system, { severity }, draws) => {
      const { faulty, fixed } = variants(system);
      const site = draws.pick(places(faulty, "db"));
      const update = db(site.step.database, "UPDATE sequences SET value = value + 1 WHERE name = $1", 2, 0.4);
      const healthy = sameSite(fixed, site);
      healthy.list.splice(healthy.index + 1, 0, update);
      const commit = lognormal(3, 0.6);
      const held = step({ ...update, rowLock: { name: "row", commit } } as typeof update);
      site.list.splice(site.index + 1, 0, held);
      numberedTogether(faulty, fixed);
      const rho = 0.85 + 0.1 * severity;
      for (const variant of [faulty, fixed])
        variant.ratePerSecond = (rho * 1000) / 5 / passesPerRequest(faulty, held.id);
      sameMachines(faulty, [fixed], 0.6);
      // a statement that waits for a row is a slow statement; that it waits shows only in its growth with the load
      return {
        faulty,
        fixed,
        service: site.step.database,
        mechanism: "lock-contention",
        acceptableMechanisms: ["slow-query"],
        operation: site.operation,
      };
    },
  },
  ...[true, false].map((poolSpans): Fault => ({
    name: poolSpans ? "pool-exhausted" : "pool-exhausted-gap",
    summary: poolSpans
      ? "too few connections; the pool has spans"
      : "too few connections; the wait is a gap before the statement",
    baseline: false,
    shapes: ALL,
    inject: (system, { severity }, draws) => {
      const base = cloneSystem(system);
      const site = draws.pick(places(base, "db", ({ service, step: { database } }) => database in service.pools));
      const {
        service,
        operation,
        step: { database },
      } = site;
      service.cpu = "threads";
      const spec = operationOf(service, operation);
      spec.steps = [step({ kind: "connection", pool: database, steps: spec.steps })];
      service.pools[database] = { size: 0, spans: poolSpans };
      numberSteps(base);
      const size = draws.whole(2, 5);
      loadUntilBusy(base, `pool:${service.name}:${database}`, (0.87 + 0.1 * severity) * size * service.instances, 77);
      const { faulty, fixed } = variants(base);
      serviceOf(faulty, service.name).pools[database]!.size = size;
      serviceOf(fixed, service.name).pools[database]!.size = 3 * size;
      return {
        faulty,
        fixed,
        service: service.name,
        mechanism: "pool-exhausted",
        operation,
        whatIf: [`service=${service.name},pool:${database}=${3 * size}`],
      };
    },
  })),
  {
    name: "cache-miss",
    summary: "the cache stops hitting, and every look-up goes to the database",
    baseline: true,
    shapes: ALL,
    inject: (system, { severity, extraMs }, draws) => {
      const candidates = places(system, "cached");
      if (candidates.length === 0) return null;
      const { faulty, fixed } = variants(system);
      const site = sameSite(faulty, draws.pick(candidates));
      const missed = 0.5 + 0.45 * severity;
      for (const variant of [faulty, fixed]) {
        const read = sameSite(variant, site).step.steps[0]!;
        if (read.kind === "db") read.time = lognormal(1.3 * extraMs, 0.5);
      }
      const { hitRatio, steps } = site.step;
      site.step.hitRatio = 1 - missed;
      sameMachines(faulty, [fixed]);
      const whatIf = changeOfCall(faulty, site.service, steps[0]!, `cache=${factorText(1 - (1 - hitRatio) / missed)}`);
      return {
        faulty,
        fixed,
        service: site.service.name,
        mechanism: "cache-miss",
        operation: site.operation,
        ...(whatIf && { whatIf }),
      };
    },
  },
  {
    name: "result-size",
    summary: "a statement without limit returns thousands of rows",
    baseline: false,
    shapes: ALL,
    inject: (system, { extraMs }, draws) => {
      const { faulty, fixed } = variants(system);
      const site = draws.pick(places(faulty, "db", isRead));
      const msPerRow = 0.01;
      site.step.rows = { count: lognormal(extraMs / msPerRow, 1.2), msPerRow };
      sameSite(fixed, site).step.rows = { count: lognormal(20, 0.5), msPerRow };
      sameMachines(faulty, [fixed]);
      // the query asks for too much: its caller's code; the rows come from the database, whose statement it is
      return {
        faulty,
        fixed,
        service: site.service.name,
        acceptableServices: [site.step.database],
        mechanism: "payload-size",
        operation: site.operation,
      };
    },
  },
];

/** Numbers new steps of both variants alike: those that both have must have one number. */
function numberedTogether(faulty: SystemSpec, fixed: SystemSpec): true {
  numberSteps(faulty);
  const byContent = new Map(
    faulty.endpoints
      .flatMap((_, row) => sitesOf(faulty, row))
      .map(({ step: { id, ...body } }) => [contentKey(body), id]),
  );
  for (const { step: own } of fixed.endpoints.flatMap((_, row) => sitesOf(fixed, row))) {
    const { id, ...body } = own;
    if (id === 0) own.id = byContent.get(contentKey(body)) ?? 0;
  }
  numberSteps(fixed);
  return true;
}

const contentKey = (body: object): string => JSON.stringify({ ...body, rowLock: undefined });
