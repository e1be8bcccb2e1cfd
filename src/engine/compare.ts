import { fisherExact, twoProportions } from "../analysis/hypothesis-tests.ts";
import { describeSampling } from "../analysis/trace-weights.ts";
import { quantileOfSorted, sortSample } from "../analysis/weighted-quantile.ts";
import {
  COMPARE_SCHEMA,
  VERDICTS,
  type ComparedEndpoint,
  type ComparedRecording,
  type CompareReport,
  type ErrorChange,
  type PercentileChange,
  type SingleEndpoint,
  type Verdict,
} from "../model/compare-report.ts";
import { NS_PER_MS } from "../model/units.ts";
import { splitChange, type ChangeSplit } from "./change-split.ts";
import { quantileChange, quantileEstimates, type QuantileEstimate } from "./quantile-change.ts";
import { countsIn, type Slice } from "./regression/operations.ts";
import { percent } from "./wording.ts";
import { mapToFloats } from "../model/map-column.ts";

export interface CompareOptions {
  /** smallest relative change that counts, default 0.05 */
  readonly threshold?: number;
  /** seed of all resampling, default 1 */
  readonly seed?: number;
}

const THRESHOLD = 0.05;
/** All intervals hold together with this probability: of a hundred pairs of like recordings one may be called unlike. */
const LEVEL = 0.99;
const PERCENTILES = [0.5, 0.95, 0.99] as const;
/** Fewest requests slower than a percentile for it to be judged: p50 from 20 requests on, p95 from 200, p99 from 1000. */
const MIN_BEYOND = 10;

/**
 * Two recordings, or parts of them, held against each other: each endpoint's percentiles with intervals of the
 * difference, its errors, a verdict; and the change of the mean of all requests, split exactly into mix and slowdown.
 *
 * A percentile is worse or better where its interval leaves out zero and it changed by the threshold at least. The
 * intervals are simultaneous (Bonferroni over everything that is judged), so that more endpoints bring no more false
 * alarms. Only complete traces count. Never throws for lack of data.
 */
export function compare(before: Slice, now: Slice, options: CompareOptions = {}): CompareReport {
  const threshold = options.threshold ?? THRESHOLD;
  const earlier = requestsByEndpoint(before);
  const current = requestsByEndpoint(now);
  const names = [...new Set([...earlier.keys(), ...current.keys()])];
  const both = names.filter((name) => earlier.has(name) && current.has(name));
  const split = splitChange(
    { slice: before, groups: names.map((name) => earlier.get(name)?.traces ?? []) },
    { slice: now, groups: names.map((name) => current.get(name)?.traces ?? []) },
  );
  const groupOf = new Map(names.map((name, group) => [name, group]));
  const measured = both.map((name, i) => {
    // The same seed on both sides: like recordings then differ by exactly nothing.
    const seed = (options.seed ?? 1) + i;
    const [a, b] = [earlier.get(name)!, current.get(name)!];
    const judge = PERCENTILES.some((p) => isEnough(a, b, p));
    return { name, before: measure(a, judge, seed), now: measure(b, judge, seed) };
  });
  const judged = measured.reduce(
    (sum, pair) => sum + PERCENTILES.filter((p) => isEnough(pair.before.requests, pair.now.requests, p)).length + 1,
    0,
  );
  const alpha = (1 - LEVEL) / Math.max(1, judged);
  const endpoints = measured
    .map((pair) => compareEndpoint(pair, alpha, threshold, split, groupOf.get(pair.name)!))
    .sort((a, b) => totalTime(b) - totalTime(a));
  return {
    schema: COMPARE_SCHEMA,
    threshold,
    level: LEVEL,
    verdict: worstOf(endpoints.map(({ verdict }) => verdict)),
    before: recordingOf(before),
    now: recordingOf(now),
    endpoints,
    newEndpoints: names.filter((name) => !earlier.has(name)).map((name) => single(current.get(name)!)),
    vanishedEndpoints: names.filter((name) => !current.has(name)).map((name) => single(earlier.get(name)!)),
    mean: split.mean,
    paths: split.paths,
    otherPaths: split.otherPaths,
    cautions: cautionsOf(before, now, endpoints.length),
  };
}

