import type { Fault } from "./fault.ts";
import { OPERATIONS, userEndpoint } from "./names.ts";

/**
 * Everything in it was written one metric at a time, as the first version of such a service is: split the text, match a
 * pattern, write the line; and synced before each answer, in a heap made small to save memory. Each is harmless at ten
 * points a second. Here some fifty thousand come in.
 */
export const hungryIngest: Fault = {
  name: "hungry-ingest",
  kind: "story",
  summary: "the ingest service uses up a core, and its answers take longer and longer",
  truths: [
    {
      service: "ingest",
      mechanism: "slow-code",
      // one process: its code, its loop and its core are full at the same time, and the cure is cheaper code
      alsoMechanisms: ["cpu-saturated", "event-loop-blocked", "garbage-collection"],
      operation: OPERATIONS.points,
      frame: "match",
      limiter: { service: "ingest", resource: "cpu" },
      endpoint: userEndpoint("points"),
    },
    {
      service: "ingest",
      mechanism: "excessive-syscalls",
      alsoMechanisms: ["fsync"],
      operation: OPERATIONS.points,
      endpoint: userEndpoint("points"),
    },
  ],
  seenFrom: "profiles",
  needs: [],
  broken: { ingest: { parser: "regex", writes: "point", sync: "batch", youngMb: 1 } },
  load: { perSecond: 22, mix: { points: 0.75, lookup: 0.15, list: 0.1 }, pointsPerBatch: 3000 },
  whatIf: [`service=ingest,operation=${OPERATIONS.points},time=0.4`],
  steps: [
    {
      title: "walk the bytes once instead of matching a pattern per line",
      settings: { ingest: { parser: "scan" } },
      undoes: "slow-code",
    },
    {
      title: "write a batch in one system call",
      settings: { ingest: { writes: "batch" } },
      undoes: "excessive-syscalls",
    },
    {
      title: "sync the journal once a second, off the event loop",
      settings: { ingest: { sync: "interval" } },
      undoes: "fsync",
    },
    {
      title: "a young generation of the default size",
      settings: { ingest: { youngMb: 0 } },
      undoes: "garbage-collection",
    },
  ],
  needsBaseline: false,
};
