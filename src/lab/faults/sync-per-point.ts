import type { Fault } from "./fault.ts";
import { HOST, OPERATIONS, userEndpoint } from "./names.ts";

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
      frame: "#writePoint",
      syscall: "fsync",
      // The journal keeps the event loop of ingest busy for 16 %, the disk for 4 %; the processors of the machine are in use
      // by a quarter through requests alone, and more by the load itself.
      limiter: { service: HOST, resource: "cpu" },
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
