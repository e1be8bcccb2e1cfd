import { forcedFlow, missingSpans } from "../../analysis/forced-flow.ts";
import { littlesLaw, type Gate } from "../../analysis/littles-law.ts";
import { utilisationLaw } from "../../analysis/utilisation-law.ts";
import type { Limiter, ResourceRow, ThroughputReport } from "../../model/report.ts";
import type { ResourceSamples } from "../../model/resource-samples.ts";
import { NS_PER_S } from "../../model/units.ts";
import type { Window } from "../window.ts";
import { count, ms } from "../wording.ts";
import { callGraph, type CallGraph } from "./call-graph.ts";
import {
  ceilingOf,
  isHeld,
  ownCeiling,
  without,
  type CapacityModel,
  type ModelCeiling,
  type ModelResource,
} from "./capacity-model.ts";
import { demandOf, type Demand } from "./demand.ts";
import { requestLoad } from "./request-load.ts";
import { resourceUses, type ResourceUse } from "./resource-use.ts";
import { spanPools } from "./span-pools.ts";

/** A resource with what was seen of it and what requests need of it. */
export interface MeasuredResource {
  readonly use: ResourceUse;
  readonly demand: Demand;
  readonly model: ModelResource;
}

/** What limits the throughput, as far as the data tell. */
export interface Throughput {
  readonly report: ThroughputReport;
  readonly gates: readonly Gate[];
  /** what could be measured, whatever the status */
  readonly measured: readonly MeasuredResource[];
  readonly model: CapacityModel;
  readonly ceiling?: ModelCeiling;
  readonly next?: ModelCeiling;
  /** CPUs whose use is not known */
  readonly missing: readonly MissingResource[];
}

/** Fewer requests give no rate to speak of. */
const MIN_REQUESTS = 50;

/**
 * The throughput path: laws that the data must keep, demands of every resource that was measured, the ceiling of each, and
 * what limits first and next. A resource of which nothing is known may be the limiter unless its spans show that it
 * cannot be: then the status is "insufficient-data", and what is missing is named.
 */
export function analyseThroughput(window: Window, resources: ResourceSamples | undefined, seed: number): Throughput {
  const graph = callGraph(window);
  const load = requestLoad(window);
  const measured = measure(window, resources, load.perSecond, seed);
  const model = { graph, perSecond: load.perSecond, resources: measured.map((m) => m.model) };
  const gates = gatesOf(window, graph, measured);
  const missing = missingResources(window, graph, measured);
  const known = { gates, measured, model, missing };
  const rows = (ceiling?: ModelCeiling): ResourceRow[] => measured.map((m, i) => rowOf(m, ceiling?.each[i]));
  const refuse = (status: "insufficient-data" | "gate-failed", detail: string): Throughput => ({
    ...known,
    report: { status, detail, ...(measured.length === 0 ? {} : { resources: rows() }) },
  });
  if (load.rows.length < MIN_REQUESTS || load.perSecond === 0) {
    return refuse("insufficient-data", `${count(load.rows.length)} requests, ${MIN_REQUESTS} at least are needed`);
  }
  const failed = gates.filter(({ ok }) => !ok);
  if (failed.length > 0 && measured.length > 0)
    return refuse("gate-failed", failed.map(({ name, detail }) => `${name}: ${detail}`).join("; "));
  const ceiling = ceilingOf(model);
  if (ceiling === undefined) return refuse("insufficient-data", nothingKnown(missing));
  const blocking = missing.filter((m) => !m.isBehindPools && m.leastCeiling < ceiling.perSecond);
  if (blocking.length > 0) {
    return refuse(
      "insufficient-data",
      `${listed(blocking)} may limit first, and is not measured; ${lowestKnown(ceiling)}`,
    );
  }
  return describe(known, ceiling, rows(ceiling));
}

function describe(known: Omit<Throughput, "report">, ceiling: ModelCeiling, resources: ResourceRow[]): Throughput {
  const { model, measured } = known;
  const next = ceilingOf(without(model, ceiling.limiter));
  const limiter = limiterRow(measured, ceiling);
  const headroom = ceiling.perSecond / model.perSecond;
  const { perRequest } = measuredOf(measured, ceiling.limiter).demand;
  const detail =
    `${nameOf(ceiling.limiter)} is full at ${rateText(ceiling.perSecond)} requests/s, ${headroom.toFixed(2)} times the present ${rateText(model.perSecond)}` +
    `; a request needs ${ms(perRequest.value * NS_PER_S)} of ${capacityText(ceiling.limiter)} per request`;
  return {
    ...known,
    ceiling,
    ...(next === undefined ? {} : { next }),
    report: {
      status: "ok",
      detail,
      limiter,
      ...(next === undefined
        ? {}
        : {
            next: {
              service: next.limiter.service,
              resource: next.limiter.resource,
              ceilingPerSecond: round(next.perSecond),
            },
          }),
      resources,
    },
  };
}

