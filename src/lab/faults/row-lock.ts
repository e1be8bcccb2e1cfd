import type { Fault } from "./fault.ts";
import { DATABASE, OPERATIONS, userEndpoint } from "./names.ts";

/**
 * A serial number is raised first thing in the transaction, and its row stays locked until the commit:
 * all writers queue behind one row, while the one that has it asks a partner.
 */
export const rowLock: Fault = {
  name: "row-lock",
  kind: "fault",
  summary: "creates wait for each other, whatever zone they are for",
  truths: [
    {
      service: "zones",
      alsoServices: [DATABASE],
      mechanism: "lock-contention",
      operation: OPERATIONS.create,
      endpoint: userEndpoint("create"),
    },
  ],
  seenFrom: "traces",
  needs: [],
  before: { zones: { holdConnection: "request" }, registrar: { delayMs: 25 } },
  broken: {
    zones: { serial: "first-statement", sharedSerial: true, holdConnection: "request" },
    registrar: { delayMs: 25 },
  },
  fixed: { zones: { serial: "last-statement", sharedSerial: false } },
  load: { mix: { lookup: 0.3, list: 0.1, create: 0.5, overview: 0.05, points: 0.05 } },
  whatIf: [],
  needsBaseline: false,
};
