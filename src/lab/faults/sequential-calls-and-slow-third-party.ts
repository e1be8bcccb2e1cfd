import { REGISTRAR_HOST } from "../settings.ts";
import type { Fault } from "./fault.ts";
import { userEndpoint } from "./names.ts";

/** Two causes on one path: the partner is slow, and the gateway begins to ask only after the others answered. */
export const sequentialCallsAndSlowThirdParty: Fault = {
  name: "sequential-calls-and-slow-third-party",
  kind: "pair",
  summary: "the overview waits for a slow partner, after everything else",
  truths: [
    { service: REGISTRAR_HOST, mechanism: "external-dependency", endpoint: userEndpoint("overview") },
    {
      service: "gateway",
      mechanism: "sequential-calls",
      operation: userEndpoint("overview").operation,
      endpoint: userEndpoint("overview"),
    },
  ],
  seenFrom: "traces",
  needs: [],
  broken: { gateway: { overview: "sequential" }, registrar: { delayMs: 60 } },
  load: {},
  whatIf: [],
  needsBaseline: false,
};
