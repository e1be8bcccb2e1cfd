import { pairedBootstrap } from "../analysis/bootstrap.ts";
import { applyChange, positionOfRow } from "../analysis/interventions.ts";
import { learnProgram, type ProgramModel } from "../analysis/program-model.ts";
import { noEdits, replay, type Edits } from "../analysis/replay.ts";
import { prepareReplay, type ReplayPlan } from "../analysis/replay-plan.ts";
import type { EndpointView } from "./endpoint-view.ts";
import type { Undo } from "./hot-spot.ts";
import { oncePerWindow } from "./once-per-window.ts";
import type { Predict } from "./prediction.ts";
import type { Window } from "./window.ts";
import { mapToFloats } from "../model/map-column.ts";

/**
 * Traces of an endpoint that are replayed: every k-th of them in order of
 * duration, which keeps the percentiles. 10,000 leave 100 beyond p99.
 */
const MAX_TRACES = 10_000;

/** What many traces tell about the program; learned once per window. */
export const programOf: (window: Window) => ProgramModel = oncePerWindow((window) =>
  learnProgram(window.forest, window.paths),
);

/**
 * Predictions by replaying an endpoint's traces with causes taken away; plans are made once per endpoint, and a window has one
 * predictor per seed. Own times are those of the window's critical paths: the window is key enough.
 */
export function replayPredictor(window: Window, ownNs: Float64Array, seed: number): Predict {
  const known = predictors(window);
  let predict = known.get(seed);
  if (predict === undefined) known.set(seed, (predict = newPredictor(window, ownNs, seed)));
  return predict;
}

const predictors = oncePerWindow(() => new Map<number, Predict>());

function newPredictor(window: Window, ownNs: Float64Array, seed: number): Predict {
  const plans = new Map<EndpointView, Prepared>();
  return (view, undo) => {
    let held = plans.get(view);
    if (held === undefined) {
      const plan = prepareReplay(window.forest, window.paths, programOf(window), chosenTraces(view));
      plans.set(view, (held = prepared(window, plan, seed)));
    }
    const { plan, position, estimate } = held;
    const edits = noEdits(plan);
    for (const one of undo) applyUndo(plan, position, edits, one, ownNs, seed);
    const then = replay(plan, edits);
    const [p50, p95, p99] = estimate(then);
    return { p50: p50!, p95: p95!, p99: p99! };
  };
}

/** An endpoint's traces ready to be replayed, with what does not depend on the change. */
interface Prepared {
  readonly plan: ReplayPlan;
  readonly position: Int32Array;
  /** of the durations of the plan's traces: p50, p95 and p99 as they are and as predicted */
  readonly estimate: ReturnType<typeof pairedBootstrap>;
}

function prepared({ forest }: Window, plan: ReplayPlan, seed: number): Prepared {
  const now = mapToFloats(plan.traces, (_, t) => plan.durationNs[plan.traceStart[t]!]!);
  const weight = mapToFloats(plan.traces, (trace) => forest.weight[trace]!);
  return {
    plan,
    position: positionOfRow(plan),
    estimate: pairedBootstrap(now, weight, [0.5, 0.95, 0.99], { seed }),
  };
}

function chosenTraces(view: EndpointView): Int32Array {
  const { traces } = view.endpoint;
  const step = Math.ceil(traces.length / MAX_TRACES);
  return step <= 1 ? traces : traces.filter((_, i) => i % step === step >> 1);
}

function applyUndo(
  plan: ReplayPlan,
  position: Int32Array,
  edits: Edits,
  undo: Undo,
  ownNs: Float64Array,
  seed: number,
): void {
  if (undo.kind === "change") {
    applyChange(plan, edits, undo.change, { seed, ...(undo.nodes === undefined ? {} : { nodes: undo.nodes }) });
    return;
  }
  for (let i = 0; i < undo.rows.length; i++) {
    const row = undo.rows[i]!;
    const at = position[row]!;
    // Told as time on the critical path; the same factor holds for the rest of the span's own time.
    if (at >= 0 && ownNs[row]! > 0) edits.ownFactor[at]! *= undo.ownNs[i]! / ownNs[row]!;
  }
}
