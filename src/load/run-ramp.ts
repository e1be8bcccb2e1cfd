import { nextStep, type JudgedStep, type PlannedStep, type RampPlan, type RampStop } from "../analysis/knee.ts";
import { judgeStep, type Judgement, type Limits } from "../analysis/judge-step.ts";
import { observeStep, type StepObservation } from "../analysis/load-step.ts";
import type { Arrivals, StepGenerator, StepProgress } from "./step-generator.ts";

export interface RampOptions {
  readonly plan: RampPlan;
  readonly limits: Limits;
  readonly arrivals: Arrivals;
  readonly seed: number;
  /** under the first rate, before anything counts; 0 for none */
  readonly warmUpSeconds: number;
  /** no step begins that would end later than this */
  readonly budgetSeconds: number;
  /** aborted: what is known by then is returned */
  readonly signal: AbortSignal;
}

export interface RampHooks {
  readonly progress: (planned: PlannedStep | "warm-up" | "recovery", progress: StepProgress) => void;
  readonly stepEnded: (step: RampStep) => void;
}

export interface RampStep {
  readonly planned: PlannedStep;
  readonly observation: StepObservation;
  readonly judgement: Judgement;
  /** whether the system answered as at first when the overload was over, within the time given to it */
  readonly after: Recovery;
}

export interface RampRun {
  readonly steps: readonly RampStep[];
  /** "target-lost": it no longer answered at all after a step */
  readonly stop: RampStop | "budget" | "interrupted" | "target-lost";
  readonly seconds: number;
}

/** "lost": no request had any answer any more */
export type Recovery = "recovered" | "not-recovered" | "lost";

/** Light load for a second each, after an overload, until answers take what they took at first. */
const RECOVERY_TRIES = 10;
/** Enough to see whether anything is answered. */
const ALIVE_PER_SECOND = 10;
/** Twice the times of the first steady step, or some milliseconds more, is as before. */
const AS_BEFORE = 2;
const AS_BEFORE_MS = 5;

/** Runs steps of open-loop load until the knee is found or something stops it. Throws what the generator throws. */
export async function runRamp(generator: StepGenerator, options: RampOptions, hooks: RampHooks): Promise<RampRun> {
  const began = performance.now();
  const elapsed = (): number => (performance.now() - began) / 1000;
  const steps: RampStep[] = [];
  const end = (stop: RampRun["stop"]): RampRun => ({ steps, stop, seconds: elapsed() });
  try {
    if (options.warmUpSeconds > 0) {
      const { startPerSecond: perSecond } = options.plan;
      await send(generator, options, perSecond, options.warmUpSeconds, -1, (p) => hooks.progress("warm-up", p));
    }
    for (;;) {
      const planned = nextStep(options.plan, steps.map(judgedOf));
      if (typeof planned === "string") return end(planned);
      if (elapsed() + planned.seconds > options.budgetSeconds) return end("budget");
      const step = await runStep(generator, planned, options, steps, hooks);
      steps.push(step);
      hooks.stepEnded(step);
      if (step.after === "lost") return end("target-lost");
    }
  } catch (error) {
    if (options.signal.aborted) return end("interrupted");
    throw error;
  }
}

/** A step as far as the next one depends on it. */
export function judgedOf({ planned, judgement }: RampStep): JudgedStep {
  return { perSecond: planned.perSecond, purpose: planned.purpose, verdict: judgement.verdict };
}

async function runStep(
  generator: StepGenerator,
  planned: PlannedStep,
  options: RampOptions,
  before: readonly RampStep[],
  hooks: RampHooks,
): Promise<RampStep> {
  const { perSecond, seconds } = planned;
  const record = await send(generator, options, perSecond, seconds, before.length, (p) => hooks.progress(planned, p));
  const observation = observeStep(record);
  const steady = before.filter(({ judgement }) => judgement.verdict === "steady").map((step) => step.observation);
  const judgement = judgeStep(observation, options.limits, steady);
  const isDone = judgement.verdict === "steady" || judgement.verdict === "generator";
  const after = isDone ? "recovered" : await recover(generator, options, observation, steady, hooks);
  return { planned, observation, judgement, after };
}

/** Whether the light load of the lowest rate is answered as it was at first. */
async function recover(
  generator: StepGenerator,
  options: RampOptions,
  last: StepObservation,
  steady: readonly StepObservation[],
  hooks: RampHooks,
): Promise<Recovery> {
  if (steady.length === 0) {
    // Nothing to come back to before the first steady step; but is it still there?
    const perSecond = Math.min(last.perSecond, ALIVE_PER_SECOND);
    const record = await send(generator, options, perSecond, 1, RECOVERY_SEED, (p) => hooks.progress("recovery", p));
    return isSilent(observeStep(record, 0)) ? "lost" : "recovered";
  }
  const lowest = steady.reduce((a, b) => (b.perSecond < a.perSecond ? b : a));
  // Some ten requests at least, so that their median is one.
  const seconds = Math.max(1, 10 / lowest.perSecond);
  const limitMs = Math.max(AS_BEFORE * lowest.p50Ms, lowest.p50Ms + AS_BEFORE_MS);
  for (let tries = 0; tries < RECOVERY_TRIES; tries++) {
    const record = await send(generator, options, lowest.perSecond, seconds, RECOVERY_SEED + tries, (p) =>
      hooks.progress("recovery", p),
    );
    const observation = observeStep(record, 0);
    if (observation.failures === 0 && observation.p50Ms <= limitMs) return "recovered";
    if (isSilent(observation)) return "lost";
  }
  return "not-recovered";
}

/** All requests failed, and none by an answer or by one that took too long. */
function isSilent({ requests, failures, errors }: StepObservation): boolean {
  return requests > 0 && failures === requests && Object.keys(errors).every((kind) => /^E[A-Z_]+$/.test(kind));
}

const RECOVERY_SEED = 500;

function send(
  generator: StepGenerator,
  { arrivals, seed }: RampOptions,
  perSecond: number,
  seconds: number,
  number: number,
  progress: (progress: StepProgress) => void,
): ReturnType<StepGenerator["run"]> {
  // Another seed for each step, or all would ask for the same at the same moments.
  return generator.run({ perSecond, seconds, arrivals, seed: seed * 1000 + number + 1 }, progress);
}
