import type { Mechanism } from "../model/report.ts";
import type { Claim } from "./findings.ts";
import type { Explanation } from "./hot-spot.ts";

/** What a comparison alone can say of slower work: that it is slower, not why. A closer look at the window may know more. */
const GENERAL: ReadonlySet<Mechanism> = new Set<Mechanism>([
  "slow-code",
  "slow-query",
  "cpu-saturated",
  "network-latency",
  "external-dependency",
  "unknown",
]);

/** The comparison reads a missing index off the text of a statement that became slower: no more than that it did. */
const LESS_THAN_READING: ReadonlySet<Mechanism> = new Set<Mechanism>([...GENERAL, "missing-index"]);

/** What a comparison alone says of time that passes between two services. */
const IN_TRANSIT: ReadonlySet<Mechanism> = new Set<Mechanism>(["network-latency"]);

/**
 * How calls are made: that the calls below take longer now does not make it new. The comparison counts calls
 * itself, and claims a change of their number or order where there is one.
 */
const OF_CALLS: ReadonlySet<Mechanism> = new Set<Mechanism>([
  "n-plus-one",
  "duplicate-calls",
  "sequential-calls",
  "cache-miss",
]);

/** What failed calls cost. Where they fail more often than before it is new, whether or not it shows in a median. */
const OF_FAILURES: ReadonlySet<Mechanism> = new Set<Mechanism>(["retries", "timeout"]);

/** That there are failures, that calls are repeated, and that the one who fails takes longer, is the same story without its cost. */
const LESS_THAN_FAILURES: ReadonlySet<Mechanism> = new Set<Mechanism>([...GENERAL, "error-handling", "retries"]);

/**
 * Claims of the window held against what changed since the baseline.
 * - What did not change is not the cause of a change: it becomes a note and says so.
 * - A queue is new where its messages did not wait in the baseline (`queuesBefore`: what was found there).
 * - Failed calls are new where more of them fail (`newFailures`: call paths of the window).
 * - Refused connections are new where more calls than before had to be connected again (`refusing`: services).
 * - Where something did, the closer of two explanations of the same time stays:
 *   a structural change (calls added, serialised, broken off; mix; load) before a
 *   reading of the window, and that before "it is slower".
 */
export function againstBaseline(
  claims: readonly Claim[],
  regressions: readonly Claim[],
  newFailures: ReadonlySet<number>,
  queuesBefore: readonly Claim[],
  refusing: ReadonlySet<string>,
): Claim[] {
  const queued = new Set(queuesBefore.filter(({ explanation }) => explanation.harmful).map(queueOf));
  const isNew = (claim: Claim): boolean => {
    const { mechanism, harmful, nodes, subject } = claim.explanation;
    if (mechanism === "queue-backlog") return harmful && !queued.has(queueOf(claim));
    if (mechanism === "accept-queue") return harmful && refusing.has(subject.service);
    return OF_FAILURES.has(mechanism) && nodes.some((node) => newFailures.has(node));
  };
  return combine(claims, regressions, (claim) =>
    isNew(claim) ? { ...claim, explanation: { ...claim.explanation, kind: "regression" } } : asBefore(claim),
  );
}

const queueOf = ({ explanation: { subject } }: Claim): string =>
  JSON.stringify([subject.service, subject.operation, subject.resource]);

/**
 * The same for a change within the window. What did not change with it stays as it
 * is: there is no good time given to hold it against.
 */
export function sinceChange(claims: readonly Claim[], regressions: readonly Claim[]): Claim[] {
  return combine(claims, regressions, (claim) => claim);
}

function combine(claims: readonly Claim[], regressions: readonly Claim[], unchanged: (claim: Claim) => Claim): Claim[] {
  const kept: Claim[] = [];
  const refined = new Set<Claim>();
  for (const claim of claims) {
    const touching = regressions.filter((r) => r.view === claim.view && overlap(r.explanation, claim.explanation));
    const isOfCalls = OF_CALLS.has(claim.explanation.mechanism);
    // The comparison has counted these calls, and found more of them: it says so itself.
    if (isOfCalls && touching.some((r) => OF_CALLS.has(r.explanation.mechanism))) continue;
    // It is new, and why is told by what holds the connections.
    if (touching.length === 0 && regressions.some((r) => isWaitOf(claim, r))) {
      kept.push({ ...claim, explanation: { ...claim.explanation, kind: "regression" } });
      continue;
    }
    if (touching.length === 0 || isOfCalls) {
      kept.push(unchanged(claim));
      continue;
    }
    const isQueue = claim.explanation.waitsInTransit === true;
    // A way that is long when much is in flight, and short else, is no longer way: whoever is late there is closer.
    const isCloser = isQueue || (claim.explanation.harmful && !GENERAL.has(claim.explanation.mechanism));
    const lessClose = isQueue
      ? IN_TRANSIT
      : OF_FAILURES.has(claim.explanation.mechanism)
        ? LESS_THAN_FAILURES
        : LESS_THAN_READING;
    const general = touching.filter((r) => lessClose.has(r.explanation.mechanism));
    if (!isCloser || general.length === 0 || (!isQueue && general.length < touching.length)) continue;
    for (const r of general) refined.add(r);
    kept.push(asRegression(claim, general[0]!));
  }
  return [...kept, ...regressions.filter((r) => !refined.has(r))];
}

function overlap(a: Explanation, b: Explanation): boolean {
  return a.nodes.some((node) => b.nodes.includes(node));
}

const isWaitOf = ({ explanation }: Claim, { explanation: { waits } }: Claim): boolean =>
  explanation.mechanism === "pool-exhausted" && explanation.nodes.some((node) => waits?.nodes.includes(node) === true);

function asBefore(claim: Claim): Claim {
  const { explanation } = claim;
  if (!explanation.harmful)
    return { ...claim, explanation: { ...explanation, confidence: explanation.confidence * 0.05 } };
  return {
    ...claim,
    explanation: {
      ...explanation,
      harmful: false,
      confidence: explanation.confidence * 0.05,
      counter: [...explanation.counter, "it was so in the baseline as well: not what changed"],
    },
  };
}

/** The reading of the window, with the comparison as evidence that it is new. */
function asRegression(claim: Claim, regression: Claim): Claim {
  const { explanation } = claim;
  const from = explanation.evidence.length;
  return {
    ...claim,
    explanation: {
      ...explanation,
      kind: "regression",
      ...(regression.explanation.waits === undefined ? {} : { waits: regression.explanation.waits }),
      // That the way became longer makes it no likelier that this is why.
      confidence:
        explanation.waitsInTransit === true
          ? explanation.confidence
          : Math.max(explanation.confidence, regression.explanation.confidence),
      chain: [...explanation.chain, { claim: regression.explanation.title, evidence: [from] }],
      evidence: [
        ...explanation.evidence,
        ...regression.explanation.evidence.filter((e) => e.kind === "statistic").slice(0, 1),
      ],
    },
  };
}
