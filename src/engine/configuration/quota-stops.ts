import { ascendingOrder } from "../../analysis/ascending-order.ts";
import { timeWithin } from "../../analysis/stalls.ts";
import { quantileOf } from "../../analysis/weighted-quantile.ts";
import { mapToFloats } from "../../model/map-column.ts";
import { SpanRole } from "../../model/span-facts.ts";
import { NS_PER_S } from "../../model/units.ts";
import { ownTime } from "../case.ts";
import type { Undo } from "../hot-spot.ts";
import { serverOf } from "../legs.ts";
import { valuesOf, type ServiceMeasure, type ServiceMeasures } from "../resources/service-measures.ts";
import type { Window } from "../window.ts";

/** A stretch in which a process stood still. */
interface Stop {
  readonly instance: number;
  readonly fromNs: number;
  readonly toNs: number;
}

/** The kernel's default period (sched-bwc.rst): no stop is longer than one. */
const PERIOD_S = 0.1;
/** Shorter pauses hurt nobody. */
const MIN_STOP_NS = 5e6;
/** Nine of ten pauses are those of ordinary work and calls: a stop is longer than they are. */
const USUAL = 0.9;
const LONGER_THAN_USUAL = 1.5;
/** Of a pause so much has to be covered by what the counter tells. */
const MIN_COVER = 0.5;

/**
 * What requests would take if a quota had never stopped the processes of a service. The kernel's counters tell for how long
 * it did in each stretch of time; the spans show when nothing moved: no span of a process ended and none was begun
 * inside, while some were open. The longest such pauses are taken for the stops, as many as the counter has time for.
 * Undefined where the counters or the pauses are missing.
 */
export function withoutStops(window: Window, service: string, now: ServiceMeasures): Undo | undefined {
  const budget = stoppedNs(now.services.get(service) ?? [], now.grid.stepNs);
  if (budget === undefined) return undefined;
  const offsetNs = Number(now.baseUnixNs - window.spans.baseUnixNs) + now.grid.startNs;
  const cellOf = (atNs: number): number => Math.floor((atNs - offsetNs) / now.grid.stepNs);
  const serviceId = window.paths.service.find((id) => window.text(id) === service);
  if (serviceId === undefined) return undefined;
  const stops = chosen(pausesOf(window, serviceId), budget, cellOf);
  const stopped = stoppedByRow(window, serviceId, stops);
  if (stopped.size === 0) return undefined;
  const rows = Int32Array.from(stopped.keys());
  const ownNs = ownTime(window.segments, window.spans.rowCount);
  return { kind: "own-time", rows, ownNs: mapToFloats(rows, (row) => Math.max(0, ownNs[row]! - stopped.get(row)!)) };
}

/** Nanoseconds that the processes of a service stood still for, per window of the grid. */
function stoppedNs(measures: readonly ServiceMeasure[], stepNs: number): Float64Array | undefined {
  const time = valuesOf(measures, "throttled-time");
  const periods = valuesOf(measures, "throttled-periods");
  const either = time ?? periods;
  // The time is the sum over processors that stood still together: a stopped period is none longer than itself.
  return either?.map((_, i) => {
    const seconds = [time?.[i] ?? Number.NaN, (periods?.[i] ?? Number.NaN) * PERIOD_S].filter((s) =>
      Number.isFinite(s),
    );
    return seconds.length === 0 ? 0 : Math.min(...seconds) * stepNs;
  });
}

/** Pauses of each process of a service that are longer than usual, whoever of its requests is open. */
function pausesOf({ forest, facts }: Window, serviceId: number): Stop[] {
  const byInstance = new Map<number, number[]>();
  for (const row of forest.rows) {
    if (facts.service[row] !== serviceId) continue;
    const held = byInstance.get(facts.instance[row]!);
    if (held === undefined) byInstance.set(facts.instance[row]!, [row]);
    else held.push(row);
  }
  const isEntry = (row: number): boolean =>
    facts.role[row] === SpanRole.server || facts.role[row] === SpanRole.consumer;
  return [...byInstance].flatMap(([instance, rows]) => {
    // Who arrives opens a span, and is no progress.
    const at = mapToFloats({ length: 2 * rows.length }, (_, i) =>
      i < rows.length ? forest.startNs[rows[i]!]! : forest.endNs[rows[i - rows.length]!]!,
    );
    const pauses: Stop[] = [];
    let [open, last] = [0, Number.NaN];
    for (const event of ascendingOrder(at)) {
      const isStart = event < rows.length;
      const isProgress = !isStart || !isEntry(rows[event]!);
      if (open > 0 && isProgress) pauses.push({ instance, fromNs: last, toNs: at[event]! });
      // A process without requests waits for one.
      if (isProgress || open === 0) last = at[event]!;
      open += isStart ? 1 : -1;
    }
    const length = ({ fromNs, toNs }: Stop): number => toNs - fromNs;
    if (pauses.length === 0) return [];
    const usual = quantileOf(mapToFloats(pauses, length), USUAL);
    return pauses.filter((pause) => length(pause) >= Math.max(MIN_STOP_NS, LONGER_THAN_USUAL * usual));
  });
}

/**
 * The longest first, each out of what is left in its own stretch of time, or with the next, in which a counter may be read late.
 * What the counter has no time for is work of the last before the stop: a stop ends with progress.
 */
function chosen(pauses: readonly Stop[], budget: Float64Array, cellOf: (atNs: number) => number): Stop[] {
  const left = budget.slice();
  return pauses
    .toSorted((a, b) => b.toNs - b.fromNs - (a.toNs - a.fromNs) || a.fromNs - b.fromNs)
    .flatMap((pause) => {
      const { fromNs, toNs } = pause;
      const longest = Math.min(toNs - fromNs, PERIOD_S * NS_PER_S);
      const own = cellOf(toNs);
      const cells = (left[own] ?? 0) >= MIN_COVER * longest ? [own] : [own, cellOf(fromNs), own + 1];
      const known = [...new Set(cells)].filter((cell) => left[cell]! > 0);
      const there = known.reduce((sum, cell) => sum + left[cell]!, 0);
      if (there < MIN_COVER * longest) return [];
      let rest = longest;
      for (const cell of known) {
        const taken = Math.min(rest, left[cell]!);
        left[cell]! -= taken;
        rest -= taken;
      }
      return [{ ...pause, fromNs: toNs - (longest - rest) }];
    });
}

/** Time on critical paths within the stops, by row: of the service's own spans, and of calls that it has not taken up yet. */
function stoppedByRow(window: Window, serviceId: number, stops: readonly Stop[]): Map<number, number> {
  const { segments, facts } = window;
  const byInstance = new Map<number, Stop[]>();
  for (const stop of stops.toSorted((a, b) => a.fromNs - b.fromNs))
    byInstance.set(stop.instance, [...(byInstance.get(stop.instance) ?? []), stop]);
  const stopped = new Map<number, number>();
  for (let i = 0; i < segments.row.length; i++) {
    const row = segments.row[i]!;
    const at = facts.service[row] === serviceId ? row : serverOf(window, row);
    if (at < 0 || facts.service[at] !== serviceId) continue;
    const ns = timeWithin(byInstance.get(facts.instance[at]!) ?? [], segments.startNs[i]!, segments.endNs[i]!);
    if (ns > 0) stopped.set(row, (stopped.get(row) ?? 0) + ns);
  }
  return stopped;
}