function limiterRow(measured: readonly MeasuredResource[], ceiling: ModelCeiling): Limiter {
  const { use } = measuredOf(measured, ceiling.limiter);
  const interval = ceilingInterval(measured, ceiling);
  return {
    service: use.service,
    resource: use.resource,
    ceilingPerSecond: round(ceiling.perSecond),
    lowPerSecond: round(interval.low),
    highPerSecond: round(interval.high),
    utilisation: use.utilisation,
  };
}

/**
 * A ceiling is as uncertain as the demand of its limiter, the other way round. How much longer a connection or thread is
 * held near the limit is not measured but modelled: half of that is added to either side.
 */
export function ceilingInterval(
  measured: readonly MeasuredResource[],
  { perSecond, limiter }: ModelCeiling,
): { low: number; high: number } {
  const { value, low, high } = measuredOf(measured, limiter).demand.perRequest;
  const modelled = isHeld(limiter) ? Math.abs(ownCeiling(limiter) - perSecond) / 2 : 0;
  return {
    low: Math.max(0, (high > 0 ? (perSecond * value) / high : perSecond) - modelled),
    high: (low > 0 ? (perSecond * value) / low : perSecond) + modelled,
  };
}

export function measuredOf(measured: readonly MeasuredResource[], resource: ModelResource): MeasuredResource {
  return measured.find(({ model }) => model.service === resource.service && model.resource === resource.resource)!;
}

function measure(
  window: Window,
  resources: ResourceSamples | undefined,
  perSecond: number,
  seed: number,
): MeasuredResource[] {
  const fromMetrics = resourceUses(window, resources);
  const fromSpans = spanPools(window)
    .map(({ use }) => use)
    .filter((use) => !fromMetrics.some((other) => other.service === use.service && other.resource === use.resource));
  return [...fromMetrics, ...fromSpans].flatMap((use) => {
    const demand = perSecond > 0 ? demandOf(window, use, seed) : undefined;
    if (demand === undefined) return [];
    const model: ModelResource = {
      service: use.service,
      resource: use.resource,
      instances: use.instances,
      capacityEach: effectiveCapacity(use),
      demandS: demand.perRequest.value,
      background: demand.background,
      isEventLoop: use.isEventLoop,
    };
    return [{ use, demand, model }];
  });
}

/** Where one instance is clearly busier, it is full while the others are not: the capacity that can be used is less. */
function effectiveCapacity({ capacityEach, utilisation, hottest }: ResourceUse): number {
  return hottest === undefined || hottest.utilisation <= 0
    ? capacityEach
    : (capacityEach * utilisation) / hottest.utilisation;
}

function gatesOf(window: Window, graph: CallGraph, measured: readonly MeasuredResource[]): Gate[] {
  const load = requestLoad(window);
  const { forest } = window;
  const column = (of: Float64Array): Float64Array => Float64Array.from(load.rows, (row) => of[row]!);
  const complete = forest.rows.filter((row) => forest.complete[forest.trace[row]!] === 1).length;
  const gates = [
    littlesLaw(column(forest.startNs), column(forest.endNs), load.fromNs, load.toNs),
    forcedFlow(graph.flows),
    missingSpans(forest.rows.length, forest.rows.length - complete),
  ];
  for (const { use, demand } of measured) {
    if (use.source !== "metrics" || !use.isCapacityKnown) continue;
    const residenceS = use.resource === "cpu" ? (graph.services.get(use.service)?.ownS ?? Infinity) : Infinity;
    const check = { name: `${use.resource} of ${use.service}`, utilisation: use.measured, residenceS };
    const gate = utilisationLaw({ ...check, demandS: demand.perRequest.value });
    if (!gate.ok) gates.push(gate);
  }
  return gates;
}

export interface MissingResource {
  readonly what: string;
  /** the least that it can do, by its spans: requests per second */
  readonly leastCeiling: number;
  /** all its calls pass pools that were seen full, so that it cannot limit as long as they stay as they are */
  readonly isBehindPools: boolean;
}

