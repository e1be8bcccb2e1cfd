import { REGISTRAR_HOST } from "../settings.ts";
import type { Fault } from "./fault.ts";
import { userEndpoint } from "./names.ts";

/** A partner's service is slow and sends no telemetry: all that can be seen of it are our calls. */
export const slowThirdParty: Fault = {
  name: "slow-third-party",
  kind: "fault",
  summary: "the registrar has become slow",
  truths: [{ service: REGISTRAR_HOST, mechanism: "external-dependency", endpoint: userEndpoint("overview") }],
  seenFrom: "traces",
  needs: [],
  broken: { registrar: { delayMs: 120 } },
  load: {},
  whatIf: ["service=accounts,operation=GET,time=0.02"],
  needsBaseline: false,
};
