import { REGISTRAR_HOST } from "../settings.ts";
import type { Fault } from "./fault.ts";
import { userEndpoint } from "./names.ts";

/**
 * The registrar never answers some calls, and the caller waits as long as somebody once typed:
 * a thousand times the usual answer.
 */
export const timeout: Fault = {
  name: "timeout",
  kind: "fault",
  summary: "one overview in twenty takes a second",
  truths: [
    {
      service: "accounts",
      // the wait is the caller's setting, the hang the partner's fault
      alsoServices: [REGISTRAR_HOST],
      mechanism: "timeout",
      setting: "registrar.timeoutMs",
      endpoint: userEndpoint("overview"),
    },
  ],
  seenFrom: "traces",
  needs: [],
  broken: {
    accounts: { registrar: { timeoutMs: 1000, retries: 2 } },
    registrar: { hangRatio: 0.05 },
  },
  fixed: { accounts: { registrar: { timeoutMs: 50, retries: 2 } } },
  load: {},
  whatIf: ["service=accounts,operation=GET,timeout=50"],
  needsBaseline: false,
};
