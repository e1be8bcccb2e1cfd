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
import { limitTogether } from "./equal-limiters.ts";
import { measureResources, type MeasuredResource } from "./measured-resources.ts";
import { missingResources, type MissingResource } from "./missing-resources.ts";
import { requestLoad } from "./request-load.ts";
import { workGates } from "./work-gates.ts";
import { mapToFloats } from "../../model/map-column.ts";

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
  /** how measurements were read where that is not certain */
  readonly assumptions: readonly string[];
}

/** Fewer requests give no rate to speak of. */
const MIN_REQUESTS = 50;
/** A resource that is used for less than a hundredth tells its limit no better than its unit: 500 cores may be 0.5. */
const MAX_HEADROOM = 100;

/**
 * The throughput path: laws that the data must keep, demands of every resource that was measured, the ceiling of each, and
 * what limits first and next. A resource of which nothing is known may be the limiter unless its spans show that it
 * cannot be: then the status is "insufficient-data", and what is missing is named.
 */
export function analyseThroughput(window: Window, resources: ResourceSamples | undefined, seed: number): Throughput {
  const graph = callGraph(window);
  const load = requestLoad(window);
  const { measured, joins, assumptions } = measureResources(window, resources, load.perSecond, seed);
  const model = { graph, perSecond: load.perSecond, resources: measured.map((m) => m.model) };
  const gates = [...gatesOf(window, graph, measured), ...workGates(window, graph, resources, measured)];
  const missing = missingResources(window, graph, measured, joins.ambiguous);
  const known = { gates, measured, model, missing, assumptions };
  const rows = (ceiling?: ModelCeiling): ResourceRow[] => measured.map((m, i) => rowOf(m, ceiling?.each[i]));
  const said = assumptions.length === 0 ? {} : { assumptions };
  const refuse = (status: "insufficient-data" | "gate-failed", detail: string): Throughput => ({
    ...known,
    report: { status, detail, ...said, ...(measured.length === 0 ? {} : { resources: rows() }) },
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
  if (ceiling.perSecond > MAX_HEADROOM * load.perSecond)
    return refuse("insufficient-data", `${lowestKnown(ceiling)}: too far from the present ${rateText(load.perSecond)}`);
  return describe(known, ceiling, rows(ceiling));
}

function describe(known: Omit<Throughput, "report">, ceiling: ModelCeiling, resources: ResourceRow[]): Throughput {
  const { model, measured, assumptions } = known;
  const next = ceilingOf(without(model, ceiling.limiter));
  const limiter = limiterRow(measured, ceiling, model.perSecond);
  const headroom = ceiling.perSecond / model.perSecond;
  const pair = limitTogether(model, ceiling, next);
  const { perRequest } = measuredOf(measured, ceiling.limiter).demand;
  const detail =
    `${nameOf(ceiling.limiter)} is full at ${rateText(ceiling.perSecond)} requests/s, ${headroom.toFixed(2)} times the present ${rateText(model.perSecond)}` +
    `; a request needs ${ms(perRequest.value * NS_PER_S)} of ${capacityText(ceiling.limiter)}`;
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
      ...(pair === undefined ? {} : { together: pair }),
      ...(assumptions.length === 0 ? {} : { assumptions }),
    },
  };
}

function limiterRow(measured: readonly MeasuredResource[], ceiling: ModelCeiling, perSecond: number): Limiter {
  const { use } = measuredOf(measured, ceiling.limiter);
  const interval = ceilingInterval(measured, ceiling, perSecond);
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
 * Standard deviation of the logarithm per logarithm of the ceiling over the present load, where connections or threads limit:
 * of simulated pools (`npm run bench:capacity`, seeds 1 to 20 and 101 to 116; none of the published figures).
 */
const HELD_ERROR = 0.1;
/** Normal deviate of a two-sided 90 % interval. */
const Z = 1.645;

/**
 * A ceiling is as uncertain as the demand of its limiter, the other way round, and as its capacity. How much longer a
 * connection or thread is held near the limit is not measured but modelled: half of that is added to either side, and
 * an error that grows with how far the present load is from the ceiling.
 */
export function ceilingInterval(
  measured: readonly MeasuredResource[],
  { perSecond, limiter }: ModelCeiling,
  presentPerSecond: number,
): { low: number; high: number } {
  const { demand, capacityLow, capacityHigh } = measuredOf(measured, limiter);
  const { value, low, high } = demand.perRequest;
  const modelled = isHeld(limiter) ? Math.abs(ownCeiling(limiter) - perSecond) / 2 : 0;
  const below = high > 0 ? value / high : 1;
  const above = low > 0 ? value / low : 1;
  const far = Math.max(0, Math.log(perSecond / presentPerSecond));
  const held = isHeld(limiter) && Number.isFinite(far) ? Z * HELD_ERROR * far : 0;
  // Reasons to be wrong that have nothing to do with each other.
  const reach = (a: number, b: number): number => Math.hypot(Math.log(a), Math.log(b), held);
  return {
    low: Math.max(0, (capacityLow > 0 ? perSecond * Math.exp(-reach(below, capacityLow)) : 0) - modelled),
    high: perSecond * Math.exp(reach(above, capacityHigh)) + modelled,
  };
}

export function measuredOf(measured: readonly MeasuredResource[], resource: ModelResource): MeasuredResource {
  return measured.find(({ model }) => model.service === resource.service && model.resource === resource.resource)!;
}

function gatesOf(window: Window, graph: CallGraph, measured: readonly MeasuredResource[]): Gate[] {
  const load = requestLoad(window);
  const { forest } = window;
  const column = (of: Float64Array): Float64Array => mapToFloats(load.rows, (row) => of[row]!);
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
    const beyondS = Math.max(0, demand.perRequest.value - residenceS);
    const excess = (beyondS * load.perSecond) / (use.capacityEach * use.instances);
    const gate = utilisationLaw({ ...check, demandS: demand.perRequest.value, excess });
    if (!gate.ok) gates.push(gate);
  }
  return gates;
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

/** "2 cores", "3 × 10 connections": what there is of it. */
const capacityText = ({ resource, instances, capacityEach }: ModelResource): string => {
  const each = Number(capacityEach.toPrecision(3));
  const unit = resource.startsWith("pool:") ? "connection" : resource === "cpu" || resource === "quota" ? "core" : "";
  const units = unit === "" || (each === 1 && instances === 1) ? unit : `${unit}s`;
  return `its ${instances === 1 ? "" : `${instances} × `}${each} ${units}`.trimEnd();
};

/** Four digits: more would claim more than is known. */
const round = (value: number): number => Number(value.toPrecision(4));
export const rateText = (value: number): string => String(Number(value.toPrecision(3)));
