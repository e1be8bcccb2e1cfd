import type { MetricTable } from "../../model/metric-table.ts";
import type { Window } from "../window.ts";
import { type Deviation, deviations } from "./deviations.ts";
import { type BusyDisk, newlyBusyDisks } from "./host-disk.ts";
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
  /** services that the spans of the window show at work */
  readonly traced: ReadonlySet<string>;
  readonly points: number;
  readonly pointsUnused: number;
  readonly warnings: readonly string[];
}

/** Metrics of a window (and a baseline) → readings, deviations and where a symptom comes from; undefined without metrics. */
export function resourceContext(
  metrics: MetricTable | undefined,
  baseline: MetricTable | undefined,
  window: Window,
  baselineWindow: Window | undefined,
): ResourceContext | undefined {
  if (metrics === undefined || metrics.points.rowCount === 0) return undefined;
  const measures = readMeasures(metrics);
  const now = byService(measures);
  const before =
    baseline === undefined || baseline.points.rowCount === 0 ? undefined : byService(readMeasures(baseline));
  const changed = before === undefined ? [] : deviations(now, before);
  return {
    measures,
    now,
    before,
    readings: resourceReadings(now),
    readingsBefore: before === undefined ? [] : resourceReadings(before),
    deviations: changed,
    busyDisks: newlyBusyDisks(now, before, changed),
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
