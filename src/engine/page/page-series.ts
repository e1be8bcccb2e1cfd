import type { PageSeries } from "../../model/page.ts";
import { NS_PER_MS } from "../../model/units.ts";
import type { Measures } from "../resources/read-measures.ts";

/** More are looked at one by one on the command line. */
const SERIES = 300;
/** Windows of a series: about one per four pixels of a chart. */
const WINDOWS = 200;

/** What the metrics measured over time, as the diagnosis read it: services in turn, their measures in turn. */
export function pageSeries(measures: Measures | undefined): { series: PageSeries[]; left: number } {
  if (measures === undefined) return { series: [], left: 0 };
  const { grid, baseUnixNs } = measures;
  const join = Math.max(1, Math.ceil(grid.count / WINDOWS));
  const startUnixMs = Number((baseUnixNs + BigInt(Math.round(grid.startNs))) / 1000n) / 1e3;
  const all = measures.series
    .filter(({ values }) => values.some((value) => !Number.isNaN(value)))
    .map((held): PageSeries => ({
      measure: held.measure,
      service: held.service,
      instance: held.instance,
      host: held.host,
      resource: held.resource,
      metrics: held.metrics,
      startUnixMs,
      windowMs: (grid.stepNs * join) / NS_PER_MS,
      values: joined(held.values, join),
    }))
    .toSorted(
      (a, b) => compare(a.service, b.service) || compare(a.measure, b.measure) || compare(a.instance, b.instance),
    );
  return { series: all.slice(0, SERIES), left: Math.max(0, all.length - SERIES) };
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** Means of `join` windows each, of those that are known. */
function joined(values: Float64Array, join: number): (number | null)[] {
  const means: (number | null)[] = [];
  for (let from = 0; from < values.length; from += join) {
    const known = values.subarray(from, from + join).filter((value) => !Number.isNaN(value));
    const sum = known.reduce((total, value) => total + value, 0);
    means.push(known.length === 0 ? null : Number((sum / known.length).toPrecision(6)));
  }
  return means;
}
