import type { ReplayPlan } from "../../analysis/replay-plan.ts";
import { ownTimeNs } from "../../analysis/interventions.ts";
import { Gone, type Edits } from "../../analysis/replay.ts";
import type { Change } from "../../model/change.ts";
import { NS_PER_S } from "../../model/units.ts";
import { SpanRole } from "../../model/span-facts.ts";
import type { Window } from "../window.ts";
import { databaseKey } from "./call-graph.ts";
import type { CapacityModel, ModelResource } from "./capacity-model.ts";
import type { MeasuredResource } from "./measured-resources.ts";
import { measuredOf } from "./throughput.ts";

/** The model after changes of sizes, and what cannot be said of them. */
export interface ChangedModel {
  readonly model: CapacityModel;
  readonly assumptions: readonly string[];
  /** per change of `changes` that needs a resource which was not measured: why */
  readonly cannotTell: ReadonlyMap<Change, string>;
}

/** Changes of pools, replicas and cores; other changes are left out. */
export function resized(
  window: Window,
  model: CapacityModel,
  measured: readonly MeasuredResource[],
  changes: readonly Change[],
): ChangedModel {
  let { resources } = model;
  const assumptions = new Set<string>();
  const cannotTell = new Map<Change, string>();
  for (const change of changes) {
    const touched = resources.filter((resource) => isTouched(resource, change));
    const reason = unsupported(window, model, measured, change, touched);
    if (reason !== undefined) cannotTell.set(change, reason);
    if (touched.length === 0) continue;
    resources = resources.map((resource) => (touched.includes(resource) ? resize(resource, change) : resource));
    if (change.kind === "replicas") assumptions.add("the load spreads over all replicas as it does now");
    if (change.kind === "pool" && !hasWaits(window, change))
      assumptions.add(
        `waits for the pool:${change.pool} of ${change.service} have no spans: they are taken to stand before its statements`,
      );
    if (change.kind === "replicas" || change.kind === "pool")
      assumptions.add("what is behind has room for more calls at once, as far as it was measured");
  }
  return { model: { ...model, resources }, assumptions: [...assumptions], cannotTell };
}

function isTouched(resource: ModelResource, change: Change): boolean {
  switch (change.kind) {
    case "pool":
      return resource.service === change.service && resource.resource === `pool:${change.pool}`;
    case "replicas":
      return resource.service === change.service && resource.isHost !== true;
    case "cpu":
      return resource.service === change.service && (resource.resource === "cpu" || resource.resource === "quota");
    case "without":
      return resource.isHost === true && resource.service === change.host && runsOn(resource, change.service);
    default:
      return false;
  }
}

const runsOn = ({ shares, others }: ModelResource, service: string): boolean =>
  shares?.has(service) === true || others?.has(service) === true;

function unsupported(
  window: Window,
  model: CapacityModel,
  measured: readonly MeasuredResource[],
  change: Change,
  touched: readonly ModelResource[],
): string | undefined {
  const hasCpu = touched.some(({ resource }) => resource === "cpu");
  switch (change.kind) {
    case "pool":
      if (touched.length === 0)
        return `neither metrics nor spans tell the size and the use of the pool:${change.pool} of ${change.service}`;
      return undefined;
    case "cpu":
      if (!hasCpu) return `the CPU utilisation of ${change.service} is not measured`;
      if (touched.some(({ resource }) => resource === "quota"))
        return `percentiles: how long the quota of ${change.service} makes requests wait is not modelled, so it stays`;
      return measuredOf(measured, touched[0]!).use.isEventLoop && change.cores > 1
        ? `${change.service} is a single event loop, which uses one core whatever there are: replicas help, cores do not`
        : undefined;
    case "replicas":
      if (!model.graph.services.has(change.service)) return `no spans of a service ${change.service}`;
      return hasCpu ? undefined : `the CPU utilisation of ${change.service} is not measured`;
    case "without":
      if (touched.length > 0) return undefined;
      return model.resources.some(({ isHost, service }) => isHost === true && service === change.host)
        ? `no metric counts the processor time of ${change.service} on ${change.host}`
        : `no metrics of the processors of ${change.host}`;
    default:
      return undefined;
  }
}

/** Whether acquisitions of the pool are among the spans. */
function hasWaits({ paths, text }: Window, { service, pool }: Extract<Change, { kind: "pool" }>): boolean {
  return paths.role.some(
    (role, node) =>
      role === SpanRole.pool &&
      text(paths.service[node]!) === service &&
      paths.callee[node]! >= 0 &&
      text(paths.callee[node]!) === pool,
  );
}

function resize(resource: ModelResource, change: Change): ModelResource {
  switch (change.kind) {
    case "pool":
      return { ...resource, capacityEach: change.size };
    case "replicas":
      // What an instance does without requests (collector, timers) each instance does.
      return {
        ...resource,
        instances: change.replicas,
        background: (resource.background / resource.instances) * change.replicas,
      };
    case "cpu":
      // An event loop uses one core whatever the quota allows.
      return resource.isEventLoop && resource.resource === "cpu"
        ? resource
        : { ...resource, capacityEach: change.cores };
    case "without":
      return withoutService(resource, change.service);
    default:
      return resource;
  }
}

