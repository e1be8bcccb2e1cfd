import { type Catalog, columnOf } from "./catalog.ts";
import { type Ask, numberOf, textOf } from "./rows.ts";
import type { Session } from "./read-activity.ts";

/** A session that waits for a lock, and who holds it. */
export interface Blocking {
  readonly waiter: Session;
  /** whoever holds what all in the chain wait for; undefined where it ended meanwhile, or is of another database */
  readonly holder: Session | undefined;
  /** sessions between the two, who wait themselves */
  readonly between: number;
  readonly lockType: string;
  readonly lockMode: string;
  /** "schema.table", "" where the lock is of no table */
  readonly relation: string;
  readonly waitedSeconds: number;
}

/** pg_blocking_pids() stops the lock manager for a moment for each: with more waiting, some tell enough. */
const MOST_WAITERS = 50;

/** Who blocks whom among `sessions`; asks nothing where nobody waits for a lock. */
export async function readBlocking(ask: Ask, catalog: Catalog, sessions: readonly Session[]): Promise<Blocking[]> {
  const waiting = sessions.filter(({ waitType }) => waitType === "Lock").slice(0, MOST_WAITERS);
  if (waiting.length === 0) return [];
  const since = columnOf(catalog, "pg_locks", "waitstart");
  // Of a lock on a row the table stands at the row's lock, which the waiter holds while it waits for the transaction.
  const rows = await ask.rows(
    `SELECT w.pid, pg_blocking_pids(w.pid) AS blockers, l.locktype AS type, l.mode,
        ${since === undefined ? "NULL" : `extract(epoch FROM clock_timestamp() - l.${since})::float8`} AS waited,
        (SELECT n.nspname || '.' || c.relname FROM pg_locks t JOIN pg_class c ON c.oid = t.relation
          JOIN pg_namespace n ON n.oid = c.relnamespace
          WHERE t.pid = w.pid AND t.locktype IN ('tuple', 'relation') AND c.relkind IN ('r', 'p', 'm')
            AND n.nspname NOT LIKE 'pg\\_%' ORDER BY t.granted, t.locktype = 'tuple' DESC, t.mode = 'RowExclusiveLock' DESC
          LIMIT 1) AS relation
      FROM unnest($1::int[]) AS w(pid) LEFT JOIN pg_locks l ON l.pid = w.pid AND NOT l.granted`,
    [waiting.map(({ pid }) => pid)],
  );
  const blockers = new Map(rows.map((row) => [numberOf(row["pid"]), numbersOf(row["blockers"])]));
  const byPid = new Map(sessions.map((session) => [session.pid, session]));
  return rows.flatMap((row) => {
    const waiter = byPid.get(numberOf(row["pid"]))!;
    // It got its lock between the two questions.
    if ((blockers.get(waiter.pid) ?? []).length === 0) return [];
    const { pid, between } = holderOf(waiter.pid, blockers);
    const waited = numberOf(row["waited"]);
    return [
      {
        waiter,
        holder: byPid.get(pid),
        between,
        lockType: textOf(row["type"]),
        lockMode: textOf(row["mode"]),
        relation: textOf(row["relation"]),
        waitedSeconds: Number.isNaN(waited) ? waiter.statementSeconds : waited,
      },
    ];
  });
}

/** Arrays of numbers come as such from the driver. */
const numbersOf = (value: unknown): readonly number[] => (Array.isArray(value) ? value.map(Number) : []);

/** Follows the first blocker of each to one that does not wait itself; around a deadlock, to the last before its beginning. */
export function holderOf(
  waiter: number,
  blockers: ReadonlyMap<number, readonly number[]>,
): { readonly pid: number; readonly between: number } {
  const seen = new Set([waiter]);
  let pid = waiter;
  for (let next = blockers.get(pid)?.[0]; next !== undefined && !seen.has(next); next = blockers.get(pid)?.[0]) {
    seen.add(next);
    pid = next;
  }
  return { pid, between: Math.max(0, seen.size - 2) };
}
