import type { Claim } from "./findings.ts";
import type { WindowSplit } from "./change-in-window.ts";
import { explainRegressions } from "./regression/explain-regressions.ts";
import type { EndpointView } from "./endpoint-view.ts";
import type { Window } from "./window.ts";
import { ms, percent } from "./wording.ts";

/** What became worse at a change within the window: the part before it is the baseline of the part after it. */
export function explainChange(window: Window, views: readonly EndpointView[], split: WindowSplit): Claim[] {
  const { evidence, atNs } = split;
  const at = clockTime(window.spans.baseUnixNs + BigInt(Math.round(atNs)));
  const asText = (value: number): string => (evidence.metric === "errors" ? percent(value) : ms(value));
  const change = `${evidence.metric} of ${evidence.view.name} ${asText(evidence.before)} -> ${asText(evidence.after)} at ${at}`;
  const { claims } = explainRegressions({ window, traces: split.after }, { window, traces: split.before }, views);
  return claims.map((claim) => {
    const { explanation } = claim;
    return {
      ...claim,
      explanation: {
        ...explanation,
        why: `Since ${at}: ${explanation.why}`,
        chain: [{ claim: change, evidence: [explanation.evidence.length] }, ...explanation.chain],
        evidence: [
          ...explanation.evidence,
          {
            kind: "series" as const,
            text: `${change}; a step that lasts until the end, p = ${evidence.pValue.toExponential(1)} over ${evidence.buckets} buckets`,
            query: `${evidence.metric} of ${evidence.view.name} over time; longpole changepoints on it`,
          },
        ],
      },
    };
  });
}

/** 2026-11-23 04:05:06 UTC */
function clockTime(unixNs: bigint): string {
  return `${new Date(Number(unixNs / 1_000_000n)).toISOString().slice(0, 19).replace("T", " ")} UTC`;
}