/** The machine once a process is elsewhere. */
function withoutService(host: ModelResource, service: string): ModelResource {
  const cores = host.others?.get(service) ?? 0;
  const gone = host.shares?.get(service) ?? 0;
  const left = 1 - gone;
  const shares = [...(host.shares ?? [])].filter(([name]) => name !== service);
  return {
    ...host,
    demandS: host.demandS * left,
    background: Math.max(0, host.background - cores),
    shares: new Map(shares.map(([name, share]) => [name, left > 0 ? share / left : 0])),
  };
}

/** The demands that are left after the edits of a replay: calls that are gone use nothing, shorter ones less. */
export function withDemandsOf(model: CapacityModel, plan: ReplayPlan, edits: Edits): CapacityModel {
  const factors = demandFactors(plan, edits);
  const factorOf = (service: string, demandS: number): number => {
    const change = factors.get(service);
    return change === undefined ? 1 : processorFactor(change, model.graph.services.has(service), demandS);
  };
  return {
    ...model,
    resources: model.resources.map((resource) => {
      if (resource.shares !== undefined) return withShares(resource, resource.shares, factorOf);
      if (!resource.resource.startsWith("pool:"))
        return { ...resource, demandS: resource.demandS * factorOf(resource.service, resource.demandS) };
      const change = factors.get(databaseKey(resource.service, resource.resource.slice("pool:".length)));
      return change === undefined ? resource : { ...resource, demandS: resource.demandS * change.factor };
    }),
  };
}

interface TimeChange {
  /** time after over time before */
  readonly factor: number;
  /** per request, before */
  readonly timeS: number;
}

/**
 * How much less processor a service needs when its own time gets shorter. A process whose own time is all computing needs less
 * in proportion; one that mostly waits for a timer or a file may lose all of that, and compute as before, as long as
 * there is time for it. Between the two by the share of its own time that it computes. A statement computes in proportion.
 */
function processorFactor({ factor, timeS }: TimeChange, isService: boolean, demandS: number): number {
  if (!isService || factor >= 1 || !(timeS > 0)) return factor;
  const computing = Math.min(1, demandS / timeS);
  return computing * factor + (1 - computing) * Math.min(1, computing > 0 ? factor / computing : 1);
}

/** A machine's demand is that of all that run on it. */
function withShares(
  resource: ModelResource,
  shares: ReadonlyMap<string, number>,
  factorOf: (service: string, demandS: number) => number,
): ModelResource {
  const after = [...shares].map(
    ([service, share]) => [service, share * factorOf(service, share * resource.demandS)] as const,
  );
  const total = after.reduce((sum, [, share]) => sum + share, 0);
  if (!(total > 0)) return { ...resource, demandS: 0 };
  return {
    ...resource,
    demandS: resource.demandS * total,
    shares: new Map(after.map(([service, share]) => [service, share / total])),
  };
}

/** By service, by database, and by service and database: time in use after the edits over time before. */
function demandFactors(plan: ReplayPlan, edits: Edits): Map<string, TimeChange> {
  const { facts, spans } = plan.forest;
  const before = new Map<string, number>();
  const after = new Map<string, number>();
  const add = (key: string, now: number, then: number): void => {
    before.set(key, (before.get(key) ?? 0) + now);
    after.set(key, (after.get(key) ?? 0) + then);
  };
  // What is left of each span by what is above it: 0 below a call that is gone.
  const left = new Float64Array(plan.count);
  for (let at = 0; at < plan.count; at++) {
    const up = plan.parentAt[at]!;
    const isGone = edits.gone[at] !== Gone.no || (edits.batch[at]! >= 0 && edits.batch[at] !== at);
    left[at] = isGone ? 0 : (up < 0 ? 1 : left[up]!) * edits.factor[at]!;
    const row = plan.row[at]!;
    const service = spans.strings.get(facts.service[row]!);
    if (facts.role[row] === SpanRole.database) {
      if (facts.callee[row]! < 0) continue;
      const database = spans.strings.get(facts.callee[row]!);
      const now = plan.durationNs[at]!;
      add(database, now, now * left[at]!);
      add(databaseKey(service, database), now, now * left[at]!);
    } else if (facts.role[row] !== SpanRole.client && facts.role[row] !== SpanRole.pool) {
      const now = ownTimeNs(plan, at);
      add(service, now, now * left[at]! * edits.ownFactor[at]!);
    }
  }
  const requests = plan.traces.filter((t) => facts.role[plan.forest.root[t]!] !== SpanRole.consumer).length;
  return new Map(
    [...before].map(([key, time]) => [
      key,
      { factor: time > 0 ? after.get(key)! / time : 1, timeS: requests > 0 ? time / requests / NS_PER_S : 0 },
    ]),
  );
}
