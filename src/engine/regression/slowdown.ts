import { statementShape } from "../../analysis/statement.ts";
import type { Mechanism } from "../../model/report.ts";
import { SpanRole } from "../../model/span-facts.ts";
import { indexColumns, statementCause } from "../explain/slow-statement.ts";
import type { Undo } from "../hot-spot.ts";
import { ms, percent, shorten, times } from "../wording.ts";
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
  type RegressionExplanation,
} from "./affected.ts";
import type { Culprit } from "./attribution.ts";
import type { OperationGrowth } from "./growth.ts";
import type { Operation } from "./operations.ts";

/** Part of the growth that lies in own operations from which on it is not a matter of the way alone. */
const OWN_SHARE = 0.1;
/** Share of a service's own work that has to have grown to blame its processor instead of one operation. */
const MOST = 0.6;

/** Growth below this is told, but as a note: two days of one healthy system differ by as much. */
const HARM_FACTOR = 1.5;
/** What remains of the confidence in growth that is not significant among all that was compared. */
const SUSPECTED = 0.4;

/** One claim per endpoint for a service (or what it calls) that became slower. */
export function claimSlowdown(comparison: Comparison, culprit: Culprit): RegressionClaim[] {
  const grown = [...culprit.own, ...culprit.calls].sort((a, b) => b.perTraceNs - a.perTraceNs);
  const reading = readingOf(culprit, grown);
  const targets = new Map<number, number>();
  const waiting = new Set<number>();
  for (const of of [...grown, ...culprit.waits]) {
    const rows = comparison.operations.now.rows[of.operation.id]!;
    rows.forEach((row, i) => {
      const self = comparison.operations.now.selfNs[row]!;
      targets.set(row, self > 0 ? of.growth.target[i]! / self : 1);
      if (culprit.waits.includes(of)) waiting.add(row);
    });
  }
  const ownRows = [...targets.keys()].filter((row) => !waiting.has(row));
  const claims: RegressionClaim[] = [];
  for (const [index, rows] of rowsByView(comparison, targets.keys())) {
    const view = comparison.views[index]!;
    const shrunk = (of: readonly number[]): Undo => shrunkOwnTime(comparison.ownNs, of, (row) => targets.get(row)!);
    const [held, own] = [rows.filter((row) => waiting.has(row)), rows.filter((row) => !waiting.has(row))];
    if (rows.every((row) => !(comparison.ownNs[row]! > 0))) continue;
    const cost = (row: number): number => comparison.ownNs[row]! * (1 - targets.get(row)!);
    const perRequest = rows.reduce((sum, row) => sum + cost(row), 0) / view.endpoint.traces.length;
    // Of requests that only wait for it, others show what for.
    const examples = exampleTracesOf(comparison, cost, own.length > 0 ? own : ownRows);
    claims.push({
      view,
      explanation: {
        ...wording(culprit, grown, reading, examples, perRequest, view.name),
        undo: [shrunk(own)],
        ...(held.length === 0 ? {} : { waits: { nodes: nodesOf(comparison, held), undo: [shrunk(held)] } }),
        nodes: nodesOf(comparison, own),
        chain: [symptom(view), ...chainOf(culprit, grown, perRequest)],
      },
    });
  }
  return claims;
}

interface Reading {
  readonly mechanism: Mechanism;
  /** the operation that nearly all of the growth belongs to */
  readonly main: OperationGrowth | undefined;
  readonly confidence: number;
  readonly factor: number;
}

function readingOf(culprit: Culprit, grown: readonly OperationGrowth[]): Reading {
  const total = grown.reduce((sum, g) => sum + g.growth.excess, 0);
  const ownNs = culprit.own.reduce((sum, g) => sum + g.growth.excess, 0);
  // Of all its grown spans together: one rare span with a giant factor shall not speak for the rest.
  const factor = grown.reduce((sum, g) => sum + g.growth.excess * Math.log2(Math.min(g.growth.factor, 1e6)), 0) / total;
  const main = isBehindOne(culprit)
    ? culprit.own.toSorted((a, b) => b.perTraceNs - a.perTraceNs)[0]
    : grown[0]!.growth.excess >= 0.8 * total
      ? grown[0]
      : undefined;
  const mechanism = mechanismOf(culprit, grown, ownNs / total);
  // Growth that only lies between two services may as well be the other's; how much better this end explains it counts.
  const share =
    culprit.calls.length === 0 ? 1 : 0.6 + 0.4 * (culprit.support / (culprit.support + culprit.otherSupport));
  return {
    mechanism,
    main,
    confidence: 0.95 * confidenceOfFactor(2 ** factor) * share * (culprit.proven ? 1 : SUSPECTED),
    factor: 2 ** factor,
  };
}

function mechanismOf(culprit: Culprit, grown: readonly OperationGrowth[], ownPart: number): Mechanism {
  const first = grown[0]!.operation;
  if (!culprit.traced)
    return first.role === SpanRole.database ? statementMechanism(first.statement, grown.length) : "external-dependency";
  if (first.role === SpanRole.pool) return "pool-exhausted";
  if (ownPart < OWN_SHARE) return "network-latency";
  const several = new Set(culprit.own.map((g) => g.operation.operation)).size > 1;
  if (isBehindOne(culprit)) return "slow-code";
  if (culprit.ownShare >= MOST && (culprit.calls.length > 0 || several)) return "cpu-saturated";
  return "slow-code";
}

