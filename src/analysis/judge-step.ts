import { chanceOfAsMany, type StepObservation } from "./load-step.ts";

/** What a system under load has to keep. */
export interface Limits {
  /** `share` of the requests may take longer than `limitMs`: of p99, 0.01 */
  readonly objective?: { readonly share: number; readonly limitMs: number };
  /** share of requests that may fail */
  readonly maxErrors: number;
}

/** Whether a step's rate was sustained; all but "steady" and "unsettled" say that it was not, or could not be seen. */
export type Verdict = "steady" | "unsettled" | "queue-grows" | "objective" | "errors" | "generator";

export interface Judgement {
  readonly verdict: Verdict;
  /** the figures that decided, in a sentence without its end */
  readonly detail: string;
}

/** The generator cannot be believed when its loop is busy for more than that, or requests leave late by more than that. */
const GENERATOR_BUSY = 0.9;
const LATE_MS = 2;
const LATE_SHARE = 0.1;
/** However slow the target is: a generator that is this late has a queue of its own. */
const MOST_LATE_MS = 20;
/** A queue that takes in more than this of the requests, and more than a few, grows. */
const GROWS_SHARE = 0.01;
/** One that takes in a tenth of all, and more than a single stall of a busy machine would, grows whatever chance could do. */
const GROWS_SURELY = 0.1;
const MORE_THAN_A_STALL = 10;
/** One that surely takes in less than this is steady: the rate is above what is sustained by no more. */
const STEADY_SHARE = 0.025;
const FEW_REQUESTS = 3;
/** Fewer tell nothing of a rate. */
const MIN_REQUESTS = 10;
/** With a limit on connections in use a server that is no slower than before is not what limits. */
const SAME_SERVICE = 1.2;
/** Expected number beyond a limit from which a share is taken as it is; below it chance is allowed for. */
const ENOUGH_BEYOND = 10;
const SIGNIFICANT = 0.05;

/**
 * What a step of open-loop load says of its rate. What is offered and not answered is in flight, so throughput that stays
 * behind the load and a queue that grows are one thing, and one test: "queue-grows" where the growth of requests in flight
 * exceeds what chance does to a server that just keeps up (a random walk whose steps vary as its answers do), "steady" where
 * the growth is surely small, "unsettled" between the two.
 * `before`: earlier steady steps, to tell a full set of connections from a slow server.
 */
export function judgeStep(step: StepObservation, limits: Limits, before: readonly StepObservation[]): Judgement {
  const { requests, failures, growth } = step;
  // Where nothing was answered there is nothing that the generator could have spoilt.
  const generator = failures < requests || requests === 0 ? generatorFault(step, before) : undefined;
  if (generator !== undefined) return { verdict: "generator", detail: generator };
  if (requests < MIN_REQUESTS)
    return { verdict: "unsettled", detail: `${requests} requests only, ${MIN_REQUESTS} at least are needed` };
  if (exceeds(failures, requests, limits.maxErrors))
    return { verdict: "errors", detail: `${failures} of ${requests} requests failed` };
  const least = Math.max(GROWS_SHARE * requests, FEW_REQUESTS);
  const isBeyondChance =
    growth.value > step.growthByChance || growth.value > Math.max(GROWS_SURELY * requests, MORE_THAN_A_STALL);
  if (growth.low > 0 && growth.value > least && isBeyondChance)
    return {
      verdict: "queue-grows",
      detail: `the requests in flight grew by ${growth.value.toFixed(0)} of ${requests} offered`,
    };
  const { objective } = limits;
  if (objective !== undefined) {
    const { latencyMs } = step;
    const over = latencyMs.length - countUpTo(latencyMs, objective.limitMs);
    if (exceeds(over, latencyMs.length, objective.share))
      return { verdict: "objective", detail: `${over} of ${latencyMs.length} answers took too long` };
  }
  return growth.high < Math.max(STEADY_SHARE * requests, FEW_REQUESTS)
    ? { verdict: "steady", detail: `${step.inFlight.toFixed(1)} requests in flight, not growing` }
    : {
        verdict: "unsettled",
        detail: `the requests in flight changed by ${growth.low.toFixed(0)} to ${growth.high.toFixed(0)} of ${requests} offered`,
      };
}

function generatorFault(step: StepObservation, before: readonly StepObservation[]): string | undefined {
  if (step.generatorBusy > GENERATOR_BUSY)
    return `the load generator itself was busy for ${(100 * step.generatorBusy).toFixed(0)} % of the time`;
  if (
    step.requests >= MIN_REQUESTS &&
    step.lateP50Ms > Math.max(LATE_MS, Math.min(MOST_LATE_MS, LATE_SHARE * step.p50Ms))
  )
    return `half of the requests left ${step.lateP50Ms.toFixed(1)} ms late or later`;
  const usual = before.findLast((earlier) => !earlier.connectionsFull);
  if (step.connectionsFull && !(step.serviceP50Ms > SAME_SERVICE * (usual?.serviceP50Ms ?? Infinity)))
    return "all connections were in use, with a server no slower than before; more of them are needed";
  return undefined;
}

function exceeds(count: number, n: number, share: number): boolean {
  if (count <= share * n) return false;
  return n * share >= ENOUGH_BEYOND || chanceOfAsMany(count, n, share) < SIGNIFICANT;
}

function countUpTo(ascending: Float64Array, limit: number): number {
  let low = 0;
  let high = ascending.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (ascending[middle]! < limit) low = middle + 1;
    else high = middle;
  }
  return low;
}
