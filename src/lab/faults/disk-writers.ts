import type { Fault } from "./fault.ts";
import { DATABASE, HOST, userEndpoint } from "./names.ts";

/** A backup or a log shipper on the same disk: each of its syncs makes the next commit wait. */
export const diskWriters: Fault = {
  name: "disk-writers",
  kind: "fault",
  summary: "commits take long since somebody else writes to the disk",
  truths: [
    {
      service: HOST,
      alsoServices: [DATABASE],
      mechanism: "disk-saturated",
      alsoMechanisms: ["noisy-neighbour", "fsync"],
      // Without the writers the same load keeps the disk busy for 2 %, and the processors of the machine for a quarter: with
      // 70 % of the disk gone it would bear 15 times the load, the processors four times.
      limiter: { service: HOST, resource: "cpu" },
      endpoint: userEndpoint("create"),
    },
  ],
  seenFrom: "metrics",
  needs: [],
  broken: { host: { diskWriters: 5 } },
  load: { mix: { lookup: 0.4, list: 0.1, create: 0.35, overview: 0.1, points: 0.05 } },
  whatIf: [],
  needsBaseline: false,
};
