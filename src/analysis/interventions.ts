import type { Change } from "../model/change.ts";
import { SpanRole } from "../model/span-facts.ts";
import { NS_PER_MS } from "../model/units.ts";
import { nearestWord } from "./nearest-word.ts";
import { runTogether } from "./parallel-calls.ts";
import { acquisitionOf } from "./pool-acquisitions.ts";
import { Gone, type Edits } from "./replay.ts";
import type { ReplayPlan } from "./replay-plan.ts";

/** What became of a change. */
export type Applied =
  /** `spans` of the plan were edited (0: the operation exists, but not in these traces) */
  | { readonly kind: "applied"; readonly spans: number; readonly assumptions: readonly string[] }
  /** traces alone do not tell what it does */
  | { readonly kind: "cannot-tell"; readonly reason: string }
  /** no operation of that name; the nearest one that is */
  | {
      readonly kind: "no-match";
      readonly looked: string;
      readonly nearest?: { readonly service: string; readonly operation: string };
    };

export interface ApplyOptions {
  /** draws the calls that a cache answers, and the one that stands for a batch */
  readonly seed: number;
  /** only at these call-path nodes; absent: wherever service and operation match */
  readonly nodes?: readonly number[];
}

/**
 * Writes `change` into `edits`; several changes may be written into the same. They do not depend on their order:
 * factors multiply, the shortest timeout counts, a call that is gone stays gone, and a batch costs what the other changes
 * leave of the call that was drawn.
 *
 * - time: of a SERVER, INTERNAL, CONSUMER or PRODUCER span the own time (nothing it called running); of a CLIENT the
 *   service time of that call: the SERVER's whole subtree, transit kept, or the call itself where the callee has no spans.
 * - remove, cache: the call and all below it is gone; what waited for it waits for what it waited for, and the
 *   caller's time before it remains. A pool acquisition that served this call alone is gone with it.
 * - batch: the calls of one parent become one, with the first one's time before it. It takes as long as one of them,
 *   drawn by the seed: their mean would have no tail, and predict a p99 that is too good.
 * - parallel: see parallel-calls.ts.
 * - retries: attempts beyond the N-th retry are gone with the pause before them; OP is the retried call or its caller.
 * - timeout: calls are cut; what the program does after a failed call is not known and stays.
 *
 * Waiting for shared resources (pools, CPU) stays as it is here: what a change does to it, the engine's model of them says.
 */
export function applyChange(plan: ReplayPlan, edits: Edits, change: Change, options: ApplyOptions): Applied {
  switch (change.kind) {
    case "pool":
    case "replicas":
    case "cpu":
    case "without":
      return {
        kind: "cannot-tell",
        reason: `${change.kind} changes how long requests wait for each other: that needs a capacity model`,
      };
    default:
      break;
  }
  const nodes = matchingNodes(plan, change, options.nodes);
  if (nodes === undefined) return noMatch(plan, change);
  const spans = positionsOf(plan, nodes);
  switch (change.kind) {
    case "time":
      for (const at of spans) scaleTime(plan, edits, at, change.factor);
      return {
        kind: "applied",
        spans: spans.length,
        assumptions: [],
      };
    case "remove":
      for (const at of spans) dropCall(plan, edits, at);
      return {
        kind: "applied",
        spans: spans.length,
        assumptions: ["nothing that follows needs the removed call's result"],
      };
    case "cache": {
      const hits = spans.filter((at) => drawOf(plan, at, options.seed) < change.hitRatio);
      for (const at of hits) dropCall(plan, edits, at);
      return {
        kind: "applied",
        spans: hits.length,
        assumptions: ["hits are independent of the call's duration and cost no time"],
      };
    }
    case "batch":
      return {
        kind: "applied",
        spans: batchLoops(plan, edits, spans, options.seed),
        assumptions: ["the one call takes as long as one of those that it replaces"],
      };
    case "parallel":
      return { kind: "applied", ...runTogether(plan, edits, spans) };
    case "retries":
      return {
        kind: "applied",
        spans: limitRetries(plan, edits, spans, change.retries),
        assumptions: ["a request that gives up earlier goes on as it did after its last attempt"],
      };
    case "timeout":
      for (const at of spans) edits.cutNs[at] = Math.min(edits.cutNs[at]!, change.timeoutMs * NS_PER_MS);
      return {
        kind: "applied",
        spans: spans.length,
        assumptions: ["what follows a call that timed out is as it was after its answer"],
      };
  }
}

