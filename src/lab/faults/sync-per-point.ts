import type { Fault } from "./fault.ts";
import { OPERATIONS, userEndpoint } from "./names.ts";

/** A journal that is synced after each line: safe, and as slow as the disk. */
export const syncPerPoint: Fault = {
  name: "sync-per-point",
  kind: "fault",
  summary: "ingest waits for the disk on every point",
  truths: [
    {
      service: "ingest",
      mechanism: "fsync",
      operation: OPERATIONS.points,
      limiter: { service: "ingest", resource: "disk" },
      endpoint: userEndpoint("points"),
    },
  ],
  seenFrom: "profiles",
  needs: [],
  broken: { ingest: { sync: "point" } },
  load: {},
  whatIf: [],
  needsBaseline: false,
};
