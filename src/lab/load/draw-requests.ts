import { Random } from "../../analysis/random.ts";
import { LabError } from "../lab-error.ts";
import { arrivalTimesMs } from "./arrivals.ts";
import { ENDPOINTS, type EndpointName, type LoadPlan } from "./load-plan.ts";
import { MAX_REQUESTS, validatePlan } from "./validate-plan.ts";

export const ENDPOINT_NAMES: readonly EndpointName[] = Object.keys(ENDPOINTS) as EndpointName[];

/** A plan drawn out: one row for each request, in the order in which they are due. */
export interface DrawnRequests {
  readonly count: number;
  /** ms from the start, ascending */
  readonly dueMs: Float64Array;
  /** index into ENDPOINT_NAMES */
  readonly endpoint: Uint8Array;
  /** uniform in [0, 1): which record, zone or account */
  readonly target: Float64Array;
  /** 1 where a lookup asks for a name that does not exist */
  readonly missing: Uint8Array;
  /** what the body is drawn from */
  readonly bodySeed: Uint32Array;
}

/** Each kind of draw has a stream of its own and draws once per request, so that what one decides moves no other. */
const STREAMS = { arrivals: 1, endpoint: 2, target: 3, missing: 4, body: 5 } as const;

/**
 * All requests of a plan, from its seed alone. The k-th request of a seed asks for the same thing under every rate and
 * schedule; under another mix those requests change whose endpoint has to.
 * Throws a LabError with code `load-plan` for a plan that cannot be.
 */
export function drawRequests(plan: LoadPlan): DrawnRequests {
  validatePlan(plan);
  const stream = (which: keyof typeof STREAMS): Random => new Random(STREAMS[which] * 2 ** 32 + plan.seed);
  const dueMs = arrivalTimesMs(plan, stream("arrivals"));
  const count = dueMs.length;
  if (count > MAX_REQUESTS)
    throw new LabError("load-plan", `the load plan draws ${count} requests, at most ${MAX_REQUESTS} are sent`);
  const [endpoints, targets, missing, bodies] = [
    stream("endpoint"),
    stream("target"),
    stream("missing"),
    stream("body"),
  ];
  const sums = sharesSummed(plan.mix);
  return {
    count,
    dueMs,
    endpoint: Uint8Array.from({ length: count }, () => firstAbove(sums, endpoints.uniform())),
    target: Float64Array.from({ length: count }, () => targets.uniform()),
    missing: Uint8Array.from({ length: count }, () => (missing.uniform() < plan.missing ? 1 : 0)),
    bodySeed: Uint32Array.from({ length: count }, () => bodies.uint32()),
  };
}

/** Sums of the shares by endpoint; the last is exactly 1 whatever rounding did. */
function sharesSummed(mix: LoadPlan["mix"]): number[] {
  let sum = 0;
  const sums = ENDPOINT_NAMES.map((name) => (sum += mix[name] ?? 0));
  return sums.map((upTo) => upTo / sum);
}

function firstAbove(sums: readonly number[], uniform: number): number {
  return sums.findIndex((upTo) => upTo > uniform);
}
