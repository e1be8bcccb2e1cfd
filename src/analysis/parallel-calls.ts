import { SpanRole } from "../model/span-facts.ts";
import { independence, transactionNodes, type Independence } from "./independence.ts";
import { acquisitionOf } from "./pool-acquisitions.ts";
import { WaitFor, type Edits } from "./replay.ts";
import type { ReplayPlan } from "./replay-plan.ts";

/**
 * Lets the direct calls of the spans at `parents` run together: a call that waited for the end of an earlier call now
 * waits for its start, so the caller's own time between the two is still spent, one after the other, and the calls
 * overlap. What a call proves to need it still waits for (independence.ts); a retry waits for the failed attempt; and
 * what is not a call (INTERNAL spans: the caller's own code) keeps its order.
 *
 * Calls are CLIENT spans and the pool acquisitions before them. Where a parent's calls are all made by INTERNAL
 * spans below it (a handler), theirs are meant.
 */
export function runTogether(
  plan: ReplayPlan,
  edits: Edits,
  parents: readonly number[],
): { spans: number; assumptions: string[] } {
  const verdicts = new Verdicts(plan);
  const stack = [...parents];
  let spans = 0;
  for (let at = stack.pop(); at !== undefined; at = stack.pop()) {
    let calls = 0;
    for (let child = plan.childFrom[at]!; child < plan.childTo[at]!; child++) if (isCall(plan, child)) calls++;
    if (calls > 0) spans += releaseCalls(plan, edits, at, verdicts);
    else {
      for (let child = plan.childFrom[at]!; child < plan.childTo[at]!; child++) {
        if (plan.forest.facts.role[plan.row[child]!] === SpanRole.internal) stack.push(child);
      }
    }
  }
  return { spans, assumptions: verdicts.assumptions() };
}

/** Returns how many calls wait for less than before. */
function releaseCalls(plan: ReplayPlan, edits: Edits, at: number, verdicts: Verdicts): number {
  const nodeOfClass = new Int32Array(plan.classes[at]!);
  const lastOfClass = new Int32Array(plan.classes[at]!);
  let released = 0;
  for (let child = plan.childFrom[at]!; child < plan.childTo[at]!; child++) {
    const row = plan.row[child]!;
    const node = plan.paths.nodeOfRow[row]!;
    if (isCall(plan, child) && release(child, row, node)) released++;
    const local = plan.classAt[child]!;
    if (local < 0) continue;
    nodeOfClass[local] = node;
    lastOfClass[local] = child;
  }
  return released;

  function release(child: number, row: number, node: number): boolean {
    const isAcquisition = plan.paths.role[node] === SpanRole.pool;
    let isReleased = false;
    for (let slot = plan.slotFrom[child]!; slot < plan.slotFrom[child + 1]!; slot++) {
      const local = plan.slotClass[slot]!;
      const from = nodeOfClass[local]!;
      if (!isCallRole(plan.paths.role[from]!)) continue;
      if (from === node && plan.model.retryOf[row]! >= 0) continue;
      if (verdicts.of(from, node).kind === "dependent") continue;
      // A query begins with its acquisition: the next one is issued after that, not after the connection was got.
      const began = isAcquisition && acquisitionOf(plan, lastOfClass[local]!) >= 0;
      edits.slotWait[slot] = began ? WaitFor.nothing : WaitFor.start;
      isReleased = true;
    }
    if (isReleased) edits.waitsAlone[child] = 1;
    return isReleased;
  }
}

const isCallRole = (role: number): boolean =>
  role === SpanRole.client || role === SpanRole.database || role === SpanRole.pool;
const isCall = (plan: ReplayPlan, at: number): boolean => isCallRole(plan.forest.facts.role[plan.row[at]!]!);

/** Independence of each pair of nodes, found out once. */
class Verdicts {
  private readonly plan: ReplayPlan;
  private readonly inTransaction: Uint8Array;
  private readonly known = new Map<number, Independence>();

  constructor(plan: ReplayPlan) {
    this.plan = plan;
    this.inTransaction = transactionNodes(plan.paths, (id) => plan.forest.spans.strings.get(id));
  }

  of(from: number, to: number): Independence {
    const { model, paths } = this.plan;
    const key = from * paths.nodeCount + to;
    let verdict = this.known.get(key);
    if (verdict === undefined) {
      const oneTransaction = this.inTransaction[from] === 1 && this.inTransaction[to] === 1;
      verdict = oneTransaction ? { kind: "dependent", because: "transaction" } : independence(model, paths, from, to);
      this.known.set(key, verdict);
    }
    return verdict;
  }

  /** What had to be taken for granted: pairs whose order never varied. */
  assumptions(): string[] {
    const { paths, forest, model } = this.plan;
    const name = (node: number): string => forest.spans.strings.get(paths.operation[node]!);
    const texts: string[] = [];
    for (const [key, verdict] of this.known) {
      const from = Math.floor(key / paths.nodeCount);
      const to = key % paths.nodeCount;
      if (paths.role[from] === SpanRole.pool || paths.role[to] === SpanRole.pool) continue;
      if (verdict.kind === "unknown" && from === to)
        texts.push(`repeated calls of ${name(to)} do not need each other's results`);
      else if (verdict.kind === "unknown") {
        texts.push(
          `${name(to)} does not need the result of ${name(from)}: it followed it in all ${model.behaviour.parents[to]} cases, which proves neither`,
        );
      } else if (verdict.kind === "dependent")
        texts.push(`${name(to)} still waits for ${name(from)} (${verdict.because})`);
    }
    return [...new Set(texts)];
  }
}
