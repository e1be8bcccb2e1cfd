import type { AddedCalls } from "../../analysis/structure-change.ts";
import type { Mechanism } from "../../model/report.ts";
import { SpanRole } from "../../model/span-facts.ts";
import { givenUpCalls } from "../given-up-calls.ts";
import type { Undo } from "../hot-spot.ts";
import { count, ms, percent, shorten } from "../wording.ts";
import {
  exampleTracesOf,
  nodesOf,
  rowsByView,
  shrunkOwnTime,
  symptom,
  tracesEvidence,
  type Comparison,
  type RegressionClaim,
} from "./affected.ts";
import { CACHE_COUNTER, cacheSetting } from "../explain/cache-setting.ts";
import { isConnect } from "../explain/connection-churn.ts";
import { identicalArguments } from "../explain/repeated-calls.ts";
import { statementCause } from "../explain/slow-statement.ts";
import { medianOf, siblingCalls } from "../sibling-calls.ts";
import { isCall } from "./attribution.ts";
import { asOneCache, type AddedCallClaim } from "./one-cache.ts";
import type { Operation } from "./operations.ts";

/** Growth of the share of parents that make a call, and of the calls of each, from which on it is told. */
const MIN_SHARE_GROWTH = 0.05;
const MIN_TIMES_FACTOR = 1.5;
/** A statement that reads by an index answers in 0.1 to 5 ms. */
const SLOW_STATEMENT_NS = 10e6;
/** A loop, rather than two calls where there was one. */
const LOOP = 3;

/** Calls that are made by more of their parents than before, or more often by each: lost caches, loops, retries. */
export function claimAddedCalls(comparison: Comparison, added: readonly AddedCalls[]): RegressionClaim[] {
  const { list } = comparison.operations;
  const claims = added
    .filter((entry) => isCall(list[entry.called]!.role) && !isGivenUp(comparison, entry.called))
    .filter((entry) => moreParents(entry) || entry.timesNow >= MIN_TIMES_FACTOR * entry.timesBefore)
    .flatMap((entry) => {
      if (!isReplacement(comparison, entry)) return claimOf(comparison, entry);
      const replaced = replacedTime(comparison, entry);
      return replaced === undefined ? [] : claimOf(comparison, entry, replaced);
    });
  return asOneCache(claims);
}

/** Calls that nobody took up in time go by another name than those that were answered: the same call nevertheless. */
function isGivenUp({ operations: { now } }: Comparison, called: number): boolean {
  const givenUp = givenUpCalls(now.slice.window);
  const rows = now.rows[called]!;
  return rows.reduce((sum, row) => sum + givenUp[row]!, 0) > 0.5 * rows.length;
}

const moreParents = (entry: AddedCalls): boolean => entry.shareNow - entry.shareBefore >= MIN_SHARE_GROWTH;

/** Whether the parents make about as many calls as before: then one call took the place of another. */
function isReplacement({ operations }: Comparison, entry: AddedCalls): boolean {
  const perParent = (side: Comparison["operations"]["now"]): number => {
    const { forest } = side.slice.window;
    let calls = 0;
    for (const row of side.rows[entry.operation]!) {
      for (let i = forest.childStart[row]!; i < forest.childStart[row + 1]!; i++) {
        const other = side.operation[forest.child[i]!]!;
        if (other >= 0 && isCall(operations.list[other]!.role)) calls++;
      }
    }
    return calls / side.rows[entry.operation]!.length;
  };
  const more = entry.shareNow * entry.timesNow - entry.shareBefore * entry.timesBefore;
  return perParent(operations.now) - perParent(operations.before) < 0.5 * more;
}

/** What one call costs more than the one whose place it took, per call, nanoseconds. */
interface Replaced {
  readonly nowNs: number;
  readonly beforeNs: number;
}

/** From here on a call in another's place is told: its parents have to wait for it so much longer. */
const MIN_REPLACED_FACTOR = 1.5;
const MIN_REPLACED_NS = 1e6;

