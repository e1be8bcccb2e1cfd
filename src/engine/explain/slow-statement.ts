import { statementShape, type StatementShape } from "../../analysis/statement.ts";
import { quantileOfAscending } from "../../analysis/weighted-quantile.ts";
import { SpanRole } from "../../model/span-facts.ts";
import { isHog, resourceOfNode } from "../congestion.ts";
import { durationsOf, exampleTraces, type Case } from "../case.ts";
import { otherStatements } from "../database-statements.ts";
import type { Explanation, HotSpot } from "../hot-spot.ts";
import { shareOfTime } from "../share-of-time.ts";
import { count, ms, plural, shorten, times } from "../wording.ts";

/** A statement that reads by an index answers in 0.1 to 5 ms; from here on something else is going on. */
const SLOW_NS = 10e6;
/** Aggregates, joins and sorts read many rows on purpose: only from here on they are called slow without a baseline. */
const SLOW_HEAVY_NS = 200e6;
/** How many times slower than the other statements of the same database counts as an outlier. */
const OUTLIER = 5;

/**
 * A database statement that takes long by itself: its typical duration, not only
 * its tail, is far above what the same database needs for its other statements.
 * A selective WHERE or an ORDER BY with LIMIT points to a missing index; a
 * statement without one, or with aggregates, to the statement itself.
 */
export function explainSlowStatement(theCase: Case, spot: HotSpot): Explanation | undefined {
  if (spot.role !== SpanRole.database || spot.timeKind !== "callee") return undefined;
  const { window, view } = theCase;
  const durations = durationsOf(window, spot.node);
  if (durations.length < 5) return undefined;
  const ascending = durations.toSorted();
  const median = quantileOfAscending(ascending, 0.5);
  const shape = statementShape(spot.statement);
  const others = otherStatements(window, spot.node);
  const found = resourceOfNode(window, theCase.ownNs, spot.node);
  // What it takes without waiting for others on the database: a busy database makes every statement slow.
  const alone = found === undefined ? median : Math.min(median, found.member.aloneNs);
  const othersNs =
    found === undefined || found.resource.othersAloneNs === 0
      ? others.medianNs
      : Math.min(others.medianNs, found.resource.othersAloneNs);
  const factor = speedUp(alone, othersNs);
  const hogs =
    found !== undefined &&
    found.resource.heaviest === found.member &&
    isHog(found.resource) &&
    found.resource.stretchOfOthers >= 2;
  const isOutlier =
    alone >= (shape.heavy && !hogs ? SLOW_HEAVY_NS : SLOW_NS) && (others.calls < 20 || alone >= OUTLIER * othersNs);
  const harmful = isOutlier && shareOfTime(view, spot.slowNs, spot.typicalNs) >= 0.15;
  const indexable = isOutlier && canUseIndex(shape);
  const database = spot.callee === "" ? "the database" : spot.callee;
  const what = spot.statement === "" ? spot.operation : shorten(spot.statement, 70);
  const comparison =
    others.calls >= 20
      ? ` The ${count(others.calls)} calls of other statements on ${database} take ${ms(others.medianNs)} (median): this one is ${times(median / Math.max(1, others.medianNs))} as slow.`
      : "";
  return {
    ...statementCause(
      spot.statement,
      spot.operation,
      spot.callee === "" ? spot.service : spot.callee,
      isOutlier ? median : 0,
    ),
    kind: "latency",
    title: indexable
      ? `looking up rows${shape.table === "" ? "" : ` of ${shape.table}`} takes ${ms(median)} in ${database}: an index on (${indexColumns(shape).join(", ")}) seems to be missing`
      : `${what} takes ${ms(median)} in ${database}`,
    why: `${spot.service} spends ${ms(spot.slowNs)} of a slow request and ${ms(spot.typicalNs)} of a typical one in this statement (${plural(durations.length, "call")}, median ${ms(median)}, p99 ${ms(quantileOfAscending(ascending, 0.99))}).${comparison}`,
    confidence: harmful ? (indexable ? 0.8 : 0.7) : 0.25,
    harmful,
    nodes: [spot.node],
    undo: [
      {
        kind: "change",
        change: { kind: "time", service: spot.service, operation: spot.operation, factor },
        nodes: [spot.node],
      },
    ],
    whatIf: `service=${spot.service},operation=${spot.operation},time=${Number(factor.toPrecision(2))}`,
    chain: [
      { claim: `${view.name}: p99 ${ms(view.p99)}`, evidence: [] },
      { claim: `${spot.service} waits ${ms(spot.slowNs)} of it for ${database}`, evidence: [0] },
      { claim: `${what}: ${ms(median)} each`, evidence: [1] },
    ],
    evidence: [
      {
        kind: "trace",
        text: `slow requests with this statement: ${exampleTraces(theCase, [spot.node]).join(", ")}`,
        query: `spans named "${spot.operation}" of ${spot.service}`,
      },
      {
        kind: "statement",
        text: spot.statement === "" ? spot.operation : spot.statement,
        query:
          indexable || shape.verb === "SELECT"
            ? `EXPLAIN (ANALYZE, BUFFERS) or your database's own form of it, with usual values in place of the parameters`
            : `mean time of this statement in the database's own statistics (PostgreSQL: pg_stat_statements)`,
      },
    ],
    counter: [
      ...(others.calls < 20 ? [`no other statement on ${database} in these traces to compare with`] : []),
      ...(indexable ? ["traces show neither the plan nor the rows read: EXPLAIN tells whether it scans"] : []),
    ],
    refutedBy: indexable
      ? "EXPLAIN shows an index scan with few rows read, or the time stays with the index in place"
      : "the same statement is as fast as the others when run alone: then the database is busy, not the statement slow",
  };
}

