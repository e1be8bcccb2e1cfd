import type { RegressionClaim } from "./affected.ts";

/** A claim about an added call, with whose call it is and how long it took. */
export interface AddedCallClaim {
  readonly claim: RegressionClaim;
  /** the operation that makes the call */
  readonly parent: string;
  /** of all such calls at the endpoint, nanoseconds */
  readonly totalNs: number;
}

/**
 * What an operation fetches where it found everything in its cache before is one matter, however many calls it takes: at each
 * endpoint the call that takes the most time stands for all, names the others, and takes what they would save.
 */
export function asOneCache(claims: readonly AddedCallClaim[]): RegressionClaim[] {
  const groups = new Map<string, AddedCallClaim[]>();
  for (const one of claims) {
    const { mechanism, subject } = one.claim.explanation;
    if (mechanism !== "cache-miss") continue;
    const key = JSON.stringify([one.claim.view.name, subject.service, one.parent]);
    groups.set(key, [...(groups.get(key) ?? []), one]);
  }
  const leads = new Map([...groups.values()].map((group) => merged(group)));
  return claims.flatMap((one) =>
    one.claim.explanation.mechanism === "cache-miss" ? (leads.get(one) ?? []) : [one.claim],
  );
}

function merged(group: readonly AddedCallClaim[]): [lead: AddedCallClaim, claim: RegressionClaim] {
  const lead = group.reduce((most, one) => (one.totalNs > most.totalNs ? one : most));
  const { explanation } = lead.claim;
  const others = group.filter((one) => one !== lead).map((one) => one.claim.explanation);
  return [
    lead,
    {
      ...lead.claim,
      explanation: {
        ...explanation,
        matter: `cache of ${lead.parent}`,
        nodes: [...new Set([explanation, ...others].flatMap(({ nodes }) => nodes))],
        undo: [explanation, ...others].flatMap(({ undo }) => undo),
        chain: [
          ...explanation.chain,
          ...others.map(({ title }, i) => ({
            claim: `of the same cache: ${title}`,
            evidence: [explanation.evidence.length + i],
          })),
        ],
        evidence: [...explanation.evidence, ...others.map(({ evidence }) => evidence[1]!)],
      },
    },
  ];
}