/** Growth on the way is at most this part of the growth of the one operation that others wait behind. */
const BEHIND = 1 / 3;

/**
 * Whether one operation alone takes longer, and what is on the way to the service a little: it waits behind that
 * operation where a thread is shared. With too little processor all work of the service would take longer.
 */
function isBehindOne({ own, calls }: Culprit): boolean {
  if (calls.length === 0 || new Set(own.map((g) => g.operation.operation)).size !== 1) return false;
  const perSpan = (list: readonly OperationGrowth[]): number =>
    list.reduce((sum, g) => sum + g.growth.excess, 0) / list.reduce((sum, g) => sum + g.spansNow, 0);
  return perSpan(calls) <= BEHIND * perSpan(own);
}

function statementMechanism(statement: string, grown: number): Mechanism {
  const shape = statementShape(statement);
  const selective = !shape.heavy && shape.table !== "" && shape.equalityColumns.length + shape.rangeColumns.length > 0;
  return grown === 1 && selective ? "missing-index" : "slow-query";
}

function wording(
  culprit: Culprit,
  grown: readonly OperationGrowth[],
  reading: Reading,
  examples: readonly string[],
  perRequest: number,
  endpoint: string,
): Omit<RegressionExplanation, "undo" | "nodes" | "chain"> {
  const { mechanism, main } = reading;
  const one = main?.operation;
  const what = one === undefined ? undefined : one.statement === "" ? one.operation : shorten(one.statement, 60);
  const name = culprit.service;
  const edge = one !== undefined && culprit.calls.includes(main!) ? `edge:${one.service}->${one.callee}` : undefined;
  return {
    mechanism,
    kind: "regression",
    subject: {
      service: name,
      ...(one === undefined ? {} : { operation: one.operation }),
      ...(one === undefined || one.statement === "" ? {} : { statement: one.statement }),
      ...(isOfTable(mechanism, one) ? { resource: `table:${statementShape(one.statement).table}` } : {}),
      ...(mechanism === "network-latency" && edge !== undefined ? { resource: edge } : {}),
      ...(mechanism === "pool-exhausted" ? { resource: "pool" } : {}),
    },
    title: titleOf(culprit, grown, reading, what),
    why: `Against the baseline ${describe(grown[0]!)}${grown.length > 1 ? `; ${grown.length - 1} more of its operations and calls grew` : ""}. Together ${ms(perRequest)} of an average request of ${endpoint}.`,
    confidence: reading.confidence,
    harmful: culprit.proven && reading.factor >= HARM_FACTOR,
    evidence: [
      tracesEvidence(
        "requests with most of it",
        examples,
        `self time of ${grown[0]!.operation.service} ${grown[0]!.operation.operation}`,
      ),
      ...[...grown.slice(0, 4), ...culprit.waits.slice(0, 2)].map((g) => ({
        kind: "statistic" as const,
        text: `${describe(g)}; ${g.spansBefore} and ${g.spansNow} spans, q = ${g.qValue.toExponential(1)}`,
        query: `self time of "${g.operation.operation}" of ${g.operation.service}${g.operation.callee === "" ? "" : ` towards ${g.operation.callee}`}, both windows (Mann–Whitney, Fisher on the tail)`,
      })),
    ],
    ...withDoubt(withIndex(adviceOf(culprit, mechanism), mechanism, main), culprit, grown),
  };
}

const isOfTable = (mechanism: Mechanism, one: Operation | undefined): one is Operation =>
  (mechanism === "missing-index" || mechanism === "slow-query") &&
  one !== undefined &&
  statementShape(one.statement).table !== "";

/** The statement of an index, where an index would do. */
function withIndex(
  advice: ReturnType<typeof adviceOf>,
  mechanism: Mechanism,
  main: OperationGrowth | undefined,
): ReturnType<typeof adviceOf> {
  const change = mechanism === "missing-index" && main !== undefined ? indexChange(main) : undefined;
  return change === undefined ? advice : { ...advice, remedy: { ...advice.remedy, change } };
}

const indexChange = ({ operation: { statement, operation, callee }, growth }: OperationGrowth): string | undefined =>
  statementCause(statement, operation, callee, growth.now.p50).remedy.change;

function withDoubt(
  advice: ReturnType<typeof adviceOf>,
  { proven }: Culprit,
  grown: readonly OperationGrowth[],
): ReturnType<typeof adviceOf> {
  if (proven) return advice;
  const spans = Math.min(...grown.map((g) => Math.min(g.spansNow, g.spansBefore)));
  return {
    ...advice,
    counter: [
      `only ${spans} spans to compare: among so many operations such a difference may be chance`,
      ...advice.counter,
    ],
  };
}

