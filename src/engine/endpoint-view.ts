import { meanBlame } from "../analysis/blame.ts";
import type { Endpoint } from "../analysis/endpoints.ts";
import {
  observationsAround,
  quantileOfSorted,
  sortSample,
  WINDOW_OF_P50,
  WINDOW_OF_P99,
  type SortedSample,
} from "../analysis/weighted-quantile.ts";
import type { Window } from "./window.ts";
import { mapToInts } from "../model/map-column.ts";

/** An endpoint with its percentiles and the traces that stand for them. */
export interface EndpointView {
  readonly endpoint: Endpoint;
  /** place in `Window.endpoints` */
  readonly index: number;
  /** "SERVICE OPERATION" */
  readonly name: string;
  readonly service: string;
  readonly operation: string;
  readonly sample: SortedSample;
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  /** trace numbers around the median and around p99 */
  readonly typical: Int32Array;
  readonly slow: Int32Array;
  /** nanoseconds by blame key: mean over the typical, the slow and all traces */
  readonly blameTypical: ReadonlyMap<number, number>;
  readonly blameSlow: ReadonlyMap<number, number>;
  readonly blameMean: ReadonlyMap<number, number>;
  /** share of all requests of the window that are this endpoint's */
  readonly traffic: number;
  /** why p99 is not to be trusted; undefined when it is */
  readonly caution: string | undefined;
}

/** Fewest traces of which anything at all is said. */
export const MIN_TRACES = 5;

export function viewEndpoint(window: Window, index: number): EndpointView {
  const endpoint = window.endpoints[index]!;
  const sample = sortSample(endpoint.durationNs, endpoint.weight);
  const n = endpoint.traces.length;
  const around = observationsAround(sample, WINDOW_OF_P99);
  const typicalMembers = observationsAround(sample, WINDOW_OF_P50);
  // With too few traces for p99 the slowest tenth stands for the slow ones, and the report says so.
  const slow = around.kind === "window" ? around.members : span(n - Math.max(1, Math.ceil(n / 10)), n);
  const typical =
    typicalMembers.kind === "window" ? typicalMembers.members : span(Math.floor(n * 0.4), Math.ceil(n * 0.6));
  const traces = (members: Int32Array): Int32Array => members.map((i) => endpoint.traces[i]!);
  const service = window.text(endpoint.service);
  const operation = window.text(endpoint.operation);
  return {
    endpoint,
    index,
    name: `${service} ${operation}`,
    service,
    operation,
    sample,
    p50: quantileOfSorted(sample, 0.5),
    p95: quantileOfSorted(sample, 0.95),
    p99: quantileOfSorted(sample, 0.99),
    typical: traces(typical),
    slow: traces(slow),
    blameTypical: meanBlame(window.blame, traces(typical), window.forest.weight),
    blameSlow: meanBlame(window.blame, traces(slow), window.forest.weight),
    blameMean: meanBlame(window.blame, endpoint.traces, window.forest.weight),
    traffic: window.requests > 0 ? endpoint.totalWeight / window.requests : 0,
    caution:
      around.kind === "insufficient-data"
        ? `only ${around.have} complete traces, ${around.need} needed for p99: the slowest ${slow.length} stand for it`
        : undefined,
  };
}

/** from, from + 1, ..., to - 1 */
function span(from: number, to: number): Int32Array {
  return mapToInts({ length: Math.max(0, to - from) }, (_, i) => from + i);
}
