import type { Finding, Mechanism } from "../../model/report.ts";
import { percent } from "../wording.ts";
import { allocatingFunction } from "./allocating-function.ts";
import { codeCauses, FEWEST_SAMPLES } from "./code-causes.ts";
import type { ServiceCode } from "./service-profiles.ts";

/** What metrics say of a service that computes too much, or stands still: its profile says where. */
const OF_CODE: ReadonlySet<Mechanism> = new Set<Mechanism>([
  "slow-code",
  "cpu-saturated",
  "event-loop-blocked",
  "garbage-collection",
]);

/** A smaller part of the busy time is one of many. */
const WORTH_NAMING = 0.15;

/**
 * Findings above a note that rest on metrics, with the function that the service's profile names: of collection the one that
 * allocates. Those that name a function, a statement or a setting are as they should be.
 */
export function nameInFindings(findings: readonly Finding[], services: ReadonlyMap<string, ServiceCode>): Finding[] {
  return findings.map((finding) => {
    const { subject, mechanism, severity } = finding;
    const code = services.get(subject.service);
    const isNamed = subject.frame !== undefined || subject.statement !== undefined || subject.setting !== undefined;
    if (code === undefined || isNamed || severity === "note" || !OF_CODE.has(mechanism)) return finding;
    const named = nameOf(code, mechanism);
    if (named === undefined) return finding;
    return {
      ...finding,
      subject: { ...subject, frame: named.frame },
      chain: [...finding.chain, { claim: named.text, evidence: [finding.evidence.length] }],
      evidence: [
        ...finding.evidence,
        {
          kind: "stack",
          text: `${named.text} (${code.profile.busySamples.toLocaleString("en")} samples)`,
          query: `longpole flame ${code.sources[0]!}`,
        },
      ],
    };
  });
}

function nameOf(code: ServiceCode, mechanism: Mechanism): { frame: string; text: string } | undefined {
  if (code.profile.busySamples < FEWEST_SAMPLES) return undefined;
  if (mechanism !== "garbage-collection") {
    const cause = codeCauses(code).find(({ share, frame }) => share >= WORTH_NAMING && frame !== "");
    return cause === undefined ? undefined : { frame: cause.frame, text: cause.title };
  }
  const gc = code.profile.classes.find(({ work }) => work === "gc");
  const allocating = gc === undefined ? undefined : allocatingFunction(code, gc);
  if (gc === undefined || allocating === undefined || gc.share < WORTH_NAMING) return undefined;
  const { frame, text } = allocating;
  return { frame, text: `collection takes ${percent(gc.share)} of the busy time of ${code.service}; ${text}` };
}
