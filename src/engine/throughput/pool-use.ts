import type { Window } from "../window.ts";
import type { ResourceUse } from "./resource-use.ts";
import { poolUseBySpans } from "./span-pools.ts";

/** The use of a pool by what requests do with it, and connections that are in use whatever they do. */
export interface PoolUse {
  readonly use: ResourceUse;
  readonly background: number;
  /** what the pool may be good for over what it is taken to be, if the background were the requests' own */
  readonly low: number;
}

/** Holds that spans show but for this share are shown. */
const NEARLY_ALL = 0.75;

/**
 * Reconciles what a metric says of a pool with the spans that hold its connections. A metric reads the pool once in a while,
 * and counts connections that are taken for good, or for the instant of the reading; spans show each hold, but not
 * what is held beyond the last statement. What every reading shows beyond the spans is background; what is left
 * beyond is held longer, and grows with the load.
 */
export function poolUse(window: Window, use: ResourceUse): PoolUse {
  const plain = { use, background: 0, low: 1 };
  if (!use.resource.startsWith("pool:") || use.source !== "metrics" || !use.isCapacityKnown) return plain;
  const capacity = use.capacityEach * use.instances;
  const mean = meanOf(use.busy);
  const least = use.busy.reduce((a, b) => Math.min(a, b), Infinity);
  const spans = poolUseBySpans(window, use.service, use.resource.slice(5), use.capacityEach, use.instances);
  if (spans === undefined) {
    // One value that never moves while requests come and go is not theirs, unless all are taken.
    const isStill = use.busy.length >= 8 && use.busy.every((value) => value === use.busy[0]);
    return isStill && mean < capacity ? { use, background: mean, low: 1 } : plain;
  }
  const shown = meanOf(spans.busy);
  const background = Math.max(0, Math.min(mean - shown, least, steadyPart(use.busy, mean, capacity)));
  // Ceilings are (c - b) / (m - b) times the present load.
  const low =
    background > 0 && mean > background ? (capacity * (mean - background)) / (mean * (capacity - background)) : 1;
  if (shown >= NEARLY_ALL * (mean - background)) {
    // The spans tell when, the metric how much; a metric that says less than the spans was read at other moments.
    const scale = Math.max(1, (mean - background) / shown);
    const total = spans.busy.map((value) => value * scale + background);
    return { use: { ...use, busy: total, startNs: spans.startNs, widthNs: spans.widthNs }, background, low };
  }
  return { use, background, low };
}

/**
 * The constant part b of a number in use of which the rest comes and goes at random within what is left of c:
 * variance = (m - b)(1 - (m - b) / (c - b)), solved for b; the least that it may be.
 */
function steadyPart(values: Float64Array, mean: number, capacity: number): number {
  const freedom = Math.max(1, values.length - 1);
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  // The most that the variance may be, by the lower tenth of chi-square (Wilson & Hilferty 1931): few readings vary little.
  const tenth = freedom * Math.max(0.05, 1 - 2 / (9 * freedom) - 1.2816 * Math.sqrt(2 / (9 * freedom))) ** 3;
  const variance = squares / tenth;
  const free = capacity - mean;
  if (free <= 0) return Infinity;
  return variance >= free ? 0 : Math.max(0, mean * free - variance * capacity) / (free - variance);
}

const meanOf = (values: Float64Array): number => values.reduce((a, b) => a + b, 0) / values.length;
