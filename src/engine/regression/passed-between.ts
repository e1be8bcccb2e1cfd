import { rankCorrelation } from "../../analysis/rank-correlation.ts";
import { SpanRole } from "../../model/span-facts.ts";
import type { EndpointView } from "../endpoint-view.ts";
import { ms, percent, times } from "../wording.ts";
import {
  confidenceOfFactor,
  exampleTracesOf,
  nodesOf,
  rowsByView,
  shrunkOwnTime,
  symptom,
  tracesEvidence,
  type Comparison,
  type RegressionClaim,
} from "./affected.ts";
import { isCall } from "./attribution.ts";
import type { OperationGrowth } from "./growth.ts";
import type { SliceRows } from "./operations.ts";
import { mapToFloats } from "../../model/map-column.ts";

/** Fewest requests whose times at both ends are held against each other: chance brings 50 to a correlation of 0.35 once in a hundred times. */
const MIN_REQUESTS = 50;
/** Rank correlation of the two times now, and by how much it has to be above that of the baseline. */
const MIN_CORRELATION = 0.4;
const RISEN = 0.2;
/** At most as sure as this: no size was seen. */
const CONFIDENCE = 0.85;

export interface PassedBetween {
  readonly claims: RegressionClaim[];
  /** operations whose growth is told here */
  readonly explained: ReadonlySet<number>;
}

/** Own work of a caller and of its callee that grew together. */
interface Pair {
  readonly caller: OperationGrowth;
  readonly callee: OperationGrowth;
  readonly view: number;
  readonly requests: number;
  readonly correlation: number;
  readonly before: number;
}

/**
 * Growth of the own work at both ends of one edge, request by request alike: what passes between them became larger, since
 * writing it takes the one as long as reading it takes the other. Where own work of a third service grew as well, a
 * machine that all share would explain it, and nothing is claimed.
 */
export function claimPassedBetween(comparison: Comparison, growths: readonly OperationGrowth[]): PassedBetween {
  const none = { claims: [], explained: new Set<number>() };
  const grown = growths.filter((growth) => growth.grown && isWork(growth.operation.role));
  const services = new Set(grown.map(({ operation }) => operation.service));
  if (services.size !== 2) return none;
  const [pair] = pairsOf(comparison, growths, grown).toSorted((a, b) => b.correlation - a.correlation);
  if (pair === undefined) return none;
  return {
    claims: claimsOf(comparison, pair),
    explained: new Set([pair.caller.operation.id, pair.callee.operation.id]),
  };
}

/** A wait for a connection is nobody's work: it has no size. */
const isWork = (role: SpanRole): boolean => !isCall(role) && role !== SpanRole.pool;

function pairsOf(
  comparison: Comparison,
  growths: readonly OperationGrowth[],
  grown: readonly OperationGrowth[],
): Pair[] {
  const isEdge = (from: string, to: string): boolean =>
    growths.some(({ operation }) => operation.calleeTraced && operation.service === from && operation.callee === to);
  const pairs: Pair[] = [];
  for (const caller of grown) {
    for (const callee of grown) {
      if (!isEdge(caller.operation.service, callee.operation.service)) continue;
      comparison.views.forEach((_, view) => {
        const { now, before } = comparison.operations;
        const found = together(now, caller, callee, tracesOf(now, comparison.views[view]!));
        if (found.requests < MIN_REQUESTS || found.correlation < MIN_CORRELATION) return;
        const earlier = together(before, caller, callee, tracesOf(before, comparison.views[view]!)).correlation;
        if (found.correlation - earlier < RISEN) return;
        pairs.push({ caller, callee, view, ...found, before: earlier });
      });
    }
  }
  return pairs;
}

/** Requests of an endpoint in either slice. */
function tracesOf({ slice: { window } }: SliceRows, view: EndpointView): Set<number> {
  const { endpoints, text } = window;
  const endpoint = endpoints.find((e) => text(e.service) === view.service && text(e.operation) === view.operation);
  return new Set(endpoint?.traces);
}

