import { benjaminiHochberg } from "../../analysis/false-discovery.ts";
import { meanOfTop, strengthOf, tailBound, type Usual, usualOf } from "../../analysis/robust-deviation.ts";
import type { Measure } from "../semantic-measures.ts";
import { durationOf, eventLoopShare, type ServiceMeasure, type ServiceMeasures, valuesOf } from "./service-measures.ts";

/** A quantity of a service that is not as it was at the time of the baseline. */
export interface Deviation {
  readonly service: string;
  readonly quantity: Quantity;
  /** pool, device, table or queue; "" for none */
  readonly resource: string;
  readonly usual: Usual;
  /** mean of the worst half of the windows now */
  readonly now: number;
  /** in usual distances above the usual: 1 is its edge */
  readonly strength: number;
  readonly qValue: number;
}

/** Measures that are compared, and two that are made of several. */
export type Quantity = Measure | "duration" | "call-duration";

/** Distances below these are not worth a word, in the unit of each. */
const FLOORS: Partial<Record<Quantity, number>> = {
  "cpu-used": 0.01,
  "cpu-share": 0.08,
  "host-cpu-share": 0.1,
  "memory-share": 0.05,
  "host-memory-share": 0.05,
  "event-loop-share": 0.1,
  "event-loop-delay": 0.02,
  "gc-time": 0.02,
  "throttled-time": 0.02,
  "throttled-periods": 0.5,
  "throttled-share": 0.05,
  "pool-waiting": 1,
  "pool-wait": 0.005,
  "disk-busy": 0.1,
  "queue-depth": 20,
  "request-failed-share": 0.005,
  duration: 0.002,
  "call-duration": 0.002,
  "network-bytes": 5e4,
  "memory-used": 5e6,
  "heap-used": 5e6,
};
const COMPARED = Object.keys(FLOORS) as Quantity[];

/**
 * All quantities of all services against the baseline, those that rose most first;
 * with q-values by Benjamini and Hochberg over all of them. Each of the two worst windows
 * counts as a trial of its own.
 */
export function deviations(now: ServiceMeasures, before: ServiceMeasures): Deviation[] {
  const found: Omit<Deviation, "qValue">[] = [];
  const pValues: number[] = [];
  for (const [service, measures] of now.services) {
    const baseline = before.services.get(service);
    for (const quantity of COMPARED) {
      for (const { resource, values } of quantitiesOf(measures, quantity)) {
        const then = quantitiesOf(baseline, quantity).find((one) => one.resource === resource);
        const usual = usualOf(then?.values ?? [], FLOORS[quantity]!);
        const known = values.filter((value) => Number.isFinite(value));
        if (usual === undefined || known.length === 0) continue;
        const level = meanOfTop(known, known.length >> 1);
        const strength = strengthOf(level, usual);
        found.push({ service, quantity, resource, usual, now: level, strength });
        pValues.push(strength <= 0 ? 1 : tailBound(strength) ** Math.min(2, known.length));
      }
    }
  }
  const qValues = benjaminiHochberg(Float64Array.from(pValues));
  return found.map((one, i) => ({ ...one, qValue: qValues[i]! })).sort((a, b) => b.strength - a.strength);
}

function quantitiesOf(
  measures: readonly ServiceMeasure[] | undefined,
  quantity: Quantity,
): readonly { readonly resource: string; readonly values: Float64Array }[] {
  if (quantity === "duration" || quantity === "call-duration") {
    const duration = durationOf(measures, quantity === "duration" ? "request" : "call");
    return duration === undefined ? [] : [{ resource: "", values: duration.values }];
  }
  if (quantity === "event-loop-share") {
    const share = eventLoopShare(measures);
    return share === undefined ? [] : [share];
  }
  return measures?.filter((one) => one.measure === quantity) ?? [];
}

/** Share of requests that fail per window; undefined where nothing tells. */
export function failedShare(measures: readonly ServiceMeasure[] | undefined): Float64Array | undefined {
  const share = valuesOf(measures, "request-failed-share");
  if (share !== undefined) return share;
  const failed = valuesOf(measures, "request-failed");
  const rate = valuesOf(measures, "request-rate");
  return failed === undefined || rate === undefined
    ? undefined
    : failed.map((value, i) => (rate[i]! > 0 ? Math.min(1, value / rate[i]!) : Number.NaN));
}
