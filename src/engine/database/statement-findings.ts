import { statementShape } from "../../analysis/statement.ts";
import type { Finding, Severity } from "../../model/report.ts";
import { statementCause } from "../explain/slow-statement.ts";
import { findingId, type RankedDraft } from "../findings.ts";
import { count, ms, percent, shorten } from "../wording.ts";
import type { DatabaseStatistics, StatementStatistics } from "./database-statistics.ts";
import { statisticsAt } from "./database-servers.ts";
import { countersText, readingOf, readsTooMuch, scansText, waitsText } from "./statement-reading.ts";

/** Of the time of all statements: below it nothing is gained by looking at the statement. */
const MIN_SHARE = 0.1;
/** What a database that is hardly used spends its time on hurts nobody. */
const MIN_BUSY = 0.1;
/** Without traces it is not known who waits for it. */
const CONFIDENCE = 0.6;
const TOLD = 3;

/**
 * What the database's own counters say where no spans show who waits for it: the statements that take most of its time. One
 * that reads thousands of pages to return a row is a warning, if the database is busy with it; others are notes.
 * `loud`: findings above a note; their statements are told already.
 */
export function statementFindings(statistics: DatabaseStatistics | undefined, loud: readonly Finding[]): RankedDraft[] {
  if (statistics === undefined) return [];
  const told = new Set(loud.map(({ subject }) => subject.statement));
  return statistics.databases.flatMap(({ server, database, statementSeconds, seconds }) =>
    statistics.statements
      .filter(
        (one) =>
          one.server === server &&
          one.database === database &&
          one.calls > 0 &&
          one.seconds >= MIN_SHARE * statementSeconds,
      )
      .filter(({ statement }) => !told.has(statement) && statementShape(statement).table !== "")
      .slice(0, TOLD)
      .map((one) => draftOf(one, statistics, one.seconds / statementSeconds, statementSeconds / seconds)),
  );
}

/** `busy`: sessions at work at a time, on average. */
function draftOf(one: StatementStatistics, statistics: DatabaseStatistics, share: number, busy: number): RankedDraft {
  const { database, statement } = one;
  const meanNs = (1e9 * one.seconds) / one.calls;
  const shape = statementShape(statement);
  const pages = one.blocks / one.calls;
  const isTooMuch = readsTooMuch(one);
  const operation = `${shape.verb} ${shape.table}`;
  const name = database === "" ? "the database" : database;
  const cause = statementCause(statement, operation, name, isTooMuch ? meanNs : 0);
  const severity: Severity =
    cause.mechanism === "missing-index" && busy >= MIN_BUSY && !one.isSinceReset ? "warning" : "note";
  const reading = readingOf(statement, database, statisticsAt(statistics, database, one.server)!)!;
  const texts = [countersText(reading), scansText(reading), waitsText(reading)].filter((text) => text !== undefined);
  const evidence: Finding["evidence"] = texts.map((text, i) => ({
    kind: i === 0 ? "statement" : "statistic",
    text,
    query: i === 0 ? "pg_stat_statements" : "pg_stat_user_tables, pg_stat_activity",
  }));
  // With an index it reads some pages instead of thousands; what that takes is not known, a tenth is little enough.
  const predicted = cause.mechanism === "missing-index" ? 0.1 * meanNs : meanNs;
  const inMs = (ns: number): number => Math.round(ns / 1e3) / 1e3;
  return {
    severity,
    score: share * CONFIDENCE,
    finding: {
      rank: 0,
      id: findingId({ mechanism: cause.mechanism, subject: cause.subject }),
      kind: "resource",
      severity,
      confidence: CONFIDENCE,
      title: isTooMuch
        ? `${shorten(statement, 60)} reads ${count(Math.round(pages))} pages for each call: ${percent(share)} of the time of ${name}`
        : `${shorten(statement, 60)} takes ${percent(share)} of the time of ${name}, ${ms(meanNs)} a call`,
      why: `${texts[0]}.`,
      subject: cause.subject,
      mechanism: cause.mechanism,
      impact: {
        endpoint: { service: name, operation },
        metric: "mean",
        now: inMs(meanNs),
        predicted: inMs(predicted),
        low: inMs(predicted),
        high: inMs(meanNs),
        unit: "ms",
        method: "mean by the database's own counters; a tenth of it where an index saves the pages",
      },
      chain: texts.map((text, i) => ({ claim: text, evidence: [i] })),
      evidence,
      counter: [
        "no traces show who waits for it",
        ...(one.isSinceReset
          ? ["one snapshot tells totals since the counters were reset: two tell what happens now"]
          : []),
      ],
      refutedBy: "EXPLAIN (ANALYZE, BUFFERS) with usual values shows few pages read",
      remedy: cause.remedy,
    },
  };
}