/**
 * The calls of a parent without those that it made before and makes now alike: what remains are the new call and those
 * it stands for. Undefined where the new one takes no longer; then it is not worth a word.
 */
function replacedTime({ operations }: Comparison, entry: AddedCalls): Replaced | undefined {
  const now = timeByCall(operations.now, entry.operation);
  const before = timeByCall(operations.before, entry.operation);
  const calls = entry.shareNow * entry.timesNow;
  const nowNs = (now.get(entry.called)?.ns ?? 0) / calls;
  let gone = 0;
  for (const [called, { count: timesBefore, ns }] of before) {
    if (!isCall(operations.list[called]!.role)) continue;
    const lost = timesBefore - (now.get(called)?.count ?? 0);
    if (lost > 0) gone += (ns * lost) / timesBefore;
  }
  const beforeNs = gone / calls;
  return nowNs >= MIN_REPLACED_FACTOR * beforeNs && nowNs - beforeNs >= MIN_REPLACED_NS
    ? { nowNs, beforeNs }
    : undefined;
}

/** Per called operation: number and time of its calls, per span of the parent. */
function timeByCall(side: Comparison["operations"]["now"], parent: number): Map<number, { count: number; ns: number }> {
  const { forest } = side.slice.window;
  const rows = side.rows[parent]!;
  const times = new Map<number, { count: number; ns: number }>();
  for (const row of rows) {
    for (let i = forest.childStart[row]!; i < forest.childStart[row + 1]!; i++) {
      const child = forest.child[i]!;
      const called = side.operation[child]!;
      if (called < 0) continue;
      const held = times.get(called) ?? { count: 0, ns: 0 };
      held.count += 1 / rows.length;
      held.ns += (forest.endNs[child]! - forest.startNs[child]!) / rows.length;
      times.set(called, held);
    }
  }
  return times;
}

