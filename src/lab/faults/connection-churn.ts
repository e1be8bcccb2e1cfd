import type { Fault } from "./fault.ts";
import { userEndpoint } from "./names.ts";

/**
 * A client per request instead of a pool, as in the first example of the driver's manual. PostgreSQL
 * starts a process and checks a password each time.
 */
export const connectionChurn: Fault = {
  name: "connection-churn",
  kind: "fault",
  summary: "each request opens a database connection of its own",
  truths: [{ service: "zones", mechanism: "connection-churn", endpoint: userEndpoint("lookup") }],
  seenFrom: "traces",
  needs: [],
  broken: { zones: { connections: "per-request" } },
  load: {},
  whatIf: ["service=zones,operation=pg.connect,remove"],
  needsBaseline: false,
};
