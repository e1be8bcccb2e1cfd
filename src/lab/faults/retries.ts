import { REGISTRAR_HOST } from "../settings.ts";
import type { Fault } from "./fault.ts";
import { userEndpoint } from "./names.ts";

/** Retries at once, without a pause and without a budget, turn a partner's bad hour into ours. */
export const retries: Fault = {
  name: "retries",
  kind: "fault",
  summary: "the registrar fails often, and accounts asks again at once",
  truths: [
    {
      service: "accounts",
      alsoServices: [REGISTRAR_HOST],
      mechanism: "retries",
      setting: "registrar.retries",
      endpoint: userEndpoint("overview"),
    },
  ],
  seenFrom: "traces",
  needs: [],
  before: {
    accounts: { registrar: { timeoutMs: 2000, retries: 5 } },
    registrar: { delayMs: 20 },
  },
  broken: {
    accounts: { registrar: { timeoutMs: 2000, retries: 5 } },
    registrar: { delayMs: 20, errorRatio: 0.5 },
  },
  fixed: { registrar: { errorRatio: 0 } },
  load: {},
  whatIf: ["service=accounts,operation=GET,retries=0"],
  needsBaseline: false,
};
