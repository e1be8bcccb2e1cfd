import type { Fault } from "./fault.ts";
import { userEndpoint } from "./names.ts";

/**
 * Key derivation runs in libuv's pool, off the event loop, as it should. The pool was set to one
 * thread, and all of the process's files and names queue behind it.
 */
export const threadStarvation: Fault = {
  name: "thread-starvation",
  kind: "fault",
  summary: "requests wait for a free thread",
  truths: [
    {
      service: "zones",
      mechanism: "thread-starvation",
      setting: "UV_THREADPOOL_SIZE",
      // 37 keys a second of 23 ms each take 0.87 of the one thread, and all processes together 1.4 of two processors.
      limiter: { service: "zones", resource: "threads" },
      endpoint: userEndpoint("lookup"),
    },
  ],
  seenFrom: "metrics",
  needs: [],
  before: { zones: { tokenRounds: 75_000, threads: 4 } },
  broken: { zones: { tokenRounds: 75_000, threads: 1 } },
  fixed: { zones: { threads: 4 } },
  load: {},
  whatIf: [],
  needsBaseline: false,
};
