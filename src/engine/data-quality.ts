import type { Intake } from "../model/intake.ts";
import type { DataQuality, PointLedger, SpanLedger } from "../model/report.ts";
import { NS_PER_MS } from "../model/units.ts";
import type { EndpointView } from "./endpoint-view.ts";
import { samplingError, type SamplingError } from "../analysis/sampling-error.ts";
import { describeSampling } from "../analysis/trace-weights.ts";
import type { ResourceContext } from "./resources/resource-context.ts";
import type { Window } from "./window.ts";
import { count, percent, plural } from "./wording.ts";

/** What the data allow to say: completeness, clocks, sampling, and every span accounted for. `others`: warnings of what was joined with the spans. */
export function dataQuality(
  window: Window,
  intake: Intake | undefined,
  views: readonly EndpointView[],
  stopped: boolean,
  resources: ResourceContext | undefined,
  others: readonly string[] = [],
): DataQuality {
  const { forest } = window;
  const { quality } = forest;
  const ledger = spanLedger(window, intake);
  const sampling = describeSampling(forest).kind;
  const incomplete = quality.traces === 0 ? 0 : quality.incompleteTraces / quality.traces;
  const warnings = [
    ...(stopped ? ["stopped before the end: only a part of the endpoints was explained"] : []),
    ...(incomplete > 0.05
      ? [`${percent(incomplete)} of the traces are incomplete (orphans or no root) and left out of all numbers`]
      : []),
    ...(quality.remoteRoots > 0
      ? [
          `${quality.remoteRoots} traces begin with a span whose caller sends no spans: they are taken as complete, and what the caller adds is not in their numbers`,
        ]
      : []),
    ...(quality.duplicateSpans > 0 ? [`${quality.duplicateSpans} duplicate spans left out`] : []),
    ...(quality.cyclesCut > 0 ? [`${quality.cyclesCut} parent cycles cut`] : []),
    ...(quality.negativeDurations > 0
      ? [`${quality.negativeDurations} spans end before they start: taken as zero length`]
      : []),
    ...(quality.absurdDurations > 0
      ? [`${quality.absurdDurations} spans last longer than a day: their traces are left out`]
      : []),
    ...(sampling === "head" ? [sampledText(samplingError(forest))] : []),
    ...(sampling === "tail"
      ? ["tail-sampled without weights: percentiles describe the kept traces, not the traffic"]
      : []),
    ...views
      .filter((v) => v.caution !== undefined)
      .slice(0, 3)
      .map((v) => `${v.name}: ${v.caution}`),
    ...(intake !== undefined && intake.invalidUtf8 > 0
      ? [`${intake.invalidUtf8} strings are not UTF-8: read with replacement characters`]
      : []),
    ...(intake !== undefined && intake.truncatedValues > 0
      ? [`${intake.truncatedValues} attribute values were longer than 64 KiB and cut`]
      : []),
    ...(resources?.warnings.slice(0, 5) ?? []),
    ...others,
  ];
  return {
    traces: quality.traces,
    incompleteTraces: quality.incompleteTraces,
    spans: window.spans.rowCount,
    orphanSpans: quality.orphanSpans,
    skewedHosts: forest.skews
      .filter((skew) => skew.appliedNs !== 0)
      .map((skew) => ({
        from: window.text(skew.from),
        to: window.text(skew.to),
        lowMs: skew.lowNs / NS_PER_MS,
        highMs: skew.highNs / NS_PER_MS,
        appliedMs: skew.appliedNs / NS_PER_MS,
        pairs: skew.pairs,
      })),
    sampling,
    gates: [
      {
        name: "complete-traces",
        ok: incomplete <= 0.2,
        detail: `${quality.traces - quality.incompleteTraces} of ${quality.traces} traces are complete`,
      },
    ],
    ledger,
    ...(resources === undefined ? {} : { metricPoints: pointLedger(resources, intake) }),
    warnings,
    complete: !stopped,
  };
}

/** Two-sided 90 % of a normal distribution, as of the report's other intervals. */
const Z_90 = 1.645;

function sampledText({ traces, standFor, relativeError }: SamplingError): string {
  const error = percent(Z_90 * relativeError);
  return `sampled: ${plural(traces, "trace")} stand for ${count(standFor)}, so rates are known to ± ${error} (90 %); percentiles are those of the sample, and their intervals allow for it`;
}

/** received = analysed + not used + rejected. */
function pointLedger({ points, pointsUnused }: ResourceContext, intake: Intake | undefined): PointLedger {
  const rejected = [...(intake?.points.rejected ?? [])].map(([reason, held]) => ({
    reason: reason as string,
    ...held,
  }));
  return {
    received: intake?.points.received ?? points,
    analysed: points - pointsUnused,
    notUsed: pointsUnused,
    rejected: rejected.sort((a, b) => b.points - a.points),
  };
}

/** received = analysed + incomplete + rejected; duplicates and out-of-range spans count as rejected. */
function spanLedger(window: Window, intake: Intake | undefined): SpanLedger {
  const { forest, spans } = window;
  let analysed = 0;
  for (const row of forest.rows) if (forest.complete[forest.trace[row]!] === 1) analysed++;
  const duplicates = spans.rowCount - forest.rows.length;
  const rejected = [...(intake?.rejected ?? [])].map(([reason, held]) => ({ reason: reason as string, ...held }));
  if (duplicates > 0)
    rejected.push({ reason: "duplicate", spans: duplicates, example: "same span id and kind as an earlier span" });
  return {
    received: intake?.received ?? spans.rowCount,
    analysed,
    incomplete: forest.rows.length - analysed,
    rejected: rejected.sort((a, b) => b.spans - a.spans),
  };
}
