import { independence, type Independence } from "../../analysis/independence.ts";
import { SpanRole } from "../../model/span-facts.ts";
import { inclusiveTimes } from "../call-spots.ts";
import { exampleTraces, type Case } from "../case.ts";
import type { Explanation } from "../hot-spot.ts";
import { answeringService } from "../path-index.ts";
import { programOf } from "../replay-predictor.ts";
import { siblingCalls, type SiblingCalls } from "../sibling-calls.ts";
import { ms, percent } from "../wording.ts";

/** Smallest share of the endpoint's time that each of the two calls must have. */
const MIN_SHARE = 0.05;

/**
 * Calls of one parent that are made one after another although the data show that
 * the later does not need the earlier: both orders occur, it is made without it,
 * or they overlap now and then. Order alone proves nothing; where there is no
 * proof it stays a note that says what could be gained if they are independent.
 */
export function explainSequentialCalls(theCase: Case): Explanation[] {
  const { window, view } = theCase;
  const { paths } = window;
  const inclusive = inclusiveTimes(window, view);
  const byParent = new Map<number, number[]>();
  for (const [node, times] of inclusive) {
    const role = paths.role[node];
    if (role !== SpanRole.client && role !== SpanRole.database) continue;
    if (times.slowNs < MIN_SHARE * view.p99 && times.typicalNs < MIN_SHARE * view.p50) continue;
    const up = paths.parent[node]!;
    if (up < 0) continue;
    const held = byParent.get(up);
    if (held === undefined) byParent.set(up, [node]);
    else held.push(node);
  }
  return [...byParent].flatMap(([parent, calls]) => (calls.length < 2 ? [] : explainParent(theCase, parent, calls)));
}

function explainParent(theCase: Case, parent: number, calls: readonly number[]): Explanation[] {
  const { window, view } = theCase;
  const { paths, text } = window;
  const model = programOf(window);
  const groups = new Map(calls.map((node) => [node, siblingCalls(window, node)]));
  const pairs: { from: number; to: number; sequential: number; verdict: Independence }[] = [];
  const groupAt = new Int32Array(window.spans.rowCount).fill(-1);
  for (const from of calls) {
    const firsts = groups.get(from)!;
    firsts.forEach((group, i) => (groupAt[group.parent] = i));
    for (const to of calls) {
      if (from === to) continue;
      const order = orderOf(theCase, firsts, groupAt, groups.get(to)!);
      if (order.both < 20 || order.before < 0.3 * order.both) continue;
      pairs.push({
        from,
        to,
        sequential: order.sequential / order.both,
        verdict: independence(model, paths, from, to),
      });
    }
    for (const group of firsts) groupAt[group.parent] = -1;
  }
  const apart = pairs.filter((pair) => pair.sequential >= 0.8 && pair.verdict.kind !== "dependent");
  if (apart.length === 0) return [];
  // "Made without the earlier" may mean that a cache had the answer of the earlier: a hint, no proof.
  const proven = apart.filter((pair) => pair.verdict.kind === "independent" && pair.verdict.because !== "without-it");
  const nodes = [...new Set((proven.length > 0 ? proven : apart).flatMap((pair) => [pair.from, pair.to]))];
  const nameOf = (node: number): string => {
    const known = paths.callee[node]! < 0 ? undefined : text(paths.callee[node]!);
    const callee = answeringService(window, node) ?? known;
    return `${text(paths.operation[node]!)}${callee === undefined ? "" : ` (${callee})`}`;
  };
  const names = nodes.slice(0, 4).map(nameOf).join(", ");
  const service = text(paths.service[parent]!);
  const operation = text(paths.operation[parent]!);
  const isProven = proven.length > 0;
  return [
    {
      mechanism: "sequential-calls",
      kind: "latency",
      subject: { service, operation },
      title: `${service} ${operation} makes ${nodes.length} calls one after another${isProven ? " that don't need each other" : ""}: ${names}`,
      why: isProven
        ? `They follow each other in ${percent(proven.reduce((least, p) => Math.min(least, p.sequential), 1))} of the requests or more, yet ${becauseText(proven[0]!.verdict)}: together they would take as long as the longest.`
        : `They follow each other in every request. If the later ones do not need what the earlier ones return, they could run together.`,
      confidence: isProven ? 0.85 : 0.3,
      harmful: isProven,
      nodes: [],
      undo: [{ kind: "change", change: { kind: "parallel", service, operation }, nodes: [parent] }],
      whatIf: `service=${service},operation=${operation},parallel`,
      chain: [
        { claim: `${view.name}: p99 ${ms(view.p99)}`, evidence: [] },
        { claim: `${service} ${operation} waits for ${nodes.length} calls one after another`, evidence: [0, 1] },
      ],
      evidence: [
        {
          kind: "trace",
          text: `slow requests with the sequence: ${exampleTraces(theCase, nodes).join(", ")}`,
          query: `children of "${operation}" of ${service}, by start`,
        },
        {
          kind: "statistic",
          text: (isProven ? proven : apart)
            .slice(0, 3)
            .map(
              (p) =>
                `${nameOf(p.from)} then ${nameOf(p.to)}: one after the other in ${percent(p.sequential)}${p.verdict.kind === "independent" ? `, ${becauseText(p.verdict)}` : ""}`,
            )
            .join("; "),
          query: "order and overlap of sibling calls over all traces",
        },
      ],
      counter: isProven
        ? ["running them together asks more of what they call at the same moment"]
        : ["the traces do not prove that the later calls can do without the earlier: read the code"],
      refutedBy: "the later call takes an argument from the earlier one's answer",
      remedy: {
        text: `Start them together and await them all (Promise.all, errgroup, CompletableFuture.allOf), where the code allows.`,
      },
    },
  ];
}

function becauseText(verdict: Independence): string {
  if (verdict.kind !== "independent") return "";
  switch (verdict.because) {
    case "overlap":
      return "some requests run them at the same time";
    case "both-orders":
      return "both orders occur";
    case "without-it":
      return "the later one is also made without the earlier";
  }
}

/**
 * How often both calls occur in one parent, the one in `firsts` starts first, and they do not overlap.
 * groupAt: per span row its place in `firsts`, -1 where it is no parent of them.
 */
function orderOf(
  theCase: Case,
  firsts: readonly SiblingCalls[],
  groupAt: Int32Array,
  seconds: readonly SiblingCalls[],
): { both: number; before: number; sequential: number } {
  const { startNs, endNs, toleranceNs } = theCase.window.forest;
  let both = 0;
  let before = 0;
  let sequential = 0;
  for (const { parent, rows } of seconds) {
    const others = firsts[groupAt[parent]!]?.rows;
    if (others === undefined) continue;
    both++;
    const [a, b] = [others[0]!, rows[0]!];
    if (startNs[a]! <= startNs[b]!) before++;
    const [lastOfA, lastOfB] = [others.at(-1)!, rows.at(-1)!];
    if (endNs[lastOfA]! <= startNs[b]! + toleranceNs[b]! || endNs[lastOfB]! <= startNs[a]! + toleranceNs[a]!)
      sequential++;
  }
  return { both, before, sequential };
}
