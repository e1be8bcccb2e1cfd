import { SpanRole } from "../../model/span-facts.ts";
import { exampleTraces, spanDuration, spanRows, type Case } from "../case.ts";
import type { Explanation, HotSpot } from "../hot-spot.ts";
import { nodesOfService, subtree } from "../path-index.ts";
import { medianOf, siblingCalls } from "../sibling-calls.ts";
import { calleeOf } from "./transit.ts";
import type { Window } from "../window.ts";
import { count, ms, percent } from "../wording.ts";

/** Fewest failed calls from which a pattern is read. */
const MIN_FAILURES = 5;

/**
 * Calls that fail and are made again within the same parent: the attempts, and
 * the pauses between them, are time that a success at once would not take.
 */
export function explainRetries(theCase: Case, spot: HotSpot): Explanation | undefined {
  if (spot.role !== SpanRole.client && spot.role !== SpanRole.database) return undefined;
  const { window, view } = theCase;
  const { facts, forest } = window;
  const groups = siblingCalls(window, spot.node);
  const retried = groups.filter(
    ({ rows }) => rows.length >= 2 && rows.slice(0, -1).every((row) => facts.error[row] === 1),
  );
  if (retried.length < MIN_FAILURES || retried.length < 0.005 * groups.length) return undefined;
  // Where the attempts were waited out, the wait is the cost and its length the cause; that they are repeated comes after.
  if (waitedOut(theCase, spot.node) !== undefined) return undefined;
  // A loop in which every call fails is not a retry unless most repeated groups look so.
  const repeated = groups.filter(({ rows }) => rows.length >= 2).length;
  if (retried.length < 0.7 * repeated) return undefined;
  const attempts = retried.map(({ rows }) => rows.length);
  const cost = retried.map(({ rows }) => forest.startNs[rows.at(-1)!]! - forest.startNs[rows[0]!]!);
  const callee = calleeOf(theCase, spot);
  const slowTraces = new Set(view.slow);
  const slowShare =
    new Set(retried.map(({ parent }) => forest.trace[parent]!).filter((trace) => slowTraces.has(trace))).size /
    Math.max(1, view.slow.length);
  const harmful =
    medianOf(cost) >= 0.1 * view.p50 &&
    (slowShare >= 0.1 || medianOf(cost) * retried.length >= 0.1 * view.p50 * groups.length);
  return {
    mechanism: "retries",
    kind: "latency",
    subject: { service: spot.service, operation: spot.operation },
    title: `${spot.service} repeats failed calls to ${callee}: ${percent(retried.length / groups.length)} of the requests need ${count(medianOf(attempts))} attempts`,
    why: `${retried.length} of ${groups.length} requests called ${spot.operation} again after an error; until the last attempt started ${ms(medianOf(cost))} had passed (median). ${percent(slowShare)} of the slow requests are among them.`,
    confidence: harmful ? 0.95 : 0.35,
    harmful,
    nodes: [...subtree(window, spot.node), window.paths.parent[spot.node]!],
    undo: [
      {
        kind: "change",
        change: { kind: "retries", service: spot.service, operation: spot.operation, retries: 0 },
        nodes: [spot.node],
      },
    ],
    whatIf: `service=${spot.service},operation=${spot.operation},retries=0`,
    chain: [
      { claim: `${view.name}: p99 ${ms(view.p99)}`, evidence: [] },
      {
        claim: `${spot.service} calls ${callee} up to ${count(attempts.reduce((most, n) => Math.max(most, n), 0))} times`,
        evidence: [0],
      },
      { claim: `${callee} fails ${percent(errorShare(theCase, spot.node))} of the calls`, evidence: [1] },
    ],
    evidence: [
      {
        kind: "trace",
        text: `requests with repeated attempts: ${exampleTraces(theCase, subtree(window, spot.node)).join(", ")}`,
        query: `several "${spot.operation}" under one parent, all but the last in error`,
      },
      {
        kind: "statistic",
        text: `${retried.length} requests with retries, ${count(medianOf(attempts))} attempts (median), ${ms(medianOf(cost))} before the last one`,
        query: `error status of "${spot.operation}" by attempt`,
      },
    ],
    counter: [`the failures of ${callee} are the deeper cause; without retries these requests would fail instead`],
    refutedBy: `${callee} stops failing and the slow requests stay`,
    remedy: {
      text: `Mend the failures of ${callee}; until then retry at once and once only, within a budget, and not on errors that will repeat.`,
    },
  };
}

/** Failed calls of which most of the time was waited until the caller gave up, always after the same time. */
interface WaitedOut {
  readonly limitNs: number;
  /** failed calls, successful ones, and median of these */
  readonly failed: readonly number[];
  readonly passed: number;
  readonly usualNs: number;
  /** share of the time of the failed calls that lies in those within 10 % of the limit */
  readonly near: number;
}

