import type { Fault } from "./fault.ts";
import { userEndpoint } from "./names.ts";

/** Each part of a page fetches what it needs, and each needs the account. Nobody sees the whole. */
export const duplicateCalls: Fault = {
  name: "duplicate-calls",
  kind: "fault",
  summary: "one page asks for the same account again and again",
  truths: [
    {
      service: "gateway",
      mechanism: "duplicate-calls",
      // spans carry no arguments: whether the calls ask for the same is not in them
      alsoMechanisms: ["n-plus-one"],
      operation: userEndpoint("overview").operation,
      endpoint: userEndpoint("overview"),
    },
  ],
  seenFrom: "traces",
  needs: [],
  broken: { gateway: { accountLookups: 8 } },
  load: {},
  whatIf: ["service=gateway,operation=GET,batch"],
  needsBaseline: false,
};