/**
 * Services and databases without a measured CPU. Work happens within spans, so no more cores can have been busy than
 * spans were open there, and each instance has one core at least: that bounds how near it can be to its limit.
 */
function missingResources(window: Window, graph: CallGraph, measured: readonly MeasuredResource[]): MissingResource[] {
  const hasCpu = new Set(
    measured.filter(({ use }) => use.resource === "cpu" || use.resource === "quota").map(({ use }) => use.service),
  );
  const found: MissingResource[] = [];
  for (const { name: service, ownS, instances } of graph.services.values()) {
    if (!hasCpu.has(service))
      found.push({
        what: `the CPU of ${service}`,
        leastCeiling: ownS > 0 ? instances / ownS : Infinity,
        isBehindPools: false,
      });
  }
  const databases = new Map<string, number>();
  for (const { database, timeS } of graph.databases.values())
    databases.set(database, (databases.get(database) ?? 0) + timeS);
  for (const [database, timeS] of databases) {
    if (database === "" || hasCpu.has(database)) continue;
    const leastCeiling = timeS > 0 ? 1 / timeS : Infinity;
    const what = `the CPU of the database ${database}`;
    found.push({ what, leastCeiling, isBehindPools: isBehindPools(window, graph, database) });
  }
  return found;
}

/** Uses of a full pool that last no longer than others: by so much they may. */
const SAME_HOLD = 1.3;
/** Share of the busy time in which a pool was full, for that to show how the database takes it. */
const SEEN_FULL = 0.1;

/**
 * A database whose calls all pass pools that were seen full, and that was no slower then, has seen the most at once that
 * it can ever get: it does not limit before they do.
 */
function isBehindPools(window: Window, graph: CallGraph, database: string): boolean {
  const pools = spanPools(window).filter((pool) => pool.database === database);
  return [...graph.databases.values()]
    .filter((work) => work.database === database)
    .every(({ service }) => {
      const limit = pools.find((pool) => pool.service === service)?.limit;
      return (
        limit !== undefined && limit.fullShare >= SEEN_FULL && limit.holdWhenFullNs <= SAME_HOLD * limit.holdElseNs
      );
    });
}

function nothingKnown(missing: readonly MissingResource[]): string {
  const what = missing.length === 0 ? "" : `: ${listed(missing)}`;
  return `no utilisation of any resource in these data, and no limit shows in the spans; ceilings need metrics of hosts and pools${what}, or a ramp of load`;
}

function listed(missing: readonly MissingResource[]): string {
  const nearest = missing.toSorted((a, b) => a.leastCeiling - b.leastCeiling).map(({ what }) => what);
  const shown = nearest.slice(0, 4).join(", ");
  return nearest.length > 4 ? `${shown} and ${nearest.length - 4} others` : shown;
}

const lowestKnown = ({ limiter, perSecond }: ModelCeiling): string =>
  `of what is measured, ${nameOf(limiter)} is full first, at ${rateText(perSecond)} requests/s`;

function rowOf({ use, demand, model }: MeasuredResource, ceiling: number | undefined): ResourceRow {
  const { hottest } = use;
  return {
    service: use.service,
    resource: use.resource,
    ...(hottest === undefined || hottest.instance === "" ? {} : { instance: hottest.instance }),
    ...(hottest === undefined || hottest.host === "" ? {} : { host: hottest.host }),
    demandMs: demand.perRequest.value * 1e3,
    ...(use.isCapacityKnown ? { capacity: use.capacityEach * use.instances } : {}),
    utilisation: use.utilisation,
    worstUtilisation: use.worstUtilisation,
    shareAboveLine: use.shareAboveLine,
    ...(Number.isFinite(ceiling ?? ownCeiling(model)) ? { ceilingPerSecond: round(ceiling ?? ownCeiling(model)) } : {}),
  };
}

/** "the pool:shop of orders". */
export const nameOf = ({ service, resource }: { readonly service: string; readonly resource: string }): string =>
  resource.startsWith("pool:")
    ? `the pool of ${service} towards ${resource.slice("pool:".length)}`
    : `the ${resourceWord(resource)} of ${service}`;

const resourceWord = (resource: string): string => (resource === "cpu" ? "CPU" : resource);

const capacityText = ({ instances, capacityEach }: ModelResource): string => {
  const each = Number(capacityEach.toPrecision(3));
  return instances === 1 ? String(each) : `${instances} × ${each}`;
};

/** Four digits: more would claim more than is known. */
const round = (value: number): number => Number(value.toPrecision(4));
export const rateText = (value: number): string => String(Number(value.toPrecision(3)));
