import type { Fault } from "./fault.ts";
import { HANDLERS, OPERATIONS, userEndpoint } from "./names.ts";

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
      // what the patterns leave behind is what is collected, and both use up the one thread
      alsoMechanisms: ["garbage-collection", "cpu-saturated"],
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
      frame: "#write",
      syscall: "write",
      endpoint: userEndpoint("points"),
    },
  ],
  seenFrom: "profiles",
  needs: [],
  broken: { ingest: { parser: "regex", writes: "point", sync: "batch", youngMb: 1 } },
  load: { perSecond: 22, mix: { points: 0.75, lookup: 0.15, list: 0.1 }, pointsPerBatch: 3000 },
  whatIf: [`service=ingest,operation=${HANDLERS.points},time=0.3`],
  steps: [
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
    {
      title: "write a batch in one system call",
      settings: { ingest: { writes: "batch" } },
      undoes: "excessive-syscalls",
    },
    {
      title: "sync the journal once a second, not after each batch",
      settings: { ingest: { sync: "interval" } },
      undoes: "fsync",
    },
  ],
  needsBaseline: false,
};