function titleOf(
  culprit: Culprit,
  grown: readonly OperationGrowth[],
  { mechanism, factor, main }: Reading,
  what: string | undefined,
): string {
  const by = times(factor);
  const name = culprit.service;
  const first = grown[0]!;
  switch (mechanism) {
    case "network-latency":
      return `calls ${culprit.calls[0]!.operation.callee === name ? "to" : "of"} ${name} take ${ms(first.perSpanNs)} longer than before on average, on the way`;
    case "cpu-saturated":
      return `all of ${name} became slower${culprit.calls.length > 0 ? ", with its calls" : ""}: ${by} the time`;
    case "slow-query":
    case "missing-index":
      return `${name} takes ${by} as long as before for ${what ?? "its statements"}${main === undefined || indexChange(main) === undefined ? "" : `: an index on (${indexColumns(statementShape(main.operation.statement)).join(", ")}) seems to be missing`}`;
    case "external-dependency":
      return `${name} answers ${by} as slowly as before`;
    case "pool-exhausted":
      return `${name} waits ${by} as long as before for a connection`;
    default:
      return `${name} takes ${by} as long as before in ${what ?? `${grown.length} of its operations`}`;
  }
}

/** "GetCart of cart: median 1.2 -> 3.4 ms, p90 2 -> 100 ms" */
function describe({ operation, growth }: OperationGrowth): string {
  const where = operation.callee === "" ? operation.service : `${operation.service} towards ${operation.callee}`;
  return `${operation.operation} of ${where}: median ${ms(growth.before.p50)} -> ${ms(growth.now.p50)}, p90 ${ms(growth.before.p90)} -> ${ms(growth.now.p90)}`;
}

function chainOf(
  culprit: Culprit,
  grown: readonly OperationGrowth[],
  perRequest: number,
): { claim: string; evidence: number[] }[] {
  return [
    { claim: `${ms(perRequest)} of an average request was not spent there before`, evidence: [0] },
    {
      claim:
        culprit.calls.length > 0 && culprit.own.length > 0
          ? `${culprit.service}'s own work and its edges grew alike`
          : describe(grown[0]!),
      evidence: grown.slice(0, 4).map((_, i) => i + 1),
    },
    ...culprit.waits.slice(0, 2).map((wait, i) => ({
      claim: `connections are held for that long, and others wait for one: ${describe(wait)}`,
      evidence: [Math.min(4, grown.length) + 1 + i],
    })),
  ];
}

function adviceOf(
  culprit: Culprit,
  mechanism: Mechanism,
): Pick<RegressionExplanation, "counter" | "refutedBy" | "remedy"> {
  const name = culprit.service;
  const doubt =
    culprit.calls.length > 0 && culprit.otherSupport > 0.5 * culprit.support
      ? [
          `time between two services shows neither end: of ${name}'s edges ${percent(culprit.support)} speak for it, ${percent(culprit.otherSupport)} for the other end`,
        ]
      : [];
  switch (mechanism) {
    case "network-latency":
      return {
        counter: [
          ...doubt,
          "a queue in front of the callee's instrumentation (accept queue, busy event loop) looks the same in traces",
        ],
        refutedBy: `a round trip to the host of ${name} that is as fast as before`,
        remedy: {
          text: `Look at what changed on the way to ${name}: its host's network, a proxy, DNS, traffic shaping, connection set-up.`,
        },
      };
    case "cpu-saturated":
      return {
        counter: [
          ...doubt,
          "traces cannot prove a lack of CPU: the CPU use, throttling and run queue of its host and container would",
        ],
        refutedBy: `CPU use, throttled periods and run queue of ${name} as low as before`,
        remedy: {
          text: `Compare CPU use and throttling of ${name} with the baseline; look for a neighbour on its host, a changed limit, or a busy loop (CPU profile).`,
        },
      };
    case "slow-query":
    case "missing-index":
      return {
        counter: [
          ...doubt,
          "traces show neither plan nor rows: EXPLAIN and the table's size would tell a lost index from grown data or a lock",
        ],
        refutedBy: "the same statement runs as fast as before when run alone",
        remedy: {
          text: `Compare its plan and the table's size with those at the time of the baseline; look for a dropped index, stale statistics, or locks.`,
        },
      };
    case "external-dependency":
      return {
        counter: [...doubt, `why ${name} takes longer cannot be seen: it sends no spans`],
        refutedBy: `${name} reports unchanged times for the same calls`,
        remedy: { text: `Ask whoever runs ${name}; meanwhile cut the wait off by a timeout and serve a fallback.` },
      };
    case "pool-exhausted":
      return {
        counter: [...doubt, "a pool also fills when what its connections do becomes slower"],
        refutedBy: "free connections in the pool's metrics while requests wait",
        remedy: { text: "Find out what holds the connections longer than before; only then make the pool larger." },
      };
    default:
      return {
        counter: [
          ...doubt,
          "traces do not show what the time went to: changed code, garbage collection, a lock or a busy CPU look alike",
        ],
        refutedBy: `a profile of ${name} that is the same as at the time of the baseline`,
        remedy: { text: `Look at what was deployed to ${name} between the two windows, and profile it.` },
      };
  }
}
