import { quantileOf } from "../../analysis/weighted-quantile.ts";
import type { ResourceSample, ResourceSamples } from "../../model/resource-samples.ts";
import { NS_PER_S } from "../../model/units.ts";
import type { Window } from "../window.ts";
import { requestLoad } from "./request-load.ts";
import { mapToFloats } from "../../model/map-column.ts";

/** How one resource of one service, all instances together, was used over the window. */
export interface ResourceUse {
  readonly service: string;
  /** as the report names it: an event loop is a "cpu" of one core */
  readonly resource: string;
  readonly source: "metrics" | "spans";
  /** more cores do not help it */
  readonly isEventLoop: boolean;
  readonly instances: number;
  /** of one instance; 1, in shares, where the metric tells shares only */
  readonly capacityEach: number;
  readonly isCapacityKnown: boolean;
  /** mean share in use; of the worst window; share of the windows above the line from which queues form */
  readonly utilisation: number;
  readonly worstUtilisation: number;
  readonly shareAboveLine: number;
  /** one instance that is clearly busier than the others */
  readonly hottest?: { readonly instance: string; readonly host: string; readonly utilisation: number };
  /** capacity in use by all instances in windows of `widthNs` that were seen whole, from each of `startNs` */
  readonly startNs: Float64Array;
  readonly widthNs: number;
  readonly busy: Float64Array;
  /** values as they were measured, for the gates */
  readonly measured: Float64Array;
  /** full in reading after reading, and in none of them did anybody wait for it: who uses it are no more than there is of it */
  readonly isHeld?: true;
}

/** A single server at 80 % keeps its work waiting for four times as long as it takes. */
const LINE = 0.8;
/** Shorter windows hold too few requests for their edges not to matter. */
const MIN_BIN_NS = NS_PER_S;
/**
 * Where requests take and return what is full by this much, somebody waits in most moments (Erlang C: in two of three for a
 * hundred places, in more for fewer): that nobody does in so many readings happens once in thousands of times.
 */
const HELD = 0.98;
const HELD_READINGS = 8;
/** An instance counts as apart when it is this much busier than the mean, */
const MIN_EXCESS = 1.2;
/** and by so many standard errors of its windows. */
const MIN_DEVIATIONS = 4;

/** Samples of metrics within the window of the requests, by service and resource. */
export function resourceUses(window: Window, resources: ResourceSamples | undefined): ResourceUse[] {
  if (resources === undefined) return [];
  const shiftNs = Number(resources.baseUnixNs - window.spans.baseUnixNs);
  const groups = new Map<string, ResourceSample[]>();
  for (const sample of resources.samples) {
    const key = `${sample.service}\u0000${sample.resource}`;
    const held = groups.get(key);
    if (held === undefined) groups.set(key, [sample]);
    else held.push(sample);
  }
  const uses = [...groups.values()].flatMap((samples) => {
    const use = useOf(window, samples, shiftNs);
    return use === undefined ? [] : [use];
  });
  return busierOfTwins(uses).sort((a, b) => b.utilisation - a.utilisation || (keyOf(a) < keyOf(b) ? -1 : 1));
}

const keyOf = (use: ResourceUse): string => `${use.service}\u0000${use.resource}`;

/**
 * A process's CPU and its event loop are one thing to the reader: the one that is nearer to its limit counts, or the loop
 * where only the share of a machine is known, which is no limit of the process.
 */
function busierOfTwins(uses: readonly ResourceUse[]): ResourceUse[] {
  const kept = new Map<string, ResourceUse>();
  for (const use of uses) {
    const twin = kept.get(keyOf(use));
    if (twin === undefined || isNearer(use, twin)) kept.set(keyOf(use), use);
  }
  return [...kept.values()];
}

function isNearer(a: ResourceUse, b: ResourceUse): boolean {
  if (a.isEventLoop !== b.isEventLoop && !(a.isCapacityKnown && b.isCapacityKnown)) return a.isEventLoop;
  return a.utilisation > b.utilisation;
}

function useOf(window: Window, samples: readonly ResourceSample[], shiftNs: number): ResourceUse | undefined {
  const { fromNs, toNs } = requestLoad(window);
  const inWindow = samples.filter((s) => {
    const start = s.windowStartNs + shiftNs;
    return s.windowNs > 0 && start >= fromNs - s.windowNs && start + s.windowNs <= toNs + s.windowNs;
  });
  if (inWindow.length === 0) return undefined;
  const widthNs = Math.max(
    MIN_BIN_NS,
    quantileOf(
      mapToFloats(inWindow, (s) => s.windowNs),
      0.5,
    ),
  );
  const series = new Map<string, ResourceSample[]>();
  for (const sample of inWindow) {
    const key = `${sample.instance}\u0000${sample.host}`;
    const held = series.get(key);
    if (held === undefined) series.set(key, [sample]);
    else held.push(sample);
  }
  const first = inWindow.reduce((least, s) => Math.min(least, s.windowStartNs + shiftNs), Infinity);
  const startAt = Math.max(first, fromNs);
  const bins = Math.max(0, Math.floor((toNs - startAt) / widthNs + 1e-6));
  const each = [...series.values()].map((list) => binned(list, shiftNs, startAt, widthNs, bins));
  return summary(samples[0]!, [...series.values()], each, startAt, widthNs, bins);
}

