import { bootstrapQuantiles, type PairedEstimate } from "../../analysis/bootstrap.ts";
import { twoProportions } from "../../analysis/hypothesis-tests.ts";
import {
  compareWindows,
  type GroupChange,
  type TraceWindow,
  type WindowComparison,
} from "../../analysis/two-windows.ts";
import { traceIdHex } from "../../model/span-table.ts";
import type { EndpointView } from "../endpoint-view.ts";
import type { PredictedEndpoint } from "../prediction.ts";
import { ms, percent } from "../wording.ts";
import { tracesEvidence, type Comparison, type RegressionClaim } from "./affected.ts";
import { countsIn, type Slice } from "./operations.ts";
import { mapToFloats, mapToInts } from "../../model/map-column.ts";

/**
 * Growth of the mean over all requests of a service that is worth a claim, and the part of the growth that the shares
 * of its endpoints have to explain. What users ask for differs from hour to hour by less: at 500 requests a share of
 * 20 % is known to within 4 points, which moves a mean by some 5 % where one endpoint costs three times the others.
 */
const MIN_GROWTH = 0.2;
const MIN_PART = 0.5;
const ALPHA = 1e-3;
/** Least certain where the shares explain half of the growth. */
const CONFIDENCE = 0.9;

/**
 * Dearer endpoints of a service are asked for more often than before: each is as fast as ever, and users wait longer
 * on average. One claim per service of root spans whose mean over all requests grew mostly by the shares of its
 * endpoints (Kitagawa's split, `compareWindows`), the dearest of which grew significantly. Nothing with one endpoint.
 */
export function claimEndpointMix(comparison: Comparison, seed: number): RegressionClaim[] {
  const services = new Set(comparison.views.map(({ service }) => service));
  return [...services].flatMap((service) => {
    const views = comparison.views.filter((view) => view.service === service);
    return claimOfService(comparison, views, seed) ?? [];
  });
}

function claimOfService(
  { operations }: Comparison,
  views: readonly EndpointView[],
  seed: number,
): RegressionClaim | undefined {
  if (views.length < 2) return undefined;
  const now = requestsOf(operations.now.slice, views);
  const before = requestsOf(operations.before.slice, views);
  const result = compareWindows(before.window, now.window);
  if (result.kind !== "comparison") return undefined;
  const grown = grownGroup(result, before.traces.length, now.traces.length);
  if (grown === undefined) return undefined;
  const view = views[grown.group]!;
  const examples = Array.from(now.traces.filter((_, i) => now.window.group[i] === grown.group).slice(0, 3), (trace) =>
    traceIdHex(operations.now.slice.window.spans, operations.now.slice.window.forest.root[trace]!),
  );
  return claim(view, views, result, grown, examples, asShared(now.window, result, seed));
}

interface Requests {
  readonly traces: Int32Array;
  /** group: place in `views`; one column of blame, the whole duration */
  readonly window: TraceWindow;
}

function requestsOf(slice: Slice, views: readonly EndpointView[]): Requests {
  const { endpoints, forest, text } = slice.window;
  const traces: number[] = [];
  const group: number[] = [];
  views.forEach((view, i) => {
    const endpoint = endpoints.find((e) => text(e.service) === view.service && text(e.operation) === view.operation);
    for (const trace of endpoint?.traces ?? []) {
      if (!countsIn(slice, trace)) continue;
      traces.push(trace);
      group.push(i);
    }
  });
  return {
    traces: Int32Array.from(traces),
    window: {
      group: Int32Array.from(group),
      weights: mapToFloats(traces, (trace) => forest.weight[trace]!),
      blame: {
        rowStart: mapToInts({ length: traces.length + 1 }, (_, i) => i),
        column: new Int32Array(traces.length),
        value: mapToFloats(
          traces,
          (trace) => forest.endNs[forest.root[trace]!]! - forest.startNs[forest.root[trace]!]!,
        ),
        columnCount: 1,
      },
    },
  };
}

