import type { Fault } from "./fault.ts";
import { userEndpoint } from "./names.ts";

/** An agent without keep-alive, the default of older runtimes: each call pays for a handshake. */
export const noKeepAlive: Fault = {
  name: "no-keep-alive",
  kind: "fault",
  summary: "the gateway opens a connection for each call",
  truths: [
    {
      service: "gateway",
      mechanism: "connection-churn",
      setting: "keepAlive",
      endpoint: userEndpoint("lookup"),
    },
  ],
  seenFrom: "metrics",
  needs: [],
  broken: { gateway: { keepAlive: false } },
  load: {},
  whatIf: [],
  needsBaseline: true,
};