/** Per bin: mean capacity in use of one instance, NaN where it was not seen for most of the bin. */
function binned(
  samples: readonly ResourceSample[],
  shiftNs: number,
  startAt: number,
  widthNs: number,
  bins: number,
): Float64Array {
  const used = new Float64Array(bins);
  const seen = new Float64Array(bins);
  for (const { windowStartNs, windowNs, utilisation, capacity } of samples) {
    const from = windowStartNs + shiftNs - startAt;
    const amount = utilisation * (Number.isFinite(capacity) ? capacity : 1);
    if (!Number.isFinite(amount)) continue;
    for (let bin = Math.max(0, Math.floor(from / widthNs)); bin < bins && bin * widthNs < from + windowNs; bin++) {
      const overlap = Math.min(from + windowNs, (bin + 1) * widthNs) - Math.max(from, bin * widthNs);
      if (overlap <= 0) continue;
      used[bin]! += amount * overlap;
      seen[bin]! += overlap;
    }
  }
  return used.map((amount, bin) => (seen[bin]! >= 0.9 * widthNs ? amount / seen[bin]! : Number.NaN));
}

function summary(
  of: ResourceSample,
  series: readonly (readonly ResourceSample[])[],
  each: readonly Float64Array[],
  startAt: number,
  widthNs: number,
  bins: number,
): ResourceUse | undefined {
  const capacities = series.map((list) => list.at(-1)!.capacity);
  const isCapacityKnown = capacities.every((c) => Number.isFinite(c) && c > 0);
  const capacityEach = isCapacityKnown ? capacities.reduce((a, b) => a + b, 0) / capacities.length : 1;
  const total = capacityEach * series.length;
  const whole = Array.from({ length: bins }, (_, bin) => bin).filter((bin) =>
    each.every((of) => !Number.isNaN(of[bin]!)),
  );
  const busy = mapToFloats(whole, (bin) => each.reduce((sum, of) => sum + of[bin]!, 0));
  if (busy.length === 0) return undefined;
  const shares = busy.map((b) => b / total);
  const resource = of.resource === "event-loop" ? "cpu" : of.resource;
  const apart = hottest(series, each, whole, capacities);
  return {
    service: of.service,
    resource,
    source: "metrics",
    isEventLoop: of.resource === "event-loop",
    instances: series.length,
    capacityEach,
    isCapacityKnown,
    utilisation: meanOf(shares),
    worstUtilisation: shares.reduce((a, b) => Math.max(a, b), 0),
    shareAboveLine: shares.filter((share) => share > LINE).length / shares.length,
    ...(apart === undefined ? {} : { hottest: apart }),
    startNs: mapToFloats(whole, (bin) => startAt + bin * widthNs),
    widthNs,
    busy,
    measured: mapToFloats(series.flat(), (s) => s.utilisation),
    ...(isHeld(series.flat(), meanOf(shares)) ? { isHeld: true } : {}),
  };
}

const isHeld = (samples: readonly ResourceSample[], utilisation: number): boolean =>
  utilisation >= HELD && samples.length >= HELD_READINGS && samples.every(({ waiting }) => waiting === 0);

function hottest(
  series: readonly (readonly ResourceSample[])[],
  each: readonly Float64Array[],
  whole: readonly number[],
  capacities: readonly number[],
): ResourceUse["hottest"] {
  if (series.length < 2) return undefined;
  const shares = each.map((of, i) => {
    const capacity = Number.isFinite(capacities[i]!) ? capacities[i]! : 1;
    return mapToFloats(whole, (bin) => of[bin]! / capacity);
  });
  const means = shares.map(meanOf);
  const top = means.indexOf(Math.max(...means));
  const others = means.filter((_, i) => i !== top);
  const usual = others.reduce((a, b) => a + b, 0) / others.length;
  const mean = means[top]!;
  const error = Math.sqrt(shares[top]!.reduce((sum, u) => sum + (u - mean) ** 2, 0)) / shares[top]!.length;
  const isApart = mean >= MIN_EXCESS * usual && mean - usual > MIN_DEVIATIONS * error;
  const { instance, host } = series[top]![0]!;
  return isApart ? { instance, host, utilisation: mean } : undefined;
}

const meanOf = (values: Float64Array): number => values.reduce((a, b) => a + b, 0) / values.length;