function claimOf(comparison: Comparison, entry: AddedCalls, replaced?: Replaced): AddedCallClaim[] {
  const { list, now } = comparison.operations;
  const { forest, facts } = now.slice.window;
  const parent = list[entry.operation]!;
  const called = list[entry.called]!;
  const parents = new Set(now.rows[entry.operation]!);
  const all = Array.from(now.rows[entry.called]!).filter((row) => parents.has(forest.parent[row]!));
  const errors = all.reduce((sum, row) => sum + facts.error[row]!, 0) / Math.max(1, all.length);
  const durationOf = (row: number): number => forest.endNs[row]! - forest.startNs[row]!;
  const durations = all.map(durationOf);
  const named = mechanismOf(comparison, entry, parent, called, errors, all);
  const isNew = replaced !== undefined || named === "unknown";
  // A new statement that takes long by itself: not that it is made, what it costs is wrong with it.
  const cause =
    isNew &&
    named !== "connection-churn" &&
    called.role === SpanRole.database &&
    !called.calleeTraced &&
    medianOf(durations) >= SLOW_STATEMENT_NS
      ? statementCause(called.statement, called.operation, called.callee || parent.service, medianOf(durations))
      : undefined;
  const mechanism = cause?.mechanism ?? (replaced === undefined || named === "connection-churn" ? named : "unknown");
  const setting =
    mechanism === "cache-miss"
      ? cacheSetting(now.slice.window, now.rows[entry.operation]!, new Set(all.map((row) => forest.parent[row]!)))
      : undefined;
  const kept = Math.min(1, (entry.shareBefore * entry.timesBefore) / (entry.shareNow * entry.timesNow));
  const what = called.statement === "" ? called.operation : shorten(called.statement, 60);
  const change = `${percent(entry.shareBefore)} -> ${percent(entry.shareNow)} of ${parent.operation} make it, ${count(entry.timesBefore)} -> ${count(entry.timesNow)} times each`;
  return [...rowsByView(comparison, all)].map(([index, rows]): AddedCallClaim => {
    const view = comparison.views[index]!;
    const nodes = nodesOf(comparison, rows);
    const examples = exampleTracesOf(comparison, (row) => comparison.ownNs[row]!, rows);
    const claim: RegressionClaim = {
      view,
      explanation: {
        mechanism,
        kind: "regression",
        subject: cause?.subject ?? {
          service: parent.service,
          operation: called.operation,
          ...(called.statement === "" ? {} : { statement: called.statement }),
          ...(setting === undefined ? {} : { setting: setting.setting }),
        },
        title:
          isNew && mechanism !== "connection-churn" && (cause !== undefined || replaced !== undefined)
            ? `${parent.service} waits ${ms(medianOf(durations))} for ${what}, which it did not call before`
            : titleOf(mechanism, entry, parent.service, what),
        why: `Given that ${parent.operation} runs: ${change}.${replaced === undefined ? "" : ` What it called in its place before took ${ms(replaced.beforeNs)} on average, this takes ${ms(replaced.nowNs)}.`}`,
        confidence: mechanism === "unknown" && replaced === undefined ? 0.5 : 0.85,
        harmful: true,
        nodes,
        undo: [
          replaced === undefined
            ? undoOf(mechanism, entry, parent.service, called.operation, kept, nodes)
            : shrunkOwnTime(comparison.ownNs, rows, () => replaced.beforeNs / replaced.nowNs),
        ],
        chain: [
          symptom(view),
          { claim: `${parent.service} makes more calls of ${what} than before`, evidence: [0, 1] },
          ...(setting === undefined ? [] : [{ claim: setting.claim, evidence: [2] }]),
        ],
        evidence: [
          tracesEvidence(
            "requests that make it",
            examples,
            `spans "${called.operation}" under "${parent.operation}" of ${parent.service}`,
          ),
          {
            kind: "statistic",
            text: `${change}; q = ${entry.qValue.toExponential(1)}`,
            query: `calls of "${called.operation}" per "${parent.operation}" of ${parent.service}, both windows`,
          },
          ...(setting === undefined ? [] : [setting.evidence]),
        ],
        counter:
          mechanism === "cache-miss"
            ? [
                "that a cache answered before is read from calls that were not made; other inputs would look alike",
                ...(setting === undefined ? [] : [CACHE_COUNTER]),
              ]
            : [],
        refutedBy: `the same requests made as many calls of ${called.operation} at the time of the baseline`,
        remedy:
          cause?.remedy ??
          (setting === undefined
            ? { text: remedyOf(mechanism, parent.service) }
            : { text: setting.remedy, change: setting.change }),
      },
    };
    return { claim, parent: parent.operation, totalNs: rows.reduce((sum, row) => sum + durationOf(row), 0) };
  });
}

function mechanismOf(
  comparison: Comparison,
  entry: AddedCalls,
  parent: Operation,
  called: Operation,
  errors: number,
  rows: readonly number[],
): Mechanism {
  const oftener = entry.timesNow >= MIN_TIMES_FACTOR * entry.timesBefore && entry.timesBefore > 0;
  if (isConnect(called.role, called.operation, called.statement)) return "connection-churn";
  if (oftener && errors >= 0.2) return "retries";
  if (oftener && entry.timesNow >= LOOP) return asksTheSame(comparison, rows) ? "duplicate-calls" : "n-plus-one";
  if (oftener && !moreParents(entry)) return "duplicate-calls";
  // Made by some of the parents before: something decided whether it is needed. A new call is a new call.
  if (entry.shareBefore > 0 || asksCache(comparison, parent.id, called.id)) return "cache-miss";
  if (entry.timesNow >= LOOP) return "n-plus-one";
  return isRead(called) && answeredFromMemory(comparison, parent.id) ? "cache-miss" : "unknown";
}

/** Share of the spans that count for "none" where some do as they like, and from which on they make the calls as a rule. */
const NEARLY_ALL = 0.95;
const MOST = 0.5;

const isRead = ({ operation, statement }: Operation): boolean =>
  /\b(?:SELECT|GET|HGET|MGET|FIND)\b/i.test(`${operation} ${statement}`);

