import type { Edits } from "../../analysis/replay.ts";
import type { ReplayPlan } from "../../analysis/replay-plan.ts";
import type { Change } from "../../model/change.ts";
import type { ResourceSamples } from "../../model/resource-samples.ts";
import type { PredictedCeiling } from "../../model/what-if-report.ts";
import type { Window } from "../window.ts";
import { ceilingOf, type CapacityModel } from "./capacity-model.ts";
import { resized, withDemandsOf } from "./changed-model.ts";
import type { MissingResource } from "./missing-resources.ts";
import { analyseThroughput, ceilingInterval, rateText, type Throughput } from "./throughput.ts";
import { rescaleWaits } from "./waits-under-load.ts";

/** What changes do to waits and to the ceiling. */
export interface UnderLoad {
  /** before the changes */
  readonly throughput: Throughput;
  readonly ceiling: PredictedCeiling | null;
  readonly assumptions: readonly string[];
  readonly cannotTell: readonly string[];
  /** changes that these data do not support, and why */
  readonly reasons: ReadonlyMap<Change, string>;
  /** use of the fullest resource whose waits change, after the change; 0 where none do */
  readonly fullest: number;
}

/** Of each window the last answer: many changes are tried on the same data. */
const answers = new WeakMap<
  Window,
  { readonly resources: ResourceSamples | undefined; readonly seed: number; readonly throughput: Throughput }
>();

function throughputOf(window: Window, resources: ResourceSamples | undefined, seed: number): Throughput {
  const held = answers.get(window);
  if (held !== undefined && held.resources === resources && held.seed === seed) return held.throughput;
  const throughput = analyseThroughput(window, resources, seed);
  answers.set(window, { resources, seed, throughput });
  return throughput;
}

/** Writes the new waits into `edits`, which hold what the changes do to the work, and predicts the ceiling. */
export function underLoad(
  window: Window,
  plan: ReplayPlan,
  edits: { -readonly [K in keyof Edits]: Edits[K] },
  changes: readonly Change[],
  resources: ResourceSamples | undefined,
  seed: number,
): UnderLoad {
  const throughput = throughputOf(window, resources, seed);
  const { model, measured, report } = throughput;
  const { model: sized, assumptions, cannotTell: reasons } = resized(window, model, measured, changes);
  const changed = withDemandsOf(sized, plan, edits);
  const cannotTell: string[] = [];
  const taken = [...assumptions, ...throughput.assumptions];
  let fullest = 0;
  if (report.status === "gate-failed") cannotTell.push(`what waits become: ${report.detail}`);
  else if (measured.length > 0) {
    const rescaled = rescaleWaits(window, plan, edits, model, changed, seed);
    fullest = rescaled.fullest;
    if (rescaled.saturated)
      cannotTell.push("percentiles under the changes: the present load is more than the changed system can do");
  }
  const unmeasured = unmeasuredText(throughput);
  if (unmeasured !== undefined) taken.push(unmeasured);
  const ceiling = report.status === "ok" ? predictedCeiling(throughput, changed) : null;
  const unknown = ceiling === null ? [] : mayLimitBefore(throughput, changes, ceiling.predicted);
  if (ceiling === null) cannotTell.push(`the throughput ceiling: ${report.detail}`);
  else if (unknown.length > 0) {
    const first = unknown.map(({ what }) => what).join(", ");
    cannotTell.push(
      `the throughput ceiling under the changes: ${first} may limit before ${rateText(ceiling.predicted)} requests/s, and is not measured; now it is ${rateText(ceiling.now)}`,
    );
  }
  return { throughput, ceiling: unknown.length > 0 ? null : ceiling, assumptions: taken, cannotTell, reasons, fullest };
}

/** What was not measured and need not stand back behind the ceiling, nor behind pools that stay as they are. */
function mayLimitBefore({ missing }: Throughput, changes: readonly Change[], perSecond: number): MissingResource[] {
  const isResized = changes.some(({ kind }) => kind === "pool" || kind === "replicas");
  return missing.filter((m) => m.leastCeiling < perSecond && (isResized || !m.isBehindPools));
}

function unmeasuredText({ measured, missing }: Throughput): string | undefined {
  if (measured.length === 0)
    return "waits for pools, locks and CPU stay as they are: they would shrink, too, so that a real fix may gain more";
  if (missing.length === 0) return "waits for locks stay as they are";
  return "waits for what is not measured (locks, some CPUs) stay as they are";
}

function predictedCeiling(throughput: Throughput, changed: CapacityModel): PredictedCeiling | null {
  const { ceiling: now, measured } = throughput;
  const then = ceilingOf(changed);
  if (now === undefined || then === undefined) return null;
  const { low, high } = ceilingInterval(measured, then, changed.perSecond);
  const round = (value: number): number => Number(value.toPrecision(4));
  const place = ({
    service,
    resource,
  }: {
    service: string;
    resource: string;
  }): { service: string; resource: string } => ({
    service,
    resource,
  });
  return {
    now: round(now.perSecond),
    predicted: round(then.perSecond),
    low: round(low),
    high: round(high),
    unit: "requests/s",
    limiterNow: place(now.limiter),
    limiterAfter: place(then.limiter),
  };
}
