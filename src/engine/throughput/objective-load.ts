import { noEdits } from "../../analysis/replay.ts";
import { prepareReplay, type ReplayPlan } from "../../analysis/replay-plan.ts";
import { predictEndpoints, type EndpointPrediction } from "../../analysis/what-if-prediction.ts";
import type { ObjectiveLoad, ObjectiveResult } from "../../model/report.ts";
import { NS_PER_MS } from "../../model/units.ts";
import { predictionInterval } from "../prediction-interval.ts";
import { programOf } from "../replay-predictor.ts";
import type { Window } from "../window.ts";
import { ceilingInterval, rateText, type Throughput } from "./throughput.ts";
import { rescaleWaits } from "./waits-under-load.ts";

/** Loads that are tried, as shares of the ceiling: waits hardly change below, and grow ever faster towards it. */
const SHARES = [0.05, 0.15, 0.3, 0.45, 0.6, 0.7, 0.8, 0.87, 0.93, 0.97];
/** For the place of a crossing; few are enough. */
const RESAMPLES = 60;

/**
 * The load of all endpoints at which each objective falls: the recorded requests are replayed with the waits that the
 * model has at other loads. At the ceiling every objective falls. Where the ceiling is not known this is not either.
 */
export function objectiveLoads(
  window: Window,
  throughput: Throughput,
  objectives: readonly ObjectiveResult[],
  seed: number,
): ObjectiveLoad[] {
  const named = objectives.flatMap(({ endpoint, ...rest }) => (endpoint === null ? [] : [{ ...rest, endpoint }]));
  if (named.length === 0) return [];
  const { ceiling, report } = throughput;
  if (report.status !== "ok" || ceiling === undefined) {
    const detail = `insufficient data: ${report.detail}`;
    const unknown = { fallsAtPerSecond: null, lowPerSecond: null, highPerSecond: null, detail };
    return named.map(({ endpoint, metric, limitMs }) => ({ endpoint, metric, limitMs, ...unknown }));
  }
  const plan = prepareReplay(window.forest, window.paths, programOf(window));
  const steps = [...SHARES.map((share) => share * ceiling.perSecond), throughput.model.perSecond]
    .filter((perSecond) => perSecond < ceiling.perSecond)
    .sort((a, b) => a - b)
    .map((perSecond) => atLoad(window, plan, throughput, perSecond, seed))
    .filter((step) => step !== undefined);
  return named.map(({ endpoint, metric, limitMs }) => ({
    endpoint,
    metric,
    limitMs,
    ...fall(window, throughput, steps, endpoint, metric, limitMs),
  }));
}

interface Step {
  readonly perSecond: number;
  readonly endpoints: readonly EndpointPrediction[];
  readonly stretch: number;
}

/** The endpoints at another load; undefined where it is too much for something. */
function atLoad(
  window: Window,
  plan: ReplayPlan,
  { model }: Throughput,
  perSecond: number,
  seed: number,
): Step | undefined {
  const edits = noEdits(plan);
  const { saturated, fullest } = rescaleWaits(window, plan, edits, model, { ...model, perSecond }, seed);
  if (saturated) return undefined;
  const endpoints = predictEndpoints(plan, edits, { seed, resamples: RESAMPLES });
  return { perSecond, endpoints, stretch: 1 / (1 - Math.min(fullest, 0.99)) };
}

type Fall = Pick<ObjectiveLoad, "fallsAtPerSecond" | "lowPerSecond" | "highPerSecond" | "detail">;

function fall(
  window: Window,
  { ceiling, measured, model }: Throughput,
  steps: readonly Step[],
  endpoint: ObjectiveLoad["endpoint"],
  metric: ObjectiveLoad["metric"],
  limitMs: number,
): Fall {
  const none = { fallsAtPerSecond: null, lowPerSecond: null, highPerSecond: null };
  const curve = steps.flatMap(({ perSecond, endpoints, stretch }) => {
    const found = endpoints.find(
      (e) => window.text(e.service) === endpoint.service && window.text(e.operation) === endpoint.operation,
    );
    return found === undefined ? [] : [{ perSecond, ...predictionInterval(found[metric], stretch) }];
  });
  const [first] = curve;
  if (first === undefined) return { ...none, detail: "insufficient data: none of its traces is complete" };
  const limit = limitMs * NS_PER_MS;
  const interval = ceilingInterval(measured, ceiling!, model.perSecond);
  const crossing = (of: (point: (typeof curve)[number]) => number, last: number): number => {
    let before = { perSecond: 0, value: 0 };
    let most = 0;
    for (const point of curve) {
      // What the draws of new waits take back is no gain: more load makes nothing faster.
      most = Math.max(most, of(point));
      if (most >= limit) {
        const share = most > before.value ? (limit - before.value) / (most - before.value) : 0;
        return before.perSecond + Math.min(1, Math.max(0, share)) * (point.perSecond - before.perSecond);
      }
      before = { perSecond: point.perSecond, value: most };
    }
    return last;
  };
  if (first.value >= limit) {
    const least = (first.value / NS_PER_MS).toPrecision(3);
    return {
      ...none,
      detail: `missed at any load: ${metric} is ${least} ms at ${rateText(first.perSecond)} requests/s`,
    };
  }
  const round = (value: number): number => Number(value.toPrecision(4));
  return {
    fallsAtPerSecond: round(crossing(({ value }) => value, ceiling!.perSecond)),
    lowPerSecond: round(crossing(({ high }) => high, interval.low)),
    highPerSecond: round(crossing(({ low }) => low, interval.high)),
  };
}
