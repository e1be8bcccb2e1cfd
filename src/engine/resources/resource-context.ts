import type { MetricTable } from "../../model/metric-table.ts";
import type { Measure } from "../semantic-measures.ts";
import type { Window } from "../window.ts";
import { type Deviation, deviations } from "./deviations.ts";
import { type BusyDisk, newlyBusyDisks } from "./host-disk.ts";
import { diskUses, type DiskUse } from "./disk-users.ts";
import { type Localisation, localise } from "./localise.ts";
import { type ResourceReading, resourceReadings } from "./readings.ts";
import { readMeasures, type Measures } from "./read-measures.ts";
import { serviceGraph } from "./service-graph.ts";
import { byService, type ServiceMeasures } from "./service-measures.ts";

/** What the metrics of the window, and of a baseline, say. */
export interface ResourceContext {
  readonly measures: Measures;
  readonly now: ServiceMeasures;
  readonly before: ServiceMeasures | undefined;
  readonly readings: readonly ResourceReading[];
  /** of the baseline */
  readonly readingsBefore: readonly ResourceReading[];
  /** of everything that was compared, what rose most first; empty without a baseline */
  readonly deviations: readonly Deviation[];
  readonly localisations: readonly Localisation[];
  /** disks of machines that became busy since the baseline, most busy first */
  readonly busyDisks: readonly BusyDisk[];
  /** who asks the disks that became busy, where agents count it */
  readonly diskUses: readonly DiskUse[];
  /** services that the spans of the window show at work */
  readonly traced: ReadonlySet<string>;
  readonly points: number;
  readonly pointsUnused: number;
  readonly warnings: readonly string[];
}

/** What counts or shares the time of processors and of event loops. */
const PROCESSOR_TIMES: ReadonlySet<Measure> = new Set<Measure>([
  "cpu-used",
  "cpu-share",
  "host-cpu-busy",
  "host-cpu-idle",
  "host-cpu-share",
  "event-loop-active",
  "event-loop-idle",
]);

/**
 * The measures without times that break the laws of the gates: who uses a machine, and what a request costs, cannot be told by
 * them. One of them that is wrong makes the others wrong: what a service is not counted for looks like somebody else's.
 */
export function withoutProcessorTimes(metrics: MetricTable): Measures {
  const measures = readMeasures(metrics);
  return {
    ...measures,
    series: measures.series.filter(({ measure }) => !PROCESSOR_TIMES.has(measure)),
    warnings: [
      "processor times are left out of causes and costs: they break a law (see the gates)",
      ...measures.warnings,
    ],
  };
}

/** Metrics of a window (and a baseline) → readings, deviations and where a symptom comes from; undefined without metrics. `read`: how. */
export function resourceContext(
  metrics: MetricTable | undefined,
  baseline: MetricTable | undefined,
  window: Window,
  baselineWindow: Window | undefined,
  read: (metrics: MetricTable) => Measures = readMeasures,
): ResourceContext | undefined {
  if (metrics === undefined || metrics.points.rowCount === 0) return undefined;
  const measures = read(metrics);
  const now = byService(measures);
  const before = baseline === undefined || baseline.points.rowCount === 0 ? undefined : byService(read(baseline));
  const changed = before === undefined ? [] : deviations(now, before);
  const busyDisks = newlyBusyDisks(now, before, changed);
  return {
    measures,
    now,
    before,
    readings: resourceReadings(now),
    readingsBefore: before === undefined ? [] : resourceReadings(before),
    deviations: changed,
    busyDisks,
    diskUses: busyDisks.length === 0 ? [] : diskUses(metrics),
    localisations: before === undefined ? [] : localise(now, before, serviceGraph(now, before, window, baselineWindow)),
    traced: tracedServices(window),
    points: measures.points,
    pointsUnused: measures.pointsUnused,
    warnings: measures.warnings,
  };
}

function tracedServices({ forest, facts, text }: Window): Set<string> {
  const ids = new Set<number>();
  for (const row of forest.rows) ids.add(facts.service[row]!);
  return new Set([...ids].map((id) => text(id)));
}
