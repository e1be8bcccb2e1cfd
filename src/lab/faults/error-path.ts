import type { Fault } from "./fault.ts";
import { userEndpoint } from "./names.ts";

/**
 * For every 404 the recent requests are collected, sorted and printed, to help whoever debugs. The
 * path of errors is the one that nobody measures.
 */
export const errorPath: Fault = {
  name: "error-path",
  kind: "fault",
  summary: "a wrong name takes longer to refuse than a right one to answer",
  truths: [{ service: "gateway", mechanism: "error-handling", endpoint: userEndpoint("lookup") }],
  seenFrom: "traces",
  needs: [],
  broken: { gateway: { diagnosticsOnError: true } },
  load: { missing: 0.25 },
  whatIf: [],
  needsBaseline: false,
};
