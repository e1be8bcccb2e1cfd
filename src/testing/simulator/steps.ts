import { constant, type Distribution, lognormal } from "./distribution.ts";
import type { Step, StepBody } from "./system.ts";

/** Short names for steps, so that the systems read as programs. */
export const compute = (ms: number, cv = 0.6): Step => step({ kind: "compute", time: lognormal(ms, cv) });
export const wait = (time: Distribution): Step => step({ kind: "wait", time });
export const together = (...branches: Step[][]): Step => step({ kind: "par", join: "all", branches });
export const loop = (times: Distribution, steps: Step[], width = 1): Step =>
  step({ kind: "loop", times, width, steps });
export const maybe = (probability: number, steps: Step[]): Step => step({ kind: "maybe", probability, steps });
export const span = (name: string, steps: Step[]): Step => step({ kind: "span", name, steps });
export const call = (service: string, operation: string): Step =>
  step({ kind: "call", service, operation, timeoutMs: 0, retries: 0, backoff: constant(0) });
export const db = (database: string, statement: string, ms: number, cv = 0.7): Step =>
  step({ kind: "db", database, statement, time: lognormal(ms, cv), growsTo: 1 });
export const cached = (cache: string, key: string, hitRatio: number, steps: Step[]): Step =>
  step({ kind: "cached", cache, key, hitRatio, time: lognormal(0.5, 0.6), steps });
export const external = (address: string, method: string, path: string, ms: number, cv = 0.5): Step =>
  step({ kind: "external", address, method, path, time: lognormal(ms, cv), timeoutMs: 0, failure: 0 });
export const publish = (queue: string): Step => step({ kind: "publish", queue, time: lognormal(1.5, 0.5) });

/** A step without number: `numberSteps` gives it one. */
export const step = (body: StepBody): Step => ({ id: 0, ...body });
