import type { Fault } from "./fault.ts";
import { HOST, SERVICES_OF_HOST, userEndpoint } from "./names.ts";

/** A batch job of another team on the same host, at the same priority. */
export const noisyNeighbour: Fault = {
  name: "noisy-neighbour",
  kind: "fault",
  summary: "somebody else uses the machine's processors",
  truths: [
    {
      service: HOST,
      // each of them suffers, and whoever names one of them and this mechanism moves the same neighbour away
      alsoServices: SERVICES_OF_HOST,
      mechanism: "noisy-neighbour",
      alsoMechanisms: ["run-queue"],
      limiter: { service: HOST, resource: "cpu" },
      endpoint: userEndpoint("list"),
    },
  ],
  seenFrom: "metrics",
  needs: [],
  broken: { host: { neighbours: { processes: 3, nice: 0 } } },
  load: {},
  whatIf: [],
  needsBaseline: false,
};