/** Mechanism, subject and remedy of a statement that costs too much by itself. */
export function statementCause(
  statement: string,
  operation: string,
  database: string,
  typicalNs: number,
): Pick<Explanation, "mechanism" | "subject" | "remedy"> {
  const shape = statementShape(statement);
  const indexable = typicalNs >= SLOW_NS && canUseIndex(shape);
  return {
    mechanism: indexable ? "missing-index" : "slow-query",
    subject: {
      service: database,
      operation,
      ...(statement === "" ? {} : { statement }),
      ...(shape.table === "" ? {} : { resource: `table:${shape.table}` }),
    },
    remedy: indexable
      ? {
          text: `Create an index on the columns of the WHERE clause${shape.orderColumns.length > 0 ? " and the order" : ""}; check with EXPLAIN first.`,
          change: `CREATE INDEX CONCURRENTLY ON ${shape.table} (${indexColumns(shape).join(", ")})`,
        }
      : {
          text: "Look at its plan (EXPLAIN), read fewer rows or columns, precompute the aggregate, or cache the result.",
        },
  };
}

/** The factor is what would bring the statement to the level of the others on the same database; a tenth where there are none. */
export function speedUp(medianNs: number, othersNs: number): number {
  if (othersNs <= 0 || othersNs >= medianNs) return 0.1;
  return Math.max(0.01, Math.min(0.5, othersNs / medianNs));
}

function canUseIndex(shape: StatementShape): boolean {
  if (!/^(?:SELECT|UPDATE|DELETE|WITH)$/.test(shape.verb) || shape.table === "") return false;
  return !shape.heavy && (shape.equalityColumns.length > 0 || shape.rangeColumns.length > 0);
}

/** Equality columns first, then one range or the order: the order in which a B-tree can use them. */
export function indexColumns(shape: StatementShape): string[] {
  return [
    ...new Set([
      ...shape.equalityColumns,
      ...(shape.orderColumns.length > 0 ? shape.orderColumns : shape.rangeColumns.slice(0, 1)),
    ]),
  ];
}
