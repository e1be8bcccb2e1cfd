import type { Fault } from "./fault.ts";
import { OPERATIONS, userEndpoint } from "./names.ts";

/** A write per line: each a system call of a hundred bytes. */
export const writePerPoint: Fault = {
  name: "write-per-point",
  kind: "fault",
  summary: "ingest spends its time in the kernel",
  truths: [
    {
      service: "ingest",
      mechanism: "excessive-syscalls",
      operation: OPERATIONS.points,
      endpoint: userEndpoint("points"),
    },
  ],
  seenFrom: "profiles",
  needs: [],
  broken: { ingest: { writes: "point" } },
  load: { mix: { points: 0.5, lookup: 0.3, list: 0.1, overview: 0.1 }, pointsPerBatch: 500 },
  whatIf: [],
  needsBaseline: false,
};
