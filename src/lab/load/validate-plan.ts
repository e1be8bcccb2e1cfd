import { LabError } from "../lab-error.ts";
import { ENDPOINTS, type LoadPlan, type Schedule } from "./load-plan.ts";
import { meanRate } from "./arrivals.ts";

/** More would be a load test; the lab shows a cause. Also bounds the memory of a drawn plan, some 30 bytes each. */
export const MAX_REQUESTS = 200_000;
export const MAX_SECONDS = 600;
/** 10,000 lines of some 50 bytes stay below the megabyte that HTTP servers usually take. */
const MAX_POINTS_PER_BATCH = 10_000;

/** Throws a LabError with code `load-plan` that names the first field that cannot be, and what it has to be. */
export function validatePlan(plan: LoadPlan): void {
  const { perSecond, seconds, seed, pointsPerBatch, missing } = plan;
  demand("seconds", seconds, seconds > 0 && seconds <= MAX_SECONDS, `above 0 and at most ${MAX_SECONDS}`);
  demand("perSecond", perSecond, perSecond > 0 && perSecond < Infinity, "above 0");
  demand("seed", seed, Number.isInteger(seed) && seed >= 0 && seed < 2 ** 32, "a whole number from 0 to 2^32 - 1");
  const whole = Number.isInteger(pointsPerBatch) && pointsPerBatch >= 1 && pointsPerBatch <= MAX_POINTS_PER_BATCH;
  demand("pointsPerBatch", pointsPerBatch, whole, `a whole number from 1 to ${MAX_POINTS_PER_BATCH}`);
  demand("missing", missing, missing >= 0 && missing <= 1, "from 0 to 1");
  validateSchedule(plan.schedule);
  validateMix(plan.mix);
  const mean = meanRate(plan) * seconds;
  // Five standard deviations of a Poisson count: a plan that passes draws more in one of 3.5 million seeds.
  const most = Math.ceil(mean + 5 * Math.sqrt(mean));
  demand("perSecond x seconds", most, most <= MAX_REQUESTS, `at most ${MAX_REQUESTS} requests`);
}

function validateSchedule(schedule: Schedule): void {
  switch (schedule.kind) {
    case "steady":
      return;
    case "ramp":
      demandFactor("schedule.from", schedule.from);
      demandFactor("schedule.to", schedule.to);
      return demand("schedule.from + to", 0, schedule.from + schedule.to > 0, "above 0");
    case "step":
      demand("schedule.at", schedule.at, schedule.at > 0 && schedule.at < 1, "between 0 and 1");
      demandFactor("schedule.before", schedule.before);
      demandFactor("schedule.after", schedule.after);
      return demand("schedule.before + after", 0, schedule.before + schedule.after > 0, "above 0");
    case "burst": {
      const { everySeconds, lengthSeconds, factor } = schedule;
      demand("schedule.everySeconds", everySeconds, everySeconds > 0 && everySeconds < Infinity, "above 0");
      const fits = lengthSeconds >= 0 && lengthSeconds < everySeconds;
      demand("schedule.lengthSeconds", lengthSeconds, fits, `from 0 to below everySeconds (${everySeconds})`);
      return demandFactor("schedule.factor", factor);
    }
    case "diurnal":
      demand("schedule.periods", schedule.periods, schedule.periods > 0 && schedule.periods < Infinity, "above 0");
      return demand("schedule.depth", schedule.depth, schedule.depth >= 0 && schedule.depth <= 1, "from 0 to 1");
  }
}

function validateMix(mix: LoadPlan["mix"]): void {
  let sum = 0;
  for (const [name, share] of Object.entries(mix)) {
    demand("mix", name, Object.hasOwn(ENDPOINTS, name), `of ${Object.keys(ENDPOINTS).join(", ")}`);
    demand(`mix.${name}`, share, share >= 0 && share <= 1, "from 0 to 1");
    sum += share;
  }
  demand("the sum of mix", sum, Math.abs(sum - 1) < 1e-6, "1");
}

function demandFactor(field: string, value: number): void {
  demand(field, value, value >= 0 && value < Infinity, "0 or more");
}

function demand(field: string, found: number | string, holds: boolean, expected: string): void {
  if (!holds) throw new LabError("load-plan", `the load plan's ${field} is ${found}, it has to be ${expected}`);
}