/** Position of each span row of the forest, -1 for rows that are not in the plan. */
export function positionOfRow(plan: ReplayPlan): Int32Array {
  const position = new Int32Array(plan.forest.spans.rowCount).fill(-1);
  for (let at = 0; at < plan.count; at++) position[plan.row[at]!] = at;
  return position;
}

/** Own time of a span: nothing it called was running. Of a CLIENT that is transit, or without a callee's span the call. */
export function ownTimeNs(plan: ReplayPlan, at: number): number {
  let own = plan.ownTailNs[at]!;
  for (let child = plan.childFrom[at]!; child < plan.childTo[at]!; child++) own += plan.ownThinkNs[child]!;
  return own;
}

/** Makes the own time of the span at `at` `ownNs`; a span that has none keeps none. Returns whether it could. */
export function setOwnTime(plan: ReplayPlan, edits: Edits, at: number, ownNs: number): boolean {
  const now = ownTimeNs(plan, at);
  if (now > 0) edits.ownFactor[at] = ownNs / now;
  return now > 0;
}

type OperationChange = Extract<Change, { operation: string }>;

/** Call-path nodes that the change names; undefined for none. */
function matchingNodes(
  plan: ReplayPlan,
  change: OperationChange,
  only: readonly number[] | undefined,
): Uint8Array | undefined {
  const { paths, forest } = plan;
  const { strings } = forest.spans;
  const isMatch = new Uint8Array(paths.nodeCount);
  const candidates = only ?? Array.from({ length: paths.nodeCount }, (_, node) => node);
  let found = false;
  for (const node of candidates) {
    if (!isChangeable(paths.role[node]!, change)) continue;
    if (
      strings.get(paths.operation[node]!) !== change.operation ||
      strings.get(paths.service[node]!) !== change.service
    )
      continue;
    isMatch[node] = 1;
    found = true;
  }
  return found ? isMatch : undefined;
}

/** Entries of a service are not calls that it makes: they cannot be left out, cached or batched there. */
function isChangeable(role: number, change: OperationChange): boolean {
  const isEntry = role === SpanRole.server || role === SpanRole.consumer;
  return !(isEntry && (change.kind === "remove" || change.kind === "cache" || change.kind === "batch"));
}

function noMatch(plan: ReplayPlan, change: OperationChange): Applied {
  const { paths, forest } = plan;
  const { strings } = forest.spans;
  const operations = new Map<string, { service: string; operation: string }>();
  for (let node = 0; node < paths.nodeCount; node++) {
    if (!isChangeable(paths.role[node]!, change)) continue;
    const service = strings.get(paths.service[node]!);
    const operation = strings.get(paths.operation[node]!);
    operations.set(`${service} ${operation}`, { service, operation });
  }
  const services = new Set([...operations.values()].map((o) => o.service));
  // A slip in one of the two names: keep the other. The right operation under a wrong service is looked for last.
  const service = services.has(change.service) ? change.service : nearestWord(change.service, services);
  const inService = [...operations.values()].filter((o) => o.service === service).map((o) => o.operation);
  const operation = nearestWord(change.operation, inService);
  const elsewhere = [...operations.values()].find((o) => o.operation === change.operation);
  const looked = `operation "${change.operation}" of service "${change.service}"`;
  if (service !== undefined && operation !== undefined)
    return { kind: "no-match", looked, nearest: { service, operation } };
  return elsewhere === undefined ? { kind: "no-match", looked } : { kind: "no-match", looked, nearest: elsewhere };
}