/** Rank correlation of the own times of two operations over the requests that have both. */
function together(
  { rows, selfNs, slice }: SliceRows,
  caller: OperationGrowth,
  callee: OperationGrowth,
  traces: ReadonlySet<number>,
): { requests: number; correlation: number } {
  const { trace } = slice.window.forest;
  const sums = (operation: number): Map<number, number> => {
    const held = new Map<number, number>();
    for (const row of rows[operation]!)
      if (traces.has(trace[row]!)) held.set(trace[row]!, (held.get(trace[row]!) ?? 0) + selfNs[row]!);
    return held;
  };
  const [a, b] = [sums(caller.operation.id), sums(callee.operation.id)];
  const both = [...a.keys()].filter((one) => b.has(one));
  const correlation = rankCorrelation(
    mapToFloats(both, (one) => a.get(one)!),
    mapToFloats(both, (one) => b.get(one)!),
  );
  return { requests: both.length, correlation: Number.isFinite(correlation) ? correlation : 0 };
}

function claimsOf(comparison: Comparison, pair: Pair): RegressionClaim[] {
  const { now } = comparison.operations;
  const targets = new Map<number, number>();
  for (const { operation, growth } of [pair.caller, pair.callee]) {
    now.rows[operation.id]!.forEach((row, i) => {
      const self = now.selfNs[row]!;
      targets.set(row, self > 0 ? growth.target[i]! / self : 1);
    });
  }
  return [...rowsByView(comparison, targets.keys())].flatMap(([index, rows]) => {
    const undo = shrunkOwnTime(comparison.ownNs, rows, (row) => targets.get(row)!);
    if (undo.kind !== "own-time" || undo.rows.length === 0) return [];
    const cost = (row: number): number => comparison.ownNs[row]! * (1 - targets.get(row)!);
    const view = comparison.views[index]!;
    return [
      {
        view,
        explanation: {
          ...wording(comparison, pair, exampleTracesOf(comparison, cost, rows), view),
          undo: [undo],
          nodes: nodesOf(comparison, rows),
        },
      },
    ];
  });
}

function wording(
  comparison: Comparison,
  { caller, callee, requests, correlation, before, view: found }: Pair,
  examples: readonly string[],
  view: Comparison["views"][number],
): Omit<RegressionClaim["explanation"], "undo" | "nodes"> {
  const [from, to] = [caller.operation.service, callee.operation.service];
  const factor = Math.max(caller.growth.factor, callee.growth.factor);
  const grew = ({ operation, growth }: OperationGrowth): string =>
    `${operation.operation} of ${operation.service}: p90 ${ms(growth.before.p90)} -> ${ms(growth.now.p90)}`;
  const text = `rank correlation ${correlation.toFixed(2)} over ${requests} requests of ${comparison.views[found]!.name}, ${before.toFixed(2)} in the baseline`;
  return {
    mechanism: "payload-size",
    kind: "regression",
    subject: { service: to, operation: callee.operation.operation },
    title: `${to} and ${from} both work up to ${times(factor)} as long, request by request alike: what passes between them became larger`,
    why: `${grew(callee)}; ${grew(caller)}. The requests that take the one longer take the other longer as well (${text}): writing an answer and reading it take time by its size.`,
    confidence: CONFIDENCE * confidenceOfFactor(factor),
    harmful: factor >= 1.5,
    chain: [
      symptom(view),
      { claim: `own work of ${from} and of ${to} grew, and of no third service`, evidence: [1, 2] },
      { claim: "in the same requests: with the size of what they exchange", evidence: [3] },
    ],
    evidence: [
      tracesEvidence("requests with most of it", examples, `self time of ${to} ${callee.operation.operation}`),
      ...[callee, caller].map((one) => ({
        kind: "statistic" as const,
        text: `${grew(one)}; q = ${one.qValue.toExponential(1)}`,
        query: `self time of "${one.operation.operation}" of ${one.operation.service}, both windows`,
      })),
      { kind: "statistic", text, query: `self times of both in the same requests` },
    ],
    counter: [
      `no size was recorded: ${percent(correlation * correlation)} of the variation is common to both, which harder requests would bring as well`,
    ],
    refutedBy: `sizes of the answers of ${to} (http.response.body.size) that are as before`,
    remedy: {
      text: "Send less: page, select fields, compress, stream; or cap the size. Record the size of answers to see it.",
    },
  };
}
