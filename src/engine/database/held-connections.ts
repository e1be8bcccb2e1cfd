import { statementShape } from "../../analysis/statement.ts";
import type { Evidence } from "../../model/report.ts";
import { indexColumns, statementCause } from "../explain/slow-statement.ts";
import type { Explanation } from "../hot-spot.ts";
import type { Window } from "../window.ts";
import { percent, shorten } from "../wording.ts";
import type { DatabaseStatistics, StatementStatistics } from "./database-statistics.ts";
import { countersText, readingOf, scansTable, scansText } from "./statement-reading.ts";

/** A statement that takes this share of the database's time is what connections are held for. */
const MOST = 0.5;

/**
 * A claim that a pool is full, with the statement that its connections are held for, where one takes most of the database's
 * time: the pool is then the second thing to change. Where that statement reads its table from beginning to end, and no claim
 * of its own says so (in an overload the waits are so long that it is a small part of any request), the claim becomes one
 * about the missing index. `pool`: the database that it leads to; `claimed`: statements of which harmful claims tell.
 */
export function withHeldFor(
  explanation: Explanation,
  pool: string,
  window: Window,
  statistics: DatabaseStatistics,
  claimed: ReadonlySet<string | undefined>,
): Explanation {
  // The statement with the most time comes first, whichever server runs it.
  const worst = statistics.statements.find((one) => one.database === pool);
  const there = statistics.databases.find((one) => one.database === pool && one.server === worst?.server);
  const seconds = there?.statementSeconds ?? Number.NaN;
  if (!(worst !== undefined && worst.seconds >= MOST * seconds)) return explanation;
  const reading = readingOf(worst.statement, pool, statistics);
  if (reading === undefined) return explanation;
  const scans = scansText(reading);
  const typicalNs = scansTable(reading) === "yes" ? (1e9 * worst.seconds) / worst.calls : 0;
  const cause = statementCause(worst.statement, operationOf(window, worst), pool, typicalNs);
  const at = explanation.evidence.length;
  const first = `${percent(worst.seconds / seconds)} of the time of ${pool} is for ${shorten(worst.statement, 60)}`;
  const counters = `${worst.statement}: ${countersText(reading)}`;
  const evidence: Evidence[] = [
    { kind: "statement", text: counters, query: `pg_stat_statements of ${pool}` },
    ...(scans === undefined
      ? []
      : [{ kind: "statistic" as const, text: scans, query: `pg_stat_user_tables of ${pool}` }]),
  ];
  const told = {
    ...explanation,
    chain: [...explanation.chain, { claim: first, evidence: evidence.map((_, i) => at + i) }],
    evidence: [...explanation.evidence, ...evidence],
  };
  if (explanation.harmful && cause.mechanism === "missing-index" && !claimed.has(worst.statement))
    return { ...told, ...cause, ...aboutIndex(told, worst.statement) };
  const better = cause.remedy.change ?? shorten(worst.statement, 60);
  const text = `First make faster what holds the connections: ${better}. ${explanation.remedy.text}`;
  return { ...told, remedy: { ...explanation.remedy, text } };
}

function aboutIndex(
  { why, subject }: Explanation,
  statement: string,
): Pick<Explanation, "title" | "why" | "refutedBy" | "confidence"> {
  const shape = statementShape(statement);
  return {
    title: `looking up rows of ${shape.table} reads all of it each time and holds the connections of ${subject.service}: an index on (${indexColumns(shape).join(", ")}) is missing`,
    why: `Requests of ${subject.service} wait for a connection. ${why}`,
    refutedBy: "with the index in place requests still wait for connections at the same load",
    confidence: 0.9,
  };
}

/** As the spans name the statement, so that its claims are about the same; "" where they do not show it. */
function operationOf({ paths, text }: Window, { statement, database }: StatementStatistics): string {
  for (let node = 0; node < paths.nodeCount; node++)
    if (paths.statement[node]! >= 0 && text(paths.statement[node]!) === statement)
      if (paths.callee[node]! >= 0 && text(paths.callee[node]!) === database) return text(paths.operation[node]!);
  return "";
}
