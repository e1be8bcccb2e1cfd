import type { PairedEstimate } from "../analysis/bootstrap.ts";
import { applyChange } from "../analysis/interventions.ts";
import { parseChange } from "../analysis/parse-change.ts";
import { type Edits, noEdits } from "../analysis/replay.ts";
import { prepareReplay, type ReplayPlan } from "../analysis/replay-plan.ts";
import { predictEndpoints, type EndpointPrediction } from "../analysis/what-if-prediction.ts";
import type { Change } from "../model/change.ts";
import type { MetricTable } from "../model/metric-table.ts";
import type { ResourceSamples } from "../model/resource-samples.ts";
import type { SpanTable } from "../model/span-table.ts";
import { NS_PER_MS } from "../model/units.ts";
import { WHAT_IF_SCHEMA, type PredictedQuantile, type WhatIfReport } from "../model/what-if-report.ts";
import { readMeasures } from "./resources/read-measures.ts";
import { resourceSamples } from "./resources/use-table.ts";
import { ChangeError } from "./change-error.ts";
import { checkpointOf, type DiagnoseHooks } from "./diagnose.ts";
import { oncePerWindow } from "./once-per-window.ts";
import { predictionInterval } from "./prediction-interval.ts";
import { programOf } from "./replay-predictor.ts";
import { underLoad, type UnderLoad } from "./throughput/under-load.ts";
import { buildWindow, type Window } from "./window.ts";

export interface WhatIfOptions {
  readonly seed?: number;
  /** metrics of the same window */
  readonly metrics?: MetricTable;
  /** how busy hosts, processes and pools were, where that is known from elsewhere than `metrics` */
  readonly resources?: ResourceSamples;
}

/** The replay with all changes, before its intervals are widened by what the model may be wrong by. */
export interface Replayed {
  readonly window: Window;
  readonly endpoints: readonly EndpointPrediction[];
  readonly load: UnderLoad;
  readonly assumptions: readonly string[];
  readonly cannotTell: readonly string[];
}

/**
 * Predicted percentiles of every endpoint with all changes together, by replaying all complete traces with the waits that
 * the capacity model has for the changed system at the same load, and its ceiling. Throws ChangeError for specs that cannot
 * be read or match no operation; what these data do not tell is said in `cannotTell`.
 */
export async function whatIf(
  spans: SpanTable,
  specs: readonly string[],
  options: WhatIfOptions = {},
  hooks: DiagnoseHooks = {},
): Promise<WhatIfReport> {
  for (const spec of specs) readChange(spec);
  return whatIfIn(await buildWindow(spans, checkpointOf(hooks)), specs, options, hooks);
}

/** The same for a window that is built already. */
export async function whatIfIn(
  window: Window,
  specs: readonly string[],
  options: WhatIfOptions = {},
  hooks: DiagnoseHooks = {},
): Promise<WhatIfReport> {
  const { endpoints, load, assumptions, cannotTell } = await replayIn(window, specs, options, hooks);
  return {
    schema: WHAT_IF_SCHEMA,
    changes: specs,
    endpoints: endpoints.map((endpoint) => ({
      service: window.text(endpoint.service),
      operation: window.text(endpoint.operation),
      requests: endpoint.traces,
      ...percentiles(endpoint, load.fullest),
      unit: "ms",
    })),
    ceiling: load.ceiling,
    assumptions,
    cannotTell,
  };
}

/** What `whatIf` does, with the predictions as the replay leaves them; throws like it. */
export async function replayChanged(
  spans: SpanTable,
  specs: readonly string[],
  options: WhatIfOptions = {},
  hooks: DiagnoseHooks = {},
): Promise<Replayed> {
  for (const spec of specs) readChange(spec);
  return replayIn(await buildWindow(spans, checkpointOf(hooks)), specs, options, hooks);
}

/** Of all complete traces. Changes are kept apart from it, in edits. */
const planOf = oncePerWindow((window) => prepareReplay(window.forest, window.paths, programOf(window)));

