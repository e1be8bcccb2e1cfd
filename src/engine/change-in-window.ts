import { changePoints } from "../analysis/change-points.ts";
import { momentsOf } from "../analysis/hypothesis-tests.ts";
import { sortSample, quantileOfSorted } from "../analysis/weighted-quantile.ts";
import { NS_PER_MS, NS_PER_S } from "../model/units.ts";
import type { EndpointView } from "./endpoint-view.ts";
import { jumpAt } from "./jump.ts";
import type { Window } from "./window.ts";
import { mapToFloats } from "../model/map-column.ts";

/** A window in two: what became worse within it, and when. */
export interface WindowSplit {
  /** when it changed: nanoseconds after the table's base */
  readonly atNs: number;
  /** per trace of the window: 1 where it ended before the change */
  readonly before: Uint8Array;
  /** per trace: 1 where it started at the change or later */
  readonly after: Uint8Array;
  readonly evidence: StepEvidence;
}

/** The step by which the time was found. Latencies in nanoseconds, errors as shares. */
export interface StepEvidence {
  readonly view: EndpointView;
  readonly metric: "p50" | "p95" | "errors";
  readonly before: number;
  readonly after: number;
  /** chance of a step as clear anywhere in noise, times the number of series looked at */
  readonly pValue: number;
  /** buckets of the series, and the first one after the change */
  readonly buckets: number;
  readonly bucket: number;
  /** requests per second of this endpoint */
  readonly perSecondBefore: number;
  readonly perSecondAfter: number;
}

/** Accepted chance that noise splits a window, over all endpoints and series together. */
const ALPHA = 1e-3;
/** More buckets place the step finer; a bucket below 10 requests has no median worth the name. */
const MIN_BUCKETS = 20;
const MAX_BUCKETS = 60;
/** Fewest buckets on either side: a line through fewer says nothing about a trend. */
const MIN_SIDE = 5;
/** Smallest step that is worth a comparison: relative to before and in absolute terms. */
const MIN_RATIO = 0.2;
const MIN_NS = NS_PER_MS;
const MIN_ERRORS = 0.02;
/** Part of the difference between both sides that has to happen at once; of a ramp, next to nothing does. */
const MIN_JUMP = 0.5;

/**
 * Where the requests of a window became worse at one blow and stayed so until its end: the clearest significant step
 * up of an endpoint's median, p95 or share of errors, over buckets of equally many consecutive requests. Undefined
 * without one, as in a window that is good or bad throughout, that recovers, or that becomes worse little by little:
 * growth shows no jump between lines fitted to both sides.
 *
 * Both masks leave out incomplete traces and those under way at the change. views: the endpoints to look at.
 */
export function splitAtChange(window: Window, views: readonly EndpointView[], seed: number): WindowSplit | undefined {
  const series = views.flatMap((view) => seriesOf(window, view));
  const steps = series.flatMap((one) => stepsOf(one, ALPHA / series.length, seed).map((step) => ({ one, ...step })));
  // Of several that are beyond all doubt the largest places the cut best.
  const clear = (p: number): number => Math.max(p, 1e-12);
  const best = steps.sort((a, b) => clear(a.p) - clear(b.p) || b.size - a.size || a.one.order - b.one.order)[0];
  if (best === undefined) return undefined;
  const { view, metric, starts, perSecond } = best.one;
  const at = starts[best.index]!;
  return {
    atNs: at,
    ...masksAt(window, at),
    evidence: {
      view,
      metric,
      before: best.before,
      after: best.after,
      pValue: Math.min(1, best.p * series.length),
      buckets: starts.length,
      bucket: best.index,
      perSecondBefore: perSecond(0, best.index),
      perSecondAfter: perSecond(best.index, starts.length),
    },
  };
}

interface Series {
  readonly view: EndpointView;
  readonly metric: StepEvidence["metric"];
  /** place among the series of its endpoint */
  readonly order: number;
  /** per bucket */
  readonly values: Float64Array;
  /** per bucket: start of its first request */
  readonly starts: Float64Array;
  /** the metric over the requests of the buckets from .. to - 1 */
  readonly over: (from: number, to: number) => number;
  readonly perSecond: (from: number, to: number) => number;
}

interface Requests {
  readonly view: EndpointView;
  /** in the order of start */
  readonly startNs: Float64Array;
  readonly durationNs: Float64Array;
  readonly failed: Float64Array;
}

