import type { Fault } from "./fault.ts";
import { HANDLERS, userEndpoint } from "./names.ts";

/**
 * `await` before each call, where none needs another's answer: the most frequent way to lose time in
 * an asynchronous language.
 */
export const sequentialCalls: Fault = {
  name: "sequential-calls",
  kind: "fault",
  summary: "the overview waits for three answers, one after the other",
  truths: [
    {
      service: "gateway",
      mechanism: "sequential-calls",
      operation: userEndpoint("overview").operation,
      endpoint: userEndpoint("overview"),
    },
  ],
  seenFrom: "traces",
  needs: [],
  before: { registrar: { delayMs: 10 } },
  broken: { gateway: { overview: "sequential" }, registrar: { delayMs: 10 } },
  fixed: { gateway: { overview: "parallel" } },
  load: { mix: { lookup: 0.4, list: 0.15, create: 0.05, overview: 0.35, points: 0.05 } },
  whatIf: [`service=gateway,operation=${HANDLERS.overview},parallel`],
  needsBaseline: false,
};
