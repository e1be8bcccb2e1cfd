import type { HeatMap } from "../../model/page.ts";
import { NS_PER_MS } from "../../model/units.ts";
import type { EndpointView } from "../endpoint-view.ts";
import type { Window } from "../window.ts";

/** About a cell per 8 pixels of the widest common screen. */
const COLUMNS = 90;
const ROWS = 24;
/** Durations below are drawn as this long: zero has no logarithm. */
const SHORTEST_NS = 1e3;

/** All requests of an endpoint by start and duration, the latter in steps of a constant ratio. */
export function heatMap(window: Window, view: EndpointView): HeatMap {
  const { forest, spans } = window;
  const { traces, durationNs, weight } = view.endpoint;
  const startOf = (trace: number): number => forest.startNs[forest.root[trace]!]!;
  let first = Number.POSITIVE_INFINITY;
  let last = Number.NEGATIVE_INFINITY;
  for (const trace of traces) {
    first = Math.min(first, startOf(trace));
    last = Math.max(last, startOf(trace));
  }
  const shortest = Math.max(SHORTEST_NS, durationNs[0]!);
  const longest = Math.max(shortest, durationNs.at(-1)!);
  // A little more than the longest, so that it falls into the last row; a constant ratio above 1 where all are equal.
  const ratio = Math.max(1.02, ((longest / shortest) * (1 + 1e-9)) ** (1 / ROWS));
  const columnNs = Math.max(NS_PER_MS, ((last - first) * (1 + 1e-9)) / COLUMNS);
  const columns = Math.min(COLUMNS, Math.floor((last - first) / columnNs) + 1);
  const requests = new Float64Array(ROWS * columns);
  for (let i = 0; i < traces.length; i++) {
    const column = Math.min(columns - 1, Math.floor((startOf(traces[i]!) - first) / columnNs));
    const steps = Math.log(Math.max(durationNs[i]!, shortest) / shortest) / Math.log(ratio);
    requests[Math.min(ROWS - 1, Math.floor(steps)) * columns + column]! += weight[i]!;
  }
  return {
    startUnixMs: Number((spans.baseUnixNs + BigInt(Math.round(first))) / 1000n) / 1e3,
    columnMs: columnNs / NS_PER_MS,
    columns,
    rows: ROWS,
    lowestMs: shortest / NS_PER_MS,
    ratio,
    requests: Array.from(requests, (value) => Math.round(value * 100) / 100),
  };
}