function waitedOut({ window }: Case, node: number): WaitedOut | undefined {
  if (!spanRows(window, node).some((row) => window.facts.error[row] === 1)) return undefined;
  const failed: number[] = [];
  const passed: number[] = [];
  for (const other of sameCalls(window, node)) {
    for (const row of spanRows(window, other)) (window.facts.error[row] === 1 ? failed : passed).push(row);
  }
  const total = failed.reduce((sum, row) => sum + spanDuration(window, row), 0);
  // By time, not by number: quick refusals among them cost nothing.
  let passedTime = 0;
  const limitNs = failed
    .map((row) => spanDuration(window, row))
    .sort((a, b) => a - b)
    .find((ns) => (passedTime += ns) >= total / 2);
  if (limitNs === undefined) return undefined;
  const isNear = (row: number): boolean => Math.abs(spanDuration(window, row) - limitNs) <= 0.1 * limitNs;
  const nearRows = failed.filter(isNear);
  const near = nearRows.reduce((sum, row) => sum + spanDuration(window, row), 0) / Math.max(1, total);
  const usualNs = medianOf(passed.map((row) => spanDuration(window, row)));
  // Waited out: most of the time of the failures in one duration, far above what a success takes.
  const isLong = limitNs >= 10e6 && (passed.length === 0 || limitNs >= 3 * usualNs);
  return nearRows.length >= MIN_FAILURES && near >= 0.7 && isLong
    ? { limitNs, failed, passed: passed.length, usualNs, near }
    : undefined;
}

/** Call paths by which a service makes the same call: how long it waits is no matter of the endpoint. */
function sameCalls(window: Window, node: number): number[] {
  const { service, operation, callee, statement, role } = window.paths;
  return nodesOfService(window, service[node]!).filter(
    (other) =>
      operation[other] === operation[node] &&
      callee[other] === callee[node] &&
      statement[other] === statement[node] &&
      role[other] === role[node],
  );
}

/**
 * Calls that end in an error after nearly the same, long time: a timeout was waited out. Why the callee did not answer
 * is one thing, how long the caller waits for it another: the latter is a setting of the caller.
 */
export function explainTimeouts(theCase: Case, spot: HotSpot): Explanation | undefined {
  if (spot.role !== SpanRole.client && spot.role !== SpanRole.database) return undefined;
  const { window, view } = theCase;
  const { forest } = window;
  const waited = waitedOut(theCase, spot.node);
  if (waited === undefined) return undefined;
  const { limitNs: limit, failed, usualNs: usual, near } = waited;
  // Where most failures only pass on a failed call further down, that call is the one that ran into its timeout.
  if (failed.filter((row) => passesOnFailure(theCase, row)).length >= 0.5 * failed.length) return undefined;
  const callee = calleeOf(theCase, spot);
  const slowTraces = new Set(view.slow);
  const inSlow = new Set(failed.map((row) => forest.trace[row]!).filter((trace) => slowTraces.has(trace))).size;
  const slowShare = inSlow / Math.max(1, view.slow.length);
  const harmful = slowShare >= 0.1 || spot.meanNs >= 0.1 * view.p50;
  return {
    mechanism: "timeout",
    kind: "latency",
    subject: {
      service: spot.service,
      operation: spot.operation,
      resource: `edge:${spot.service}->${callee}`,
      setting: "timeout",
    },
    title: `calls of ${spot.service} to ${callee} run into a timeout of ${ms(limit)}`,
    why: `${failed.length} of ${failed.length + waited.passed} calls failed, after ${ms(limit)} (${percent(near)} of the time of the failures is in calls within 10 % of it); those that succeed take ${ms(usual)} (median). They are in ${percent(slowShare)} of the slow requests.`,
    confidence: harmful ? 0.94 : 0.35,
    harmful,
    nodes: [...subtree(window, spot.node), window.paths.parent[spot.node]!],
    undo: [
      {
        kind: "change",
        change: {
          kind: "timeout",
          service: spot.service,
          operation: spot.operation,
          timeoutMs: Math.max(1, (2 * usual) / 1e6),
        },
        nodes: [spot.node],
      },
    ],
    whatIf: `service=${spot.service},operation=${spot.operation},timeout=${Math.max(1, Math.round((3 * usual) / 1e6))}`,
    chain: [
      { claim: `${view.name}: p99 ${ms(view.p99)}`, evidence: [] },
      { claim: `${spot.service} waits ${ms(limit)} for ${callee} and gives up`, evidence: [0, 1] },
    ],
    evidence: [
      {
        kind: "trace",
        text: `requests that waited it out: ${exampleTraces(theCase, subtree(window, spot.node)).join(", ")}`,
        query: `"${spot.operation}" of ${spot.service} with error status`,
      },
      {
        kind: "statistic",
        text: `durations of failed calls: ${ms(limit)}, ${percent(near)} of their time within 10 %; of successful ones: median ${ms(usual)}`,
        query: `histogram of "${spot.operation}" by status`,
      },
    ],
    counter: [`why ${callee} does not answer is not in these spans`],
    refutedBy: "another timeout setting with failures at the same duration",
    remedy: {
      text: `Find out why ${callee} hangs; until then a timeout near ${ms(3 * usual)} would cut most of the wait, and a fallback would serve the request.`,
    },
  };
}

/** Whether a failed call below `row` takes most of its time. */
function passesOnFailure(theCase: Case, row: number): boolean {
  const { forest, facts } = theCase.window;
  const enough = 0.8 * spanDuration(theCase.window, row);
  const open = [row];
  for (let up = open.pop(); up !== undefined; up = open.pop()) {
    for (let i = forest.childStart[up]!; i < forest.childStart[up + 1]!; i++) {
      const child = forest.child[i]!;
      if (spanDuration(theCase.window, child) < enough) continue;
      const isCall = facts.role[child] === SpanRole.client || facts.role[child] === SpanRole.database;
      if (isCall && facts.error[child] === 1) return true;
      open.push(child);
    }
  }
  return false;
}

function errorShare(theCase: Case, node: number): number {
  const rows = spanRows(theCase.window, node);
  let errors = 0;
  for (const row of rows) errors += theCase.window.facts.error[row]!;
  return rows.length === 0 ? 0 : errors / rows.length;
}