/** Complete traces of one endpoint in the order of their start. */
interface Requests {
  readonly service: string;
  readonly operation: string;
  readonly traces: readonly number[];
  readonly durationNs: Float64Array;
  readonly weights: Float64Array;
  readonly failed: number;
}

/** By service and operation, which mean the same in both recordings. */
function requestsByEndpoint(slice: Slice): Map<string, Requests> {
  const { forest, facts, endpoints, text } = slice.window;
  const found = new Map<string, Requests>();
  for (const endpoint of endpoints) {
    const start = (trace: number): number => forest.startNs[forest.root[trace]!]!;
    const traces = [...endpoint.traces]
      .filter((trace) => countsIn(slice, trace))
      .sort((a, b) => start(a) - start(b) || a - b);
    if (traces.length === 0) continue;
    const service = text(endpoint.service);
    const operation = text(endpoint.operation);
    found.set(JSON.stringify([service, operation]), {
      service,
      operation,
      traces,
      durationNs: mapToFloats(traces, (trace) => forest.endNs[forest.root[trace]!]! - start(trace)),
      weights: mapToFloats(traces, (trace) => forest.weight[trace]!),
      failed: traces.filter((trace) => facts.error[forest.root[trace]!] === 1).length,
    });
  }
  return found;
}

interface Measured {
  readonly requests: Requests;
  readonly quantiles: readonly QuantileEstimate[];
}

interface MeasuredPair {
  readonly name: string;
  readonly before: Measured;
  readonly now: Measured;
}

/** judge: whether any percentile is; if not, none is resampled, which would take long for endpoints by the thousand. */
function measure(requests: Requests, judge: boolean, seed: number): Measured {
  if (judge) return { requests, quantiles: quantileEstimates(requests, PERCENTILES, seed) };
  const sample = sortSample(requests.durationNs, requests.weights);
  return {
    requests,
    quantiles: PERCENTILES.map((p) => ({ value: quantileOfSorted(sample, p), logVariance: 0, blocks: 1 })),
  };
}

function isEnough(before: Requests, now: Requests, p: number): boolean {
  const have = Math.min(before.traces.length, now.traces.length);
  return have * (1 - p) >= MIN_BEYOND * (1 - 1e-9);
}

function compareEndpoint(
  pair: MeasuredPair,
  alpha: number,
  threshold: number,
  split: ChangeSplit,
  group: number,
): ComparedEndpoint {
  const { before, now } = pair;
  const { service, operation } = now.requests;
  const [p50, p95, p99] = PERCENTILES.map((p, i): PercentileChange => {
    const change = quantileChange(before.quantiles[i]!, now.quantiles[i]!, alpha);
    const certain = change.low > 0 ? 1 : change.high < 0 ? -1 : 0;
    const enough = isEnough(before.requests, now.requests, p);
    const large = Math.abs(change.now - change.before) >= threshold * change.before;
    return {
      beforeMs: inMs(change.before),
      nowMs: inMs(change.now),
      differenceMs: inMs(change.now - change.before),
      lowMs: enough ? inMs(change.low) : null,
      highMs: enough ? inMs(change.high) : null,
      verdict: enough ? verdictOf(large ? certain : 0) : "insufficient-data",
    };
  }) as [PercentileChange, PercentileChange, PercentileChange];
  const errors = compareErrors(before.requests, now.requests, alpha, threshold);
  return {
    service,
    operation,
    // Of errors alone nobody can tell that an endpoint is the same.
    verdict:
      p50.verdict === "insufficient-data" && errors.verdict === "same"
        ? "insufficient-data"
        : worstOf([p50, p95, p99, errors].map(({ verdict }) => verdict)),
    requests: { before: before.requests.traces.length, now: now.requests.traces.length },
    p50,
    p95,
    p99,
    errors,
    ...split.groups[group]!,
  };
}

