import Type, { type Static } from "typebox";
import { UnixNsText } from "./common.ts";

/** How the prediction of a finding turned out. */
export const FindingScore = Type.Object({
  changedUnixNs: UnixNsText,
  metric: Type.String(),
  before: Type.Number(),
  predicted: Type.Number(),
  low: Type.Number(),
  high: Type.Number(),
  measured: Type.Number({ description: "of the time since the change, as far as it was seen" }),
  requests: Type.Number({ description: "from which it was measured" }),
  within: Type.Boolean({ description: "measured lies between low and high" }),
  unit: Type.String(),
});
export type FindingScore = Static<typeof FindingScore>;

export const Findings = Type.Object({
  findings: Type.Array(
    Type.Object({
      id: Type.String(),
      firstSeenUnixNs: UnixNsText,
      lastSeenUnixNs: UnixNsText,
      window: Type.Object({ fromUnixNs: UnixNsText, toUnixNs: UnixNsText }),
      finding: Type.Unknown({ description: "as in longpole.report/1" }),
      score: Type.Union([FindingScore, Type.Null()]),
    }),
  ),
});
export type Findings = Static<typeof Findings>;