function positionsOf(plan: ReplayPlan, nodes: Uint8Array): number[] {
  const positions: number[] = [];
  for (let at = 0; at < plan.count; at++) if (nodes[plan.paths.nodeOfRow[plan.row[at]!]!] === 1) positions.push(at);
  return positions;
}

function scaleTime(plan: ReplayPlan, edits: Edits, at: number, factor: number): void {
  const { role } = plan.forest.facts;
  const own = role[plan.row[at]!]!;
  if (own !== SpanRole.client && own !== SpanRole.database) {
    edits.ownFactor[at]! *= factor;
    return;
  }
  let served = false;
  for (let child = plan.childFrom[at]!; child < plan.childTo[at]!; child++) {
    if (role[plan.row[child]!] !== SpanRole.server) continue;
    edits.factor[child]! *= factor;
    served = true;
  }
  if (!served) edits.factor[at]! *= factor;
}

function dropCall(plan: ReplayPlan, edits: Edits, at: number): void {
  edits.gone[at] = Math.max(edits.gone[at]!, Gone.call);
  const acquisition = acquisitionOf(plan, at);
  if (acquisition >= 0) edits.gone[acquisition] = Math.max(edits.gone[acquisition]!, Gone.call);
}

/** Marks the calls of one node under one parent as one. Returns how many calls are saved. */
function batchLoops(plan: ReplayPlan, edits: Edits, spans: readonly number[], seed: number): number {
  const firsts = new Map<number, number>();
  let parent = -1;
  let saved = 0;
  for (const at of spans) {
    if (plan.parentAt[at] !== parent) firsts.clear();
    parent = plan.parentAt[at]!;
    const node = plan.paths.nodeOfRow[plan.row[at]!]!;
    const first = firsts.get(node);
    edits.batch[at] = first ?? at;
    edits.batchDraw[at] = drawOf(plan, at, seed);
    if (first === undefined) {
      firsts.set(node, at);
      continue;
    }
    saved++;
    const acquisition = acquisitionOf(plan, at);
    if (acquisition >= 0) edits.gone[acquisition] = Gone.callAndThink;
  }
  return saved;
}

function limitRetries(plan: ReplayPlan, edits: Edits, spans: readonly number[], retries: number): number {
  const { retryOf } = plan.model;
  let dropped = 0;
  const limit = (at: number): void => {
    let attempt = 0;
    for (let row = retryOf[plan.row[at]!]!; row >= 0 && attempt <= retries; row = retryOf[row]!) attempt++;
    if (attempt <= retries || edits.gone[at] === Gone.callAndThink) return;
    edits.gone[at] = Gone.callAndThink;
    dropped++;
  };
  for (const at of spans) {
    limit(at);
    for (let child = plan.childFrom[at]!; child < plan.childTo[at]!; child++) limit(child);
  }
  return dropped;
}

/** Uniform in [0, 1), the same for the same call and seed whatever the order of rows: a hash of its ids. */
function drawOf(plan: ReplayPlan, at: number, seed: number): number {
  const { traceId, spanId } = plan.forest.spans;
  const row = plan.row[at]!;
  let hash = Math.imul(seed ^ Math.floor(seed / 2 ** 32), 0x9e3779b1);
  const mix = (word: number): void => {
    // Finaliser of MurmurHash3 (A. Appleby, public domain) after each word.
    hash = Math.imul(hash ^ word, 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
    hash ^= hash >>> 16;
  };
  for (let i = 0; i < 4; i++) mix(traceId[4 * row + i]!);
  for (let i = 0; i < 2; i++) mix(spanId[2 * row + i]!);
  return (hash >>> 0) / 2 ** 32;
}