function compareErrors(before: Requests, now: Requests, alpha: number, threshold: number): ErrorChange {
  const [k1, n1, k2, n2] = [before.failed, before.traces.length, now.failed, now.traces.length];
  const test = twoProportions(k1, n1, k2, n2, 1 - alpha);
  // The z-test is an approximation that fails for few errors: there the exact test decides.
  const few = Math.min(k1 + k2, n1 + n2 - k1 - k2) < 40;
  const pValue = few ? fisherExact(k2, n2 - k2, k1, n1 - k1, "two-sided") : test.pValue;
  const large = Math.abs(test.difference) >= threshold * (k1 / n1) && test.difference !== 0;
  return {
    before: k1 / n1,
    now: k2 / n2,
    difference: test.difference,
    low: test.low,
    high: test.high,
    pValue,
    verdict: verdictOf(pValue <= alpha && large ? Math.sign(test.difference) : 0),
  };
}

const verdictOf = (direction: number): Verdict => (direction > 0 ? "worse" : direction < 0 ? "better" : "same");

/** Worse before better before same; without anything, or with too little everywhere, it cannot be told. */
const worstOf = (verdicts: readonly Verdict[]): Verdict =>
  VERDICTS.find((verdict) => verdicts.includes(verdict)) ?? "insufficient-data";

const totalTime = ({ requests, mean }: ComparedEndpoint): number =>
  requests.before * mean.beforeMs + requests.now * mean.nowMs;

function single({ service, operation, traces, durationNs, weights, failed }: Requests): SingleEndpoint {
  const sample = sortSample(durationNs, weights);
  return {
    service,
    operation,
    requests: traces.length,
    errorRatio: failed / traces.length,
    p50Ms: inMs(quantileOfSorted(sample, 0.5)),
    p95Ms: inMs(quantileOfSorted(sample, 0.95)),
    p99Ms: inMs(quantileOfSorted(sample, 0.99)),
  };
}

/** To the nanosecond: what sums exactly should still do so when read. */
const inMs = (ns: number): number => Math.round(ns) / NS_PER_MS;

function recordingOf(slice: Slice): ComparedRecording {
  const { forest, spans } = slice.window;
  let first = Number.POSITIVE_INFINITY;
  let last = Number.NEGATIVE_INFINITY;
  let traces = 0;
  let incomplete = 0;
  for (let trace = 0; trace < forest.traceCount; trace++) {
    if (slice.traces !== undefined && slice.traces[trace] !== 1) continue;
    if (countsIn(slice, trace)) traces++;
    else incomplete++;
    first = Math.min(first, forest.startNs[forest.root[trace]!]!);
    last = Math.max(last, forest.endNs[forest.root[trace]!]!);
  }
  const at = (offset: number): string =>
    String(spans.baseUnixNs + BigInt(Number.isFinite(offset) ? Math.round(offset) : 0));
  return {
    startUnixNs: at(first),
    endUnixNs: at(last),
    traces,
    incompleteTraces: incomplete,
    sampling: describeSampling(forest).kind,
  };
}

/** Above this share of incomplete traces, what is missing may be what is slow. */
const MANY_INCOMPLETE = 0.05;

function cautionsOf(before: Slice, now: Slice, endpoints: number): string[] {
  const a = recordingOf(before);
  const b = recordingOf(now);
  const cautions: string[] = [];
  if (endpoints === 0 && a.traces + b.traces > 0) cautions.push("no endpoint is in both recordings");
  for (const [name, { traces, incompleteTraces, sampling }] of [
    ["the baseline", a],
    ["the new recording", b],
  ] as const) {
    if (traces === 0) cautions.push(`${name} has no complete trace`);
    const share = incompleteTraces / Math.max(1, traces + incompleteTraces);
    if (share > MANY_INCOMPLETE)
      cautions.push(`${percent(share)} of the traces of ${name} are incomplete and left out`);
    if (sampling === "tail")
      cautions.push(`${name} is tail-sampled: its percentiles are those of the chosen traces, not of the traffic`);
  }
  if (a.sampling !== b.sampling)
    cautions.push(`the recordings are sampled differently (${a.sampling} and ${b.sampling})`);
  return cautions;
}
