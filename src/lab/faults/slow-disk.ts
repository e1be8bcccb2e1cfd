import type { Fault } from "./fault.ts";
import { DATABASE, HOST, userEndpoint } from "./names.ts";

/**
 * Buffers of 8 MB before a table of many times that size, no help from the operating system's cache,
 * and somebody else's writes on the same disk.
 */
export const slowDisk: Fault = {
  name: "slow-disk",
  kind: "fault",
  summary: "the database reads from a disk that others keep busy",
  truths: [
    {
      service: DATABASE,
      alsoServices: [HOST],
      mechanism: "disk-saturated",
      alsoMechanisms: ["memory-pressure"],
      setting: "shared_buffers",
      // Reads take 1 ms of disk per request (system.disk.operation_time), and the writers leave 35 % of it: full at nine times
      // the load. The processors, of which a request takes 11 ms of two, are full at less than five times.
      limiter: { service: HOST, resource: "cpu" },
      endpoint: userEndpoint("list"),
    },
  ],
  seenFrom: "metrics",
  needs: ["direct-io"],
  broken: { postgres: { directIo: true, sharedBuffersMb: 8 }, host: { diskWriters: 4 } },
  load: {},
  whatIf: [],
  needsBaseline: false,
};
