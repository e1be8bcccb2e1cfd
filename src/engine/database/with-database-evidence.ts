import { statementShape } from "../../analysis/statement.ts";
import { spanDuration, spanRows } from "../case.ts";
import { indexColumns, statementCause } from "../explain/slow-statement.ts";
import type { Claim } from "../findings.ts";
import type { Explanation } from "../hot-spot.ts";
import type { Window } from "../window.ts";
import { ms, percent, shorten } from "../wording.ts";
import type { Evidence } from "../../model/report.ts";
import type { DatabaseStatistics } from "./database-statistics.ts";
import { withHeldFor } from "./held-connections.ts";
import { lockEvidence, lockRemedy, lockText, lockTitle, withLock } from "./lock-claim.ts";
import {
  countersText,
  growthText,
  readingOf,
  readsTooMuch,
  scansTable,
  scansText,
  type StatementReading,
  waitShares,
  waitsText,
} from "./statement-reading.ts";

/** From this share of a statement's time in locks on, it is not slow: it waits. */
const MOSTLY_LOCKED = 0.5;
/** Below it, locks are not what it waits for. */
const HARDLY_LOCKED = 0.1;
/** A database that takes less than this share of the time that its caller waits is not what takes the time. */
const ELSEWHERE = 0.5;

/**
 * Holds what spans suggest about statements against what the database counts of them.
 * - Its counters, scans, growth and waits stand as evidence.
 * - A table that is read whole speaks for a missing index; one that never is speaks against.
 * - A statement whose sessions wait for locks is no slow statement: the claim becomes one about the holder.
 * - A look-up that reads a large table from beginning to end is harm, also where the others are so slow that it is no outlier;
 *   not where there is a baseline: there it is what changed that counts. `isFirst`: there is none.
 * - A database that is done long before its caller has the answer is not what takes the time.
 */
export function withDatabaseEvidence(
  claims: readonly Claim[],
  window: Window,
  statistics: DatabaseStatistics | undefined,
  isFirst: boolean,
): readonly Claim[] {
  if (statistics === undefined) return claims;
  const locked = new Set(claims.filter(isLock).map(keyOf));
  const harmful = claims.filter(({ explanation }) => explanation.harmful && OF_STATEMENTS.has(explanation.mechanism));
  const claimed = new Set(harmful.map(({ explanation }) => explanation.subject.statement));
  return claims.flatMap((claim) => {
    const { statement, service, resource } = claim.explanation.subject;
    if (claim.explanation.mechanism === "pool-exhausted" && resource?.startsWith("pool:") === true)
      return [
        {
          ...claim,
          explanation: withHeldFor(claim.explanation, resource.slice("pool:".length), window, statistics, claimed),
        },
      ];
    const reading = statement === undefined ? undefined : readingOf(statement, service, statistics);
    if (reading === undefined) return [claim];
    // What says the same with the lock as the reason stands beside it (lock-claims.ts).
    if (!isLock(claim) && isMostlyLocked(claim.explanation, reading) && locked.has(keyOf(claim))) return [];
    return [{ ...claim, explanation: judged(window, claim.explanation, reading, isFirst) }];
  });
}

const isLock = ({ explanation }: Claim): boolean => explanation.mechanism === "lock-contention";
const keyOf = ({ view, explanation }: Claim): string => JSON.stringify([view.name, explanation.subject.statement]);

const isMostlyLocked = ({ mechanism }: Explanation, { told, locks }: StatementReading): boolean =>
  OF_STATEMENTS.has(mechanism) && locks.length > 0 && (waitShares(told)?.get("lock") ?? 0) >= MOSTLY_LOCKED;

function judged(window: Window, explanation: Explanation, reading: StatementReading, isFirst: boolean): Explanation {
  const told = withEvidence(explanation, reading);
  const locked = waitShares(reading.told)?.get("lock") ?? Number.NaN;
  const isLockClaim = explanation.mechanism === "lock-contention";
  if (isMostlyLocked(explanation, reading)) return withLock(told, reading);
  if (isLockClaim && reading.locks.length > 0 && !(locked < HARDLY_LOCKED)) return namedHolder(told, reading);
  if (isLockClaim && locked < HARDLY_LOCKED)
    return against(told, `sessions of the statement wait for locks in ${percent(locked)} of the time only`, 0.5);
  if (!OF_STATEMENTS.has(explanation.mechanism)) return told;
  const elsewhere = elsewhereText(window, explanation, reading);
  if (elsewhere !== undefined) return against(told, elsewhere, 0.6);
  if (isFirst && !explanation.harmful && scansTable(reading) === "yes" && readsTooMuch(reading.told))
    return raised(told, reading);
  if (explanation.mechanism !== "missing-index") return told;
  switch (scansTable(reading)) {
    case "yes":
      return withScan(told);
    case "no":
      return against(told, `${reading.table!.table} is hardly ever read from beginning to end`, 0.4);
    case "unknown":
      return told;
  }
}

