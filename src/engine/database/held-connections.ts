import { statementCause } from "../explain/slow-statement.ts";
import type { Explanation } from "../hot-spot.ts";
import { percent, shorten } from "../wording.ts";
import type { DatabaseStatistics } from "./database-statistics.ts";
import { countersText, readingOf, scansTable, scansText } from "./statement-reading.ts";

/** A statement that takes this share of the database's time is what connections are held for. */
const MOST = 0.5;

/**
 * A claim that a pool is full, with the statement that its connections are held for, where one takes most of the database's
 * time: the pool is then the second thing to change. `pool`: the database that it leads to.
 */
export function withHeldFor(explanation: Explanation, pool: string, statistics: DatabaseStatistics): Explanation {
  const seconds = statistics.databases.find(({ database }) => database === pool)?.statementSeconds ?? Number.NaN;
  const worst = statistics.statements.find((one) => one.database === pool && one.seconds >= MOST * seconds);
  const reading = worst === undefined ? undefined : readingOf(worst.statement, pool, statistics);
  if (worst === undefined || reading === undefined) return explanation;
  const scans = scansText(reading);
  const isScanned = scansTable(reading) === "yes";
  const { remedy } = statementCause(worst.statement, "", pool, isScanned ? (1e9 * worst.seconds) / worst.calls : 0);
  const at = explanation.evidence.length;
  const first = `${percent(worst.seconds / seconds)} of the time of ${pool} is for ${shorten(worst.statement, 60)}`;
  return {
    ...explanation,
    chain: [...explanation.chain, { claim: first, evidence: scans === undefined ? [at] : [at, at + 1] }],
    evidence: [
      ...explanation.evidence,
      {
        kind: "statement",
        text: `${worst.statement}: ${countersText(reading)}`,
        query: `pg_stat_statements of ${pool}`,
      },
      ...(scans === undefined
        ? []
        : [{ kind: "statistic" as const, text: scans, query: `pg_stat_user_tables of ${pool}` }]),
    ],
    remedy: {
      ...explanation.remedy,
      text: `First make faster what holds the connections: ${remedy.change ?? `${shorten(worst.statement, 60)}`}. ${explanation.remedy.text}`,
    },
  };
}
