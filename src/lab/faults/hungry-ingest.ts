import type { Fault } from "./fault.ts";
import { OPERATIONS, userEndpoint } from "./names.ts";

/**
 * Everything in it was written one metric at a time, as the first version of such a service is: split
 * the text, match a pattern, write the line, sync it. Each is harmless at ten points a second.
 */
export const hungryIngest: Fault = {
  name: "hungry-ingest",
  kind: "story",
  summary: "the ingest service needs a core for a trickle of metrics",
  truths: [
    {
      service: "ingest",
      mechanism: "fsync",
      alsoMechanisms: ["excessive-syscalls", "cpu-saturated", "slow-code"],
      operation: OPERATIONS.points,
      limiter: { service: "ingest", resource: "cpu" },
      endpoint: userEndpoint("points"),
    },
    {
      service: "ingest",
      mechanism: "slow-code",
      alsoMechanisms: ["garbage-collection", "cpu-saturated"],
      operation: OPERATIONS.points,
      endpoint: userEndpoint("points"),
    },
  ],
  seenFrom: "profiles",
  needs: [],
  broken: { ingest: { parser: "regex", writes: "point", sync: "point", youngMb: 1 } },
  load: { mix: { points: 0.7, lookup: 0.2, list: 0.1 }, perSecond: 20, pointsPerBatch: 200 },
  whatIf: [`service=ingest,operation=${OPERATIONS.points},time=0.05`],
  steps: [
    {
      title: "sync the journal once a second, not on every point",
      settings: { ingest: { sync: "interval" } },
      undoes: "fsync",
    },
    {
      title: "write a batch in one system call",
      settings: { ingest: { writes: "batch" } },
      undoes: "excessive-syscalls",
    },
    {
      title: "walk the bytes once instead of matching patterns",
      settings: { ingest: { parser: "scan" } },
      undoes: "slow-code",
    },
    {
      title: "a young generation of the default size",
      settings: { ingest: { youngMb: 0 } },
      undoes: "garbage-collection",
    },
  ],
  needsBaseline: false,
};
