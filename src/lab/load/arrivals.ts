import type { Random } from "../../analysis/random.ts";
import type { LoadPlan, Schedule } from "./load-plan.ts";

/**
 * Moments at which requests are due, ms from the start, ascending: a Poisson process whose rate follows the schedule.
 *
 * Exact, by change of time: arrivals of rate 1 on the axis of the expected count are carried back to the clock by the
 * inverse of `expectedBy` (Çinlar 1975, chapter 4.7). So the k-th request of one seed is the same draw under every
 * rate and schedule; only its moment moves.
 */
export function arrivalTimesMs(plan: LoadPlan, random: Random): Float64Array {
  const { perSecond, seconds, schedule } = plan;
  const end = expectedBy(schedule, seconds, seconds);
  const due: number[] = [];
  for (let passed = 0; ;) {
    passed -= Math.log(1 - random.uniform()) / perSecond;
    if (passed >= end) return Float64Array.from(due);
    due.push(Math.min(timeOf(schedule, seconds, passed), seconds) * 1000);
  }
}

/** Mean of the requests per second over the whole plan. */
export function meanRate({ perSecond, seconds, schedule }: LoadPlan): number {
  return (perSecond * expectedBy(schedule, seconds, seconds)) / seconds;
}

/** Integral of the schedule from 0 to `at` seconds: requests expected by then when `perSecond` is 1. */
export function expectedBy(schedule: Schedule, seconds: number, at: number): number {
  switch (schedule.kind) {
    case "steady":
      return at;
    case "ramp":
      return schedule.from * at + ((schedule.to - schedule.from) * at * at) / (2 * seconds);
    case "step": {
      const step = schedule.at * seconds;
      return at <= step ? schedule.before * at : schedule.before * step + schedule.after * (at - step);
    }
    case "burst": {
      const calm = schedule.everySeconds - schedule.lengthSeconds;
      const periods = Math.floor(at / schedule.everySeconds);
      const rest = at - periods * schedule.everySeconds;
      const perPeriod = calm + schedule.factor * schedule.lengthSeconds;
      return periods * perPeriod + Math.min(rest, calm) + schedule.factor * Math.max(0, rest - calm);
    }
    case "diurnal": {
      const perSecond = (2 * Math.PI * schedule.periods) / seconds;
      return at + (schedule.depth * (1 - Math.cos(perSecond * at))) / perSecond;
    }
  }
}

/** Inverse of `expectedBy`: the second by which `count` are expected. Counts lie below that of the whole plan. */
function timeOf(schedule: Schedule, seconds: number, count: number): number {
  switch (schedule.kind) {
    case "steady":
      return count;
    case "ramp": {
      // The root of a quadratic, in the form that is good at from = to and at from = 0.
      const slope = (schedule.to - schedule.from) / seconds;
      return (2 * count) / (schedule.from + Math.sqrt(Math.max(0, schedule.from ** 2 + 2 * slope * count)));
    }
    case "step": {
      const step = schedule.at * seconds;
      const before = schedule.before * step;
      return count < before ? count / schedule.before : step + (count - before) / schedule.after;
    }
    case "burst": {
      const calm = schedule.everySeconds - schedule.lengthSeconds;
      const perPeriod = calm + schedule.factor * schedule.lengthSeconds;
      const periods = Math.floor(count / perPeriod);
      const rest = count - periods * perPeriod;
      const inPeriod = rest <= calm ? rest : calm + (rest - calm) / schedule.factor;
      return periods * schedule.everySeconds + inPeriod;
    }
    case "diurnal":
      return bisect((at) => expectedBy(schedule, seconds, at), count, seconds);
  }
}

/** Where the ascending `f` reaches `value` between 0 and `high`; 40 halvings of 600 s leave half a nanosecond. */
function bisect(f: (at: number) => number, value: number, high: number): number {
  let low = 0;
  for (let i = 0; i < 40; i++) {
    const middle = (low + high) / 2;
    if (f(middle) < value) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}