function grownGroup(result: WindowComparison, nBefore: number, nNow: number): GroupChange | undefined {
  if (result.change < MIN_GROWTH * result.meanA || result.mix < MIN_PART * result.change) return undefined;
  const [main] = result.groups
    .filter(({ shareA, shareB, mix }) => shareB > shareA && mix > 0)
    .toSorted((a, b) => b.mix - a.mix);
  if (main === undefined) return undefined;
  const test = twoProportions(Math.round(main.shareA * nBefore), nBefore, Math.round(main.shareB * nNow), nNow);
  return test.pValue <= ALPHA ? main : undefined;
}

/** Percentiles over all requests as they are, and with each endpoint's requests weighed to the share that it had. */
function asShared({ group, weights, blame }: TraceWindow, result: WindowComparison, seed: number): PredictedEndpoint {
  const factor = new Map(result.groups.map(({ group: g, shareA, shareB }) => [g, shareB > 0 ? shareA / shareB : 0]));
  const reweighed = weights!.map((weight, i) => weight * factor.get(group[i]!)!);
  const levels = [0.5, 0.95, 0.99];
  const now = bootstrapQuantiles(blame.value, weights, levels, { seed });
  const then = bootstrapQuantiles(blame.value, reweighed, levels, { seed });
  const pair = (i: number): PairedEstimate => ({
    now: now[i]!,
    predicted: then[i]!,
    difference: {
      value: then[i]!.value - now[i]!.value,
      low: then[i]!.low - now[i]!.high,
      high: then[i]!.high - now[i]!.low,
    },
  });
  return { p50: pair(0), p95: pair(1), p99: pair(2) };
}

function claim(
  view: EndpointView,
  views: readonly EndpointView[],
  { meanA, meanB, mix, slowdown, change, groups }: WindowComparison,
  grown: GroupChange,
  examples: readonly string[],
  predicted: PredictedEndpoint,
): RegressionClaim {
  const share = `${percent(grown.shareA)} -> ${percent(grown.shareB)}`;
  const part = mix / change;
  return {
    view,
    predicted,
    at: { service: view.service, operation: "all requests" },
    method: `the requests of now, each endpoint weighed to its share in the baseline; 90 % bootstrap interval`,
    explanation: {
      mechanism: "mix-shift",
      kind: "regression",
      subject: { service: view.service, operation: view.operation, resource: "endpoints" },
      title: `${view.service} is asked for the expensive ${view.operation} more often: ${share} of its requests`,
      why: `The mean over all requests of ${view.service} went from ${ms(meanA)} to ${ms(meanB)}; ${percent(part)} of that is the mix of its endpoints, ${percent(slowdown / change)} slower requests to the same endpoint.`,
      confidence: CONFIDENCE * Math.sqrt(Math.min(1, part)),
      harmful: true,
      nodes: [],
      undo: [],
      chain: [
        { claim: `all requests of ${view.service} together: mean ${ms(meanA)} -> ${ms(meanB)}`, evidence: [1] },
        { claim: `${view.operation} takes ${ms(grown.meanB)}, and its share went ${share}`, evidence: [0, 1] },
      ],
      evidence: [
        tracesEvidence(`requests of ${view.operation}`, examples, `root spans of ${view.name}`),
        ...groups.slice(0, 5).map((one) => ({
          kind: "statistic" as const,
          text: `${views[one.group]!.operation}: share ${percent(one.shareA)} -> ${percent(one.shareB)}, mean ${orNone(one.meanA)} -> ${orNone(one.meanB)}`,
          query: `requests of ${view.service} by endpoint, both windows`,
        })),
      ],
      counter: [
        "what users ask for is not a fault by itself; what it costs may be",
        "tail sampling that keeps slow requests shifts the recorded shares as well",
      ],
      refutedBy: `the share of ${view.operation} among all requests, as counted before sampling, is as before`,
      remedy: {
        text: `Find out who asks for ${view.operation} (a client release, a crawler, one tenant); make it cheaper, cache it, or limit it.`,
      },
    },
  };
}

const orNone = (ns: number): string => (Number.isNaN(ns) ? "none" : ms(ns));