/**
 * Whether an operation that called nobody now makes several different calls, as a rule. What it needs several sources
 * for it had in its memory before: a new feature adds to the calls of an operation, it seldom brings all of them.
 */
function answeredFromMemory({ operations }: Comparison, parent: number): boolean {
  const kinds = (side: Comparison["operations"]["now"]): number[] =>
    Array.from(side.rows[parent]!, (row) => {
      const { forest } = side.slice.window;
      const called = new Set<number>();
      for (let i = forest.childStart[row]!; i < forest.childStart[row + 1]!; i++) {
        const other = side.operation[forest.child[i]!]!;
        if (other >= 0 && isCall(operations.list[other]!.role)) called.add(other);
      }
      return called.size;
    });
  const [before, now] = [kinds(operations.before), kinds(operations.now)];
  const share = (list: readonly number[], holds: (count: number) => boolean): number =>
    list.filter(holds).length / Math.max(1, list.length);
  return share(before, (count) => count === 0) >= NEARLY_ALL && share(now, (count) => count >= 2) >= MOST;
}

/** Whether the loops among these rows ask for the same each time. */
function asksTheSame(comparison: Comparison, rows: readonly number[]): boolean {
  const { window } = comparison.operations.now.slice;
  const loops = nodesOf(comparison, rows).filter((node) =>
    siblingCalls(window, node).some((group) => group.rows.length >= LOOP),
  );
  return loops.length > 0 && loops.every((node) => identicalArguments({ window }, node) >= 0.9);
}

function asksCache({ operations }: Comparison, parent: number, called: number): boolean {
  const { forest } = operations.now.slice.window;
  for (const row of operations.now.rows[parent]!.subarray(0, 100)) {
    for (let i = forest.childStart[row]!; i < forest.childStart[row + 1]!; i++) {
      const other = operations.now.operation[forest.child[i]!]!;
      if (other < 0 || other === called) continue;
      const { operation, callee, role } = operations.list[other]!;
      if (role !== SpanRole.server && /redis|memcache|valkey|cache/i.test(`${operation} ${callee}`)) return true;
    }
  }
  return false;
}

function undoOf(
  mechanism: Mechanism,
  entry: AddedCalls,
  service: string,
  operation: string,
  kept: number,
  nodes: readonly number[],
): Undo {
  if (mechanism === "retries")
    return { kind: "change", change: { kind: "retries", service, operation, retries: 0 }, nodes };
  if (mechanism === "n-plus-one" && entry.timesBefore < 2)
    return { kind: "change", change: { kind: "batch", service, operation }, nodes };
  return { kind: "change", change: { kind: "cache", service, operation, hitRatio: 1 - kept }, nodes };
}

function titleOf(mechanism: Mechanism, entry: AddedCalls, service: string, what: string): string {
  switch (mechanism) {
    case "cache-miss":
      return `${percent(entry.shareNow)} of the requests of ${service} have to call ${what}, ${percent(entry.shareBefore)} before`;
    case "retries":
      return `${service} calls ${what} ${count(entry.timesNow)} times instead of ${count(entry.timesBefore)}, after errors`;
    case "connection-churn":
      return `${service} opens a connection (${what}) for ${percent(entry.shareNow)} of its requests, ${percent(entry.shareBefore)} before`;
    case "unknown":
      return `${service} calls ${what}, which it did not before`;
    default:
      return `${service} calls ${what} ${count(entry.timesNow)} times per request, ${count(entry.timesBefore)} before`;
  }
}

function remedyOf(mechanism: Mechanism, service: string): string {
  switch (mechanism) {
    case "cache-miss":
      return "Find out why the cache no longer answers: expiry, size, evictions, a key that varies since the last change, a cold start.";
    case "connection-churn":
      return "Keep connections: a pool that is made once, large enough for the calls at a time, with an idle time longer than the pauses between requests.";
    case "retries":
      return "Mend what fails; retry once and within a budget only.";
    case "n-plus-one":
      return "Fetch all of them by one call; look at what made the list longer or brought the loop in.";
    default:
      return `Look at what was deployed to ${service} between the two windows.`;
  }
}