/** Claims that say that the statement itself takes the time. */
const OF_STATEMENTS: ReadonlySet<Explanation["mechanism"]> = new Set<Explanation["mechanism"]>([
  "missing-index",
  "slow-query",
  "data-growth",
]);

function withEvidence(explanation: Explanation, reading: StatementReading): Explanation {
  const { told, table } = reading;
  const query = `pg_stat_statements of ${told.database}${told.queryId === "" ? "" : `, queryid ${told.queryId}`}`;
  const texts: [string | undefined, Evidence["kind"], string][] = [
    [countersText(reading), "statement", query],
    [
      scansText(reading),
      "statistic",
      `pg_stat_user_tables of ${told.database}${table === undefined ? "" : `, relname ${table.table}`}`,
    ],
    [growthText(reading), "series", "pg_table_size over time (postgresql.table.size)"],
    [waitsText(reading), "statistic", "wait events of pg_stat_activity, sampled (postgresql.wait.time)"],
  ];
  const added = texts.flatMap(([text, kind, from]) => (text === undefined ? [] : [{ kind, text, query: from }]));
  const at = explanation.evidence.length;
  return {
    ...explanation,
    chain: [...explanation.chain, { claim: added[0]!.text, evidence: added.map((_, i) => at + i) }],
    evidence: [...explanation.evidence, ...added],
    counter: explanation.counter.filter((text) => !/^no other statement on .* to compare with$/.test(text)),
  };
}

/** The database saw what traces could not. */
function withScan(explanation: Explanation): Explanation {
  return {
    ...explanation,
    title: explanation.title.replace("seems to be missing", "is missing"),
    confidence: Math.max(explanation.confidence, 0.95),
    counter: explanation.counter.filter((text) => !text.startsWith("traces show neither the plan")),
  };
}

/** A claim that was a note for want of something to compare with: that it reads all for a few rows needs no comparison. */
function raised(explanation: Explanation, { told }: StatementReading): Explanation {
  const meanNs = (1e9 * told.seconds) / told.calls;
  const { operation = "", service } = explanation.subject;
  const cause = statementCause(told.statement, operation, service, meanNs);
  if (cause.mechanism !== "missing-index") return explanation;
  const shape = statementShape(told.statement);
  return withScan({
    ...explanation,
    ...cause,
    subject: { ...explanation.subject, ...cause.subject },
    title: `looking up rows of ${shape.table} takes ${ms(meanNs)} in ${told.database}: an index on (${indexColumns(shape).join(", ")}) seems to be missing`,
    harmful: true,
    refutedBy: "EXPLAIN shows an index scan with few rows read, or the time stays with the index in place",
  });
}

function namedHolder(explanation: Explanation, reading: StatementReading): Explanation {
  const [worst] = reading.locks;
  const { relation } = worst!;
  const at = explanation.evidence.length;
  return {
    ...explanation,
    confidence: Math.max(explanation.confidence, 0.95),
    title: lockTitle(reading),
    ...(relation === "" ? {} : { subject: { ...explanation.subject, resource: `lock:${relation}` } }),
    chain: [...explanation.chain, { claim: lockText(worst!), evidence: [at] }],
    evidence: [...explanation.evidence, ...lockEvidence(reading)],
    counter: explanation.counter.filter((text) => !text.startsWith("the wait itself was not seen")),
    remedy: { ...explanation.remedy, text: lockRemedy(worst!, explanation.remedy.text) },
  };
}

function against(explanation: Explanation, text: string, factor: number): Explanation {
  return { ...explanation, confidence: explanation.confidence * factor, counter: [...explanation.counter, text] };
}

/** What the caller waits and the database takes, where they differ by so much that the time passes elsewhere. */
function elsewhereText(
  window: Window,
  { nodes, subject }: Explanation,
  { told }: StatementReading,
): string | undefined {
  if (told.isSinceReset) return undefined;
  const rows = nodes.flatMap((node) => (isCallOf(window, node, subject.statement) ? [...spanRows(window, node)] : []));
  if (rows.length === 0 || !(told.calls > 0)) return undefined;
  const waitedNs = rows.reduce((sum, row) => sum + spanDuration(window, row), 0) / rows.length;
  const takenNs = (1e9 * told.seconds) / told.calls;
  // Traces may be a sample: means are compared, never sums.
  if (!(takenNs < ELSEWHERE * waitedNs)) return undefined;
  return `${told.database} itself takes ${ms(takenNs)} of the ${ms(waitedNs)} that the caller waits for ${shorten(told.statement, 40)}: the rest passes on the way, in the driver or before the caller looks at the answer`;
}

const isCallOf = ({ paths, text }: Window, node: number, statement: string | undefined): boolean =>
  paths.statement[node]! >= 0 && text(paths.statement[node]!) === statement;
