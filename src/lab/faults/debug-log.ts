import type { Fault } from "./fault.ts";
import { userEndpoint } from "./names.ts";

/** A debug log with a synchronous write and sync per line, left on after the hunt. */
export const debugLog: Fault = {
  name: "debug-log",
  kind: "fault",
  summary: "zones got slow when somebody looked for a bug",
  truths: [
    {
      service: "zones",
      mechanism: "fsync",
      alsoMechanisms: ["misconfiguration", "event-loop-blocked"],
      frame: "line",
      syscall: "fsync",
      setting: "debugLog",
      endpoint: userEndpoint("lookup"),
    },
  ],
  seenFrom: "profiles",
  needs: [],
  broken: { zones: { debugLog: "sync" } },
  load: {},
  whatIf: [],
  needsBaseline: false,
};
