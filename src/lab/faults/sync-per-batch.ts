import type { Fault } from "./fault.ts";
import { OPERATIONS, userEndpoint } from "./names.ts";

/** Synced before each answer, because nobody decided what may be lost. */
export const syncPerBatch: Fault = {
  name: "sync-per-batch",
  kind: "fault",
  summary: "ingest waits for the disk on every request",
  truths: [
    {
      service: "ingest",
      mechanism: "fsync",
      operation: OPERATIONS.points,
      endpoint: userEndpoint("points"),
    },
  ],
  seenFrom: "profiles",
  needs: [],
  broken: { ingest: { sync: "batch" } },
  load: {},
  whatIf: [],
  needsBaseline: false,
};
