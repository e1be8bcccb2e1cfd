import type { DemandClass } from "../../analysis/service-demands.ts";
import { SpanRole } from "../../model/span-facts.ts";
import { SpanFlag } from "../../model/trace-forest.ts";
import { NS_PER_S } from "../../model/units.ts";
import { oncePerWindow } from "../once-per-window.ts";
import type { Window } from "../window.ts";
import { mapToFloats } from "../../model/map-column.ts";

/** The requests of all user-facing endpoints, and the time in which they came. */
export interface RequestLoad {
  /** rows of the root spans, and how many requests each stands for */
  readonly rows: Int32Array;
  readonly weight: Float64Array;
  /** first start and last start, on the clock of the forest: outside of them there may be load that was not recorded */
  readonly fromNs: number;
  readonly toNs: number;
  readonly perSecond: number;
}

/**
 * Requests are traces that begin with a root span, complete or not, since what is missing below a root used resources
 * all the same. Handled messages are requests only where there are no others: they are somebody's consequence.
 */
export const requestLoad: (window: Window) => RequestLoad = oncePerWindow((window) => {
  const { forest } = window;
  const all: number[] = [];
  for (let trace = 0; trace < forest.traceCount; trace++) {
    const row = forest.root[trace]!;
    if (forest.complete[trace] === 1 || (forest.parent[row]! < 0 && (forest.flags[row]! & SpanFlag.orphan) === 0))
      all.push(row);
  }
  const users = all.filter((row) => forest.facts.role[row] !== SpanRole.consumer);
  const rows = Int32Array.from(users.length > 0 ? users : all);
  const weight = mapToFloats(rows, (row) => forest.weight[forest.trace[row]!]!);
  let [fromNs, toNs] = [Infinity, -Infinity];
  for (const row of rows) {
    fromNs = Math.min(fromNs, forest.startNs[row]!);
    toNs = Math.max(toNs, forest.startNs[row]!);
  }
  if (rows.length === 0) [fromNs, toNs] = [0, 0];
  const total = weight.reduce((sum, w) => sum + w, 0);
  // n requests bound n - 1 gaps: of a short recording that is a difference.
  const perSecond = toNs > fromNs ? ((total * (rows.length - 1)) / rows.length / (toNs - fromNs)) * NS_PER_S : 0;
  return { rows, weight, fromNs, toNs, perSecond };
});

/** Endpoints of their own; the others, with few requests, are one class. */
const MAX_CLASSES = 8;

/** Requests per second by endpoint in bins of `widthNs` from each of `startNs`, each request counted at its middle. */
export function ratesInBins(window: Window, startNs: Float64Array, widthNs: number): DemandClass[] {
  const load = requestLoad(window);
  const { forest, text } = window;
  const { facts } = forest;
  const names = Array.from(load.rows, (row) => `${text(facts.service[row]!)} ${text(facts.operation[row]!)}`);
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  const frequent = [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).slice(0, MAX_CLASSES);
  const classes = new Map(frequent.map(([name]) => [name, new Float64Array(startNs.length)]));
  const others = new Float64Array(startNs.length);
  const first = startNs[0] ?? 0;
  const position = new Map(Array.from(startNs, (start, i) => [Math.round((start - first) / widthNs), i]));
  load.rows.forEach((row, i) => {
    const middle = (forest.startNs[row]! + forest.endNs[row]!) / 2;
    const bin = position.get(Math.floor((middle - first) / widthNs));
    if (bin === undefined) return;
    const column = classes.get(names[i]!) ?? others;
    column[bin]! += (load.weight[i]! / widthNs) * NS_PER_S;
  });
  const found = [...classes].map(([name, perSecond]) => ({ name, perSecond }));
  return counts.size > MAX_CLASSES ? [...found, { name: "other endpoints", perSecond: others }] : found;
}