function seriesOf({ forest, facts }: Window, view: EndpointView): Series[] {
  const start = (trace: number): number => forest.startNs[forest.root[trace]!]!;
  const traces = view.endpoint.traces.toSorted((a, b) => start(a) - start(b) || a - b);
  const requests: Requests = {
    view,
    startNs: mapToFloats(traces, start),
    durationNs: mapToFloats(traces, (trace) => forest.endNs[forest.root[trace]!]! - start(trace)),
    failed: mapToFloats(traces, (trace) => (facts.error[forest.root[trace]!] === 1 ? 1 : 0)),
  };
  const median = (from: number, to: number): number => quantile(requests.durationNs, from, to, 0.5);
  const tail = (from: number, to: number): number => quantile(requests.durationNs, from, to, 0.95);
  const errors = (from: number, to: number): number => momentsOf(requests.failed, from, to).mean;
  return [
    bucketed(requests, "p50", 0, 10, median),
    // A p95 of fewer would be the one slowest request.
    bucketed(requests, "p95", 1, 40, tail),
    ...(requests.failed.includes(1) ? [bucketed(requests, "errors", 2, 20, errors)] : []),
  ].filter((series) => series !== undefined);
}

/** Not weighted: all requests of a sampled window were as likely to be kept, before and after. */
function quantile(values: Float64Array, from: number, to: number, p: number): number {
  return quantileOfSorted(sortSample(values.subarray(from, to), undefined), p);
}

function bucketed(
  { view, startNs }: Requests,
  metric: Series["metric"],
  order: number,
  perBucket: number,
  over: (from: number, to: number) => number,
): Series | undefined {
  const n = startNs.length;
  const buckets = Math.min(MAX_BUCKETS, Math.floor(n / perBucket));
  if (buckets < MIN_BUCKETS) return undefined;
  const first = (bucket: number): number => Math.floor((bucket * n) / buckets);
  return {
    view,
    metric,
    order,
    values: mapToFloats({ length: buckets }, (_, bucket) => over(first(bucket), first(bucket + 1))),
    starts: mapToFloats({ length: buckets }, (_, bucket) => startNs[first(bucket)]!),
    over: (from, to) => over(first(from), first(to)),
    perSecond: (from, to) => {
      const requests = first(to) - first(from) - 1;
      return (requests / Math.max(1, startNs[first(to) - 1]! - startNs[first(from)]!)) * NS_PER_S;
    },
  };
}

interface Step {
  readonly index: number;
  readonly p: number;
  /** relative to before; of errors their rise, so that both can be ordered */
  readonly size: number;
  readonly before: number;
  readonly after: number;
}

/** Significant steps up of a series that are large, sudden, and not taken back. */
function stepsOf(series: Series, alpha: number, seed: number): Step[] {
  const { values, metric, over } = series;
  const scale = metric === "errors" ? "rank" : "log";
  const n = values.length;
  // A span of no time at all has no logarithm.
  const positive = metric === "errors" ? values : values.map((value) => Math.max(1, value));
  const points = changePoints(positive, { pValue: alpha, seed, minSize: MIN_SIDE, scale });
  return points.flatMap(({ index, pValue }, i) => {
    const before = over(0, index);
    const after = over(index, n);
    const rise = after - before;
    const large = metric === "errors" ? rise >= MIN_ERRORS : rise >= MIN_NS && rise >= MIN_RATIO * before;
    if (!large) return [];
    const ends = [...points.slice(i + 1).map((point) => point.index), n];
    // Not taken back: until the end, no stretch falls below the middle between before and after.
    const lasts = ends.every((end, j) => over(j === 0 ? index : ends[j - 1]!, end) >= before + rise / 2);
    const y = metric === "errors" ? values : positive.map(Math.log);
    const step = momentsOf(y, index).mean - momentsOf(y, 0, index).mean;
    if (!lasts || jumpAt(y, index) < MIN_JUMP * step) return [];
    return [{ index, p: pValue, size: metric === "errors" ? rise : rise / before, before, after }];
  });
}

function masksAt({ forest }: Window, at: number): { before: Uint8Array; after: Uint8Array } {
  const before = new Uint8Array(forest.traceCount);
  const after = new Uint8Array(forest.traceCount);
  for (let trace = 0; trace < forest.traceCount; trace++) {
    if (forest.complete[trace] !== 1) continue;
    const root = forest.root[trace]!;
    if (forest.startNs[root]! >= at) after[trace] = 1;
    else if (forest.endNs[root]! < at) before[trace] = 1;
  }
  return { before, after };
}
