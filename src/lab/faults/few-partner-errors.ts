import type { Fault } from "./fault.ts";

/** A retry that costs two milliseconds, now and then: what retries are for. */
export const fewPartnerErrors: Fault = {
  name: "few-partner-errors",
  kind: "red-herring",
  summary: "the registrar answers one call in fifty with an error",
  truths: [],
  seenFrom: "traces",
  needs: [],
  broken: { registrar: { errorRatio: 0.02 } },
  load: {},
  whatIf: [],
  needsBaseline: false,
};
