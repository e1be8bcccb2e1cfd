import { SpanRole } from "../../model/span-facts.ts";
import { exampleTraces, spanRows, type Case } from "../case.ts";
import type { Claim } from "../findings.ts";
import { type HotSpot, hotSpots } from "../hot-spot.ts";
import { count, ms, percent, shorten } from "../wording.ts";
import type { DatabaseStatistics } from "./database-statistics.ts";
import { readingOf, type StatementReading, waitShares } from "./statement-reading.ts";

/** From this share of a statement's time in locks on, the lock is worth telling: the rest is its own. */
const MIN_LOCKED = 0.3;
/** Sessions that were seen to wait for less in all may have met each other by chance. */
const MIN_SECONDS = 1;

/**
 * Statements of which the database saw that their sessions wait for locks, at the endpoints that spend time in them: most
 * calls may be as fast as ever, and only those that meet the holder slow, which spans alone cannot tell from chance.
 * What the holder is like is added with the rest of the database's evidence (with-database-evidence.ts).
 */
export function lockClaims(cases: readonly Case[], statistics: DatabaseStatistics | undefined): Claim[] {
  if (statistics === undefined || statistics.lockWaits.length === 0) return [];
  return cases.flatMap((theCase) =>
    hotSpots(theCase.window, theCase.view).flatMap((spot) => {
      if (spot.role !== SpanRole.database || spot.timeKind !== "callee" || spot.statement === "") return [];
      const reading = readingOf(spot.statement, spot.callee, statistics);
      const locked = reading === undefined ? undefined : lockedShare(reading);
      return locked === undefined || locked.share < MIN_LOCKED || locked.seconds < MIN_SECONDS
        ? []
        : [claimOf(theCase, spot, reading!, locked)];
    }),
  );
}

interface Locked {
  readonly share: number;
  readonly seconds: number;
}

/** Of the time that sessions were seen at the statement; where they were seen too seldom, of what the database counts. */
function lockedShare(reading: StatementReading): Locked {
  const seconds = reading.locks.reduce((sum, lock) => sum + lock.seconds, 0);
  const sampled = waitShares(reading.told)?.get("lock");
  return { seconds, share: sampled ?? Math.min(1, seconds / Math.max(seconds, reading.told.seconds || 0)) };
}

function claimOf(theCase: Case, spot: HotSpot, { told, locks }: StatementReading, locked: Locked): Claim {
  const { window, view, ownNs } = theCase;
  const rows = spanRows(window, spot.node).filter((row) => ownNs[row]! > 0);
  const aloneNs = (1e9 * (1 - locked.share) * told.seconds) / told.calls;
  const where = locks[0]!.relation === "" ? "rows" : locks[0]!.relation;
  return {
    view,
    explanation: {
      mechanism: "lock-contention",
      kind: "latency",
      subject: {
        service: told.database,
        operation: spot.operation,
        resource: `lock:${where}`,
        statement: spot.statement,
      },
      title: `${shorten(spot.statement, 50)} of ${spot.service} waits for a lock on ${where}`,
      why: `${percent(locked.share)} of the time that PostgreSQL saw sessions at it they waited for a lock, ${ms(1e9 * locked.seconds)} in all; without that it takes ${ms(aloneNs)} of the ${ms((1e9 * told.seconds) / told.calls)} that a call takes on average.`,
      confidence: 0.9,
      harmful: true,
      nodes: [spot.node],
      undo: [
        {
          kind: "own-time",
          rows,
          // A call that takes no longer than twice its own time did not wait.
          ownNs: Float64Array.from(rows, (row) => (ownNs[row]! > 2 * aloneNs ? aloneNs : ownNs[row]!)),
        },
      ],
      chain: [
        { claim: `${view.name}: p99 ${ms(view.p99)}`, evidence: [] },
        { claim: `${spot.service} waits ${ms(spot.slowNs)} of it for ${shorten(spot.statement, 50)}`, evidence: [0] },
      ],
      evidence: [
        {
          kind: "trace",
          text: `slow requests that wait there: ${exampleTraces(theCase, [spot.node]).join(", ")}`,
          query: `spans named "${spot.operation}" of ${spot.service}, ${count(rows.length)} in all`,
        },
      ],
      counter: [],
      refutedBy: "pg_stat_activity shows its sessions at work, or waiting for something else than a lock",
      remedy: {
        text: "Shorten the transaction that holds the row: no calls inside it, and commit as soon as it has written.",
      },
    },
  };
}