async function replayIn(
  window: Window,
  specs: readonly string[],
  options: WhatIfOptions,
  hooks: DiagnoseHooks,
): Promise<Replayed> {
  const changes = specs.map(readChange);
  const seed = options.seed ?? 1;
  const checkpoint = checkpointOf(hooks);
  await checkpoint("learning the program", 0, 2);
  const plan = planOf(window);
  await checkpoint("replaying traces", 1, 2);
  const edits = noEdits(plan);
  const said = { assumptions: new Set<string>(), cannotTell: new Set<string>() };
  changes.forEach((change, i) => applyTo(plan, edits, change, specs[i]!, seed, said));
  await checkpoint("modelling waits", 1, 2);
  const load = underLoad(window, plan, edits, changes, options.resources ?? samplesOf(options.metrics), seed);
  for (const assumption of load.assumptions) said.assumptions.add(assumption);
  changes.forEach((change, i) => {
    const reason = load.reasons.get(change);
    if (reason !== undefined) said.cannotTell.add(`${specs[i]}: ${reason}`);
  });
  for (const text of load.cannotTell) said.cannotTell.add(text);
  const endpoints = predictEndpoints(plan, edits, { seed });
  return { window, endpoints, load, assumptions: [...said.assumptions], cannotTell: [...said.cannotTell] };
}

function applyTo(
  plan: ReplayPlan,
  edits: Edits,
  change: Change,
  spec: string,
  seed: number,
  said: { readonly assumptions: Set<string>; readonly cannotTell: Set<string> },
): void {
  const applied = applyChange(plan, edits, change, { seed });
  switch (applied.kind) {
    case "applied":
      for (const assumption of applied.assumptions) said.assumptions.add(assumption);
      if (applied.spans === 0) said.cannotTell.add(`${spec}: the operation is in none of the complete traces`);
      break;
    case "cannot-tell":
      // Sizes of pools, replicas and cores: the capacity model has them, or says what it would need.
      break;
    case "no-match": {
      const nearest =
        applied.nearest === undefined
          ? ""
          : `; nearest: service=${applied.nearest.service},operation=${applied.nearest.operation}`;
      throw new ChangeError(`--change ${spec}: no ${applied.looked} in these traces${nearest}`);
    }
  }
}

/** Remembered, so that many changes that are tried on the same metrics read them once. */
const samplesByTable = new WeakMap<MetricTable, ResourceSamples>();

function samplesOf(metrics: MetricTable | undefined): ResourceSamples | undefined {
  if (metrics === undefined || metrics.points.rowCount === 0) return undefined;
  let samples = samplesByTable.get(metrics);
  if (samples === undefined) samplesByTable.set(metrics, (samples = resourceSamples(readMeasures(metrics))));
  return samples;
}

function readChange(spec: string): Change {
  const parsed = parseChange(spec);
  if (parsed.kind !== "change-spec-error") return parsed;
  const found = parsed.part === "" ? "" : `, found "${parsed.part}"`;
  const nearest = parsed.nearest === undefined ? "" : ` (did you mean "${parsed.nearest}"?)`;
  throw new ChangeError(`--change ${spec}: expected ${parsed.expected}${found}${nearest}`);
}

function percentiles(
  endpoint: EndpointPrediction,
  fullest: number,
): {
  p50: PredictedQuantile;
  p95: PredictedQuantile;
  p99: PredictedQuantile;
} {
  const told = (pair: PairedEstimate): PredictedQuantile => inMs(pair, fullest);
  return { p50: told(endpoint.p50), p95: told(endpoint.p95), p99: told(endpoint.p99) };
}

function inMs(pair: PairedEstimate, fullest: number): PredictedQuantile {
  const predicted = predictionInterval(pair, 1 / (1 - Math.min(fullest, 0.99)));
  const round = (ns: number): number => Math.round((ns / NS_PER_MS) * 1000) / 1000;
  return {
    now: round(pair.now.value),
    predicted: round(predicted.value),
    low: round(predicted.low),
    high: round(predicted.high),
  };
}
