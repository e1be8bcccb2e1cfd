import { quantileOfAscending } from "../../analysis/weighted-quantile.ts";
import { SpanRole } from "../../model/span-facts.ts";
import { durationsOf, exampleTraces, type Case } from "../case.ts";
import type { Explanation, HotSpot } from "../hot-spot.ts";
import { shareOfTime } from "../share-of-time.ts";
import { ms } from "../wording.ts";

/** A call into something that sends no spans: all that can be said is how long it takes. */
const SLOW_NS = 50e6;

export function explainExternal(theCase: Case, spot: HotSpot): Explanation | undefined {
  if (spot.role !== SpanRole.client || spot.timeKind !== "callee") return undefined;
  const { window, view } = theCase;
  const ascending = durationsOf(window, spot.node).sort();
  const median = quantileOfAscending(ascending, 0.5);
  const p99 = quantileOfAscending(ascending, 0.99);
  const callee = spot.callee === "" ? "a service without spans" : spot.callee;
  const share = shareOfTime(view, spot.slowNs, spot.typicalNs);
  const harmful = Math.max(median, p99) >= SLOW_NS && share >= 0.4;
  return {
    mechanism: "external-dependency",
    kind: "latency",
    subject: { service: callee, operation: spot.operation },
    title: `${spot.service} waits for ${callee}: ${ms(median)} typically, ${ms(p99)} at p99`,
    why: `${callee} sends no spans. ${spot.service} spends ${ms(spot.slowNs)} of a slow request in ${spot.operation} (${ms(spot.typicalNs)} of a typical one).`,
    confidence: harmful ? 0.65 : 0.2,
    harmful,
    nodes: [spot.node],
    undo: [
      {
        kind: "change",
        change: { kind: "time", service: spot.service, operation: spot.operation, factor: 0.5 },
        nodes: [spot.node],
      },
    ],
    whatIf: `service=${spot.service},operation=${spot.operation},time=0.5`,
    chain: [
      { claim: `${view.name}: p99 ${ms(view.p99)}`, evidence: [] },
      { claim: `${spot.service} waits ${ms(spot.slowNs)} of it for ${callee}`, evidence: [0] },
    ],
    evidence: [
      {
        kind: "trace",
        text: `slow requests that wait for it: ${exampleTraces(theCase, [spot.node]).join(", ")}`,
        query: `CLIENT spans "${spot.operation}" of ${spot.service}`,
      },
    ],
    counter: [`why ${callee} takes this long cannot be seen: it is not instrumented`],
    refutedBy: `${callee} reports a short time for the same calls: then it is the way there`,
    remedy: {
      text: `Ask whoever runs ${callee}; meanwhile cache its answers, call it earlier or together with other calls, and cut it off by a timeout.`,
    },
  };
}
