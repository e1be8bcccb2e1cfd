import type { Verdict } from "./judge-step.ts";
import type { Estimate, StepObservation } from "./load-step.ts";

export interface RampPlan {
  readonly startPerSecond: number;
  /** the next rate of the way up */
  readonly step: { readonly kind: "times" | "plus"; readonly by: number };
  readonly maxPerSecond: number;
  readonly stepSeconds: number;
}

export type Purpose = "up" | "down" | "narrow" | "confirm";

export interface PlannedStep {
  readonly perSecond: number;
  readonly seconds: number;
  readonly purpose: Purpose;
}

/** A step that was run, as far as the next one depends on it. */
export interface JudgedStep {
  readonly perSecond: number;
  readonly purpose: Purpose;
  readonly verdict: Verdict;
}

export type RampStop = "knee" | "max-rate" | "generator" | "no-steady-rate";

/** Between the highest rate that was sustained and the lowest that was not; a side that is not known is null. */
export interface Bracket {
  readonly low: number | null;
  readonly high: number | null;
}

/** Rates nearer to each other than this are one: a step of some thousand requests tells no more. */
const PRECISION = 1.05;
const MOST_NARROWING = 5;
const MOST_CONFIRMING = 2;
/** A first rate that was too high is followed by a quarter of it, and so on, while ten requests are left of a settled step. */
const DOWN = 4;
const LEAST_REQUESTS = 13;

/**
 * The step after those that were run: up till a rate is not sustained (down from the first where that is not), then halving
 * the interval on the logarithmic axis to 5 %, then the highest sustained rate once more for twice as long. At each rate the
 * last verdict counts. A step that the generator could not keep up with is tried once more, since others may have had the
 * processor; twice is its limit. A rate that does not settle is tried once more for twice as long, and then left open.
 */
export function nextStep(plan: RampPlan, steps: readonly JudgedStep[]): PlannedStep | RampStop {
  const last = steps.at(-1);
  if (last === undefined) return step(plan, plan.startPerSecond, "up");
  if (last.verdict === "generator") {
    const before = steps.at(-2);
    const isRepeated = before?.verdict === "generator" && before.perSecond === last.perSecond;
    return isRepeated ? "generator" : step(plan, last.perSecond, last.purpose);
  }
  const { low, high } = bracketOf(steps);
  if (high === null) return upwards(plan, steps, last);
  if (low === null) return downwards(plan, steps, high);
  const narrowing = steps.filter(({ purpose }) => purpose === "narrow").map(({ perSecond }) => perSecond);
  const middle = rounded(Math.sqrt(low * high));
  const tries = narrowing.filter((rate) => rate === middle).length;
  if (high / low > PRECISION && new Set(narrowing).size < MOST_NARROWING && tries < 2)
    return step(plan, middle, "narrow", tries + 1);
  const confirmed = steps.filter(({ purpose }) => purpose === "confirm");
  if (confirmed.at(-1)?.perSecond === low || confirmed.length >= MOST_CONFIRMING) return "knee";
  return step(plan, low, "confirm", 2);
}

/** By the last verdict at each rate. A rate that was sustained above one that was not is no lower end. */
export function bracketOf(steps: readonly JudgedStep[]): Bracket {
  const verdicts = new Map(steps.map(({ perSecond, verdict }) => [perSecond, verdict]));
  const rates = [...verdicts.keys()].toSorted((a, b) => a - b);
  const high = rates.find((rate) => isRefused(verdicts.get(rate)!)) ?? null;
  const low = rates.findLast((rate) => verdicts.get(rate) === "steady" && rate < (high ?? Infinity)) ?? null;
  return { low, high };
}

function isRefused(verdict: Verdict): boolean {
  return verdict === "queue-grows" || verdict === "objective" || verdict === "errors";
}

function upwards(plan: RampPlan, steps: readonly JudgedStep[], last: JudgedStep): PlannedStep | RampStop {
  if (last.perSecond >= plan.maxPerSecond) {
    const isOpen = last.verdict === "unsettled" && steps.at(-2)?.perSecond !== last.perSecond;
    return isOpen ? step(plan, last.perSecond, "up", 2) : "max-rate";
  }
  const { kind, by } = plan.step;
  const next = kind === "times" ? last.perSecond * by : last.perSecond + by;
  return step(plan, Math.min(rounded(next), plan.maxPerSecond), "up");
}

function downwards(plan: RampPlan, steps: readonly JudgedStep[], high: number): PlannedStep | RampStop {
  const last = steps.at(-1)!;
  // Too few to tell at the rate below: there is nothing further down.
  if (last.perSecond < high) return "no-steady-rate";
  const next = high / DOWN;
  return next * plan.stepSeconds < LEAST_REQUESTS ? "no-steady-rate" : step(plan, next, "down");
}

const step = (plan: RampPlan, perSecond: number, purpose: Purpose, times = 1): PlannedStep => ({
  perSecond,
  seconds: times * plan.stepSeconds,
  purpose,
});

/** Three digits, so that rates can be read and typed. */
const rounded = (rate: number): number => Number(rate.toPrecision(3));

/** The rate at which the system is full, at the mix of requests that was sent. */
export interface RampCeiling extends Estimate {
  /** "overload": throughput while its queue grew, so that it was never idle; "bracket": the highest rate that was sustained */
  readonly from: "overload" | "bracket";
  /** throughput under the heaviest load, where that is less than the ceiling by a tenth and more */
  readonly collapsesTo: number | null;
}

/** Less than this share of the ceiling is what a system answers that overload has slowed down. */
const COLLAPSED = 0.9;

/**
 * The ceiling by the throughput of the mildest step whose queue grew: its server had work all the time. Not of heavier ones,
 * since requests that don't need what is full are still answered then, and the more are offered the more it looks like. It
 * lies between what was sustained and what was not; where overload costs throughput it is that. Nothing where no queue grew.
 */
export function rampCeiling(
  steps: readonly { readonly observation: StepObservation; readonly judged: JudgedStep }[],
): RampCeiling | undefined {
  const { low, high } = bracketOf(steps.map(({ judged }) => judged));
  const overloaded = steps
    .filter(({ judged }) => judged.verdict === "queue-grows" && judged.perSecond > (low ?? 0))
    .map(({ observation }) => observation)
    .toSorted((a, b) => a.offeredPerSecond - b.offeredPerSecond);
  const [mildest] = overloaded;
  if (mildest === undefined) return undefined;
  const sustained = steps.findLast(({ judged }) => judged.verdict === "steady" && judged.perSecond === low);
  const least = sustained?.observation.throughput.value ?? 0;
  const { throughput } = mildest;
  const isSlowedDown = throughput.high < least;
  const value = Math.max(throughput.value, least);
  // What was answered at a rate that did not settle has been answered: where a disturbance made a lower one fail, it shows.
  const seen = steps
    .filter(({ judged }) => judged.verdict === "steady" || judged.verdict === "unsettled")
    .reduce((most, { observation }) => Math.max(most, observation.throughput.value), value);
  const ceiling = {
    value,
    low: sustained === undefined ? throughput.low : least,
    high: Math.max(seen, Math.min(high ?? Infinity, isSlowedDown ? Infinity : throughput.high)),
    from: isSlowedDown ? ("bracket" as const) : ("overload" as const),
  };
  const heaviest = overloaded.at(-1)!.throughput.value;
  return { ...ceiling, collapsesTo: heaviest < COLLAPSED * value ? heaviest : null };
}
