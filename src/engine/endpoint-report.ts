import { kindOfKey, nodeOfKey } from "../analysis/blame.ts";
import { bootstrapWindowMeans } from "../analysis/bootstrap.ts";
import { WINDOW_OF_P99 } from "../analysis/weighted-quantile.ts";
import type { BlameRow, EndpointReport } from "../model/report.ts";
import { TIME_KINDS } from "../model/time-kind.ts";
import { NS_PER_MS, NS_PER_S, ratio } from "../model/units.ts";
import type { EndpointView } from "./endpoint-view.ts";
import type { Window } from "./window.ts";

/** Rows of the blame table below this share of p50 and p99 are summed under one row. */
const MIN_SHARE = 0.005;
const MAX_ROWS = 30;
export const OTHER_OPERATIONS = "(other operations)";

/** One endpoint of the report: rates, percentiles, and where the time goes at p50 and p99. */
export function reportEndpoint(window: Window, view: EndpointView, windowNs: number, seed: number): EndpointReport {
  const round = (ns: number): number => Math.round((ns / NS_PER_MS) * 1000) / 1000;
  return {
    service: view.service,
    operation: view.operation,
    requests: view.endpoint.traces.length,
    perSecond: windowNs > 0 ? Math.round((view.endpoint.totalWeight / (windowNs / NS_PER_S)) * 1000) / 1000 : 0,
    errorRatio: view.endpoint.errorRatio,
    p50Ms: round(view.p50),
    p95Ms: round(view.p95),
    p99Ms: round(view.p99),
    ...(view.caution === undefined ? {} : { caution: view.caution }),
    blame: blameRows(window, view, seed),
  };
}

/**
 * Blame by (service, operation, kind), most at p99 first; small rows are summed
 * so that each column still adds up to the mean duration of its traces.
 */
function blameRows(window: Window, view: EndpointView, seed: number): BlameRow[] {
  const groups = new Map<string, { row: Omit<BlameRow, "lowMs" | "highMs">; keys: number[] }>();
  for (const key of new Set([...view.blameTypical.keys(), ...view.blameSlow.keys()])) {
    const node = nodeOfKey(key);
    const service = window.text(window.paths.service[node]!);
    const operation = window.text(window.paths.operation[node]!);
    const timeKind = TIME_KINDS[kindOfKey(key)]!;
    const id = `${service}\u0000${operation}\u0000${timeKind}`;
    const held = groups.get(id) ?? { row: { service, operation, timeKind, p50Ms: 0, p99Ms: 0 }, keys: [] };
    held.keys.push(key);
    const p50Ms = held.row.p50Ms + (view.blameTypical.get(key) ?? 0) / NS_PER_MS;
    const p99Ms = held.row.p99Ms + (view.blameSlow.get(key) ?? 0) / NS_PER_MS;
    groups.set(id, { row: { ...held.row, p50Ms, p99Ms }, keys: held.keys });
  }
  const all = [...groups.values()].sort((a, b) => b.row.p99Ms - a.row.p99Ms || b.row.p50Ms - a.row.p50Ms);
  const total = { p50: sum(all.map((g) => g.row.p50Ms)), p99: sum(all.map((g) => g.row.p99Ms)) };
  const isShown = (g: (typeof all)[number], i: number): boolean =>
    i < MAX_ROWS && (g.row.p99Ms >= MIN_SHARE * total.p99 || g.row.p50Ms >= MIN_SHARE * total.p50);
  const shown = all.filter(isShown);
  const rest = all.filter((g, i) => !isShown(g, i));
  if (rest.length > 0) {
    shown.push({
      row: {
        service: "",
        operation: OTHER_OPERATIONS,
        timeKind: "unexplained",
        p50Ms: sum(rest.map((g) => g.row.p50Ms)),
        p99Ms: sum(rest.map((g) => g.row.p99Ms)),
      },
      keys: rest.flatMap((g) => g.keys),
    });
  }
  const intervals = slowIntervals(
    window,
    view,
    shown.map((g) => g.keys),
    seed,
  );
  const round = (value: number): number => Math.round(value * 1000) / 1000;
  return shown.map(({ row }, i) => ({
    ...row,
    p50Ms: round(row.p50Ms),
    p99Ms: round(row.p99Ms),
    lowMs: round(intervals[i]!.low),
    highMs: round(intervals[i]!.high),
  }));
}

/** 90 % bootstrap intervals of the mean blame around p99, in ms, per group of keys. */
function slowIntervals(
  window: Window,
  view: EndpointView,
  groups: readonly number[][],
  seed: number,
): { low: number; high: number }[] {
  const columnOf = new Map<number, number>();
  groups.forEach((keys, column) => keys.forEach((key) => columnOf.set(key, column)));
  const { blame } = window;
  const { traces } = view.endpoint;
  const rowStart = new Int32Array(traces.length + 1);
  const columns: number[] = [];
  const values: number[] = [];
  // Only the slowest tenth can enter a p99 window of any resample worth counting.
  const from = Math.floor(traces.length * 0.9);
  for (let j = 0; j < traces.length; j++) {
    if (j >= from) {
      const trace = traces[j]!;
      for (let i = blame.traceStart[trace]!; i < blame.traceStart[trace + 1]!; i++) {
        const column = columnOf.get(blame.key[i]!);
        if (column === undefined) continue;
        columns.push(column);
        values.push(blame.ns[i]! / NS_PER_MS);
      }
    }
    rowStart[j + 1] = columns.length;
  }
  const rows = {
    rowStart,
    column: Int32Array.from(columns),
    value: Float64Array.from(values),
    columnCount: groups.length,
  };
  const around = view.caution === undefined ? WINDOW_OF_P99 : { low: ratio(0.9), high: ratio(1) };
  const estimates = bootstrapWindowMeans(view.sample, around, rows, { seed, resamples: 100 });
  return groups.map((_, i) => ({ low: estimates.low[i]!, high: estimates.high[i]! }));
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
