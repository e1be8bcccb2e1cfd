import { type Catalog, columnOf } from "./catalog.ts";
import { type Ask, numberOf, textOf } from "./rows.ts";
import { isHidden } from "./read-statements.ts";

/** A session that is at work or holds a transaction open. */
export interface Session {
  readonly pid: number;
  /** "active", "idle in transaction", ... */
  readonly state: string;
  /** "" while it is on the processor */
  readonly waitType: string;
  readonly waitEvent: string;
  readonly application: string;
  /** "" where the server does not tell (before 14, or compute_query_id off) */
  readonly queryId: string;
  /** what it runs or ran last, with its literals; "" where this role may not see it */
  readonly query: string;
  /** since its transaction began */
  readonly transactionSeconds: number;
  /** since its statement began */
  readonly statementSeconds: number;
}

/** Sessions that are read at once; of more the longest transactions. */
const MOST_SESSIONS = 500;
const MOST_TEXT = 4000;

export interface Activity {
  readonly sessions: readonly Session[];
  /** sessions beyond those */
  readonly leftOut: number;
}

/** Sessions of this database in a transaction or statement, but for this one's own. */
export async function readActivity(ask: Ask, catalog: Catalog): Promise<Activity> {
  const queryId = columnOf(catalog, "pg_stat_activity", "query_id");
  const rows = await ask.rows(`SELECT a.pid, a.state, a.wait_event_type AS type, a.wait_event AS event,
      a.application_name AS app, ${queryId === undefined ? "NULL" : "a.query_id::text"} AS id,
      left(a.query, ${MOST_TEXT}) AS query,
      extract(epoch FROM clock_timestamp() - a.xact_start)::float8 AS xact,
      extract(epoch FROM clock_timestamp() - a.query_start)::float8 AS statement,
      count(*) OVER ()::int AS busy
    FROM pg_stat_activity a
    WHERE a.datname = current_database() AND a.pid <> pg_backend_pid()
      AND a.state IN ('active', 'idle in transaction', 'idle in transaction (aborted)', 'fastpath function call')
    ORDER BY a.xact_start NULLS LAST LIMIT ${MOST_SESSIONS}`);
  const sessions = rows.map((row) => ({
    pid: numberOf(row["pid"]),
    state: textOf(row["state"]),
    waitType: textOf(row["type"]),
    waitEvent: textOf(row["event"]),
    application: textOf(row["app"]),
    queryId: textOf(row["id"]),
    query: isHidden(row["query"]) ? "" : textOf(row["query"]),
    transactionSeconds: numberOf(row["xact"]),
    statementSeconds: numberOf(row["statement"]),
  }));
  return { sessions, leftOut: Math.max(0, numberOf(rows[0]?.["busy"] ?? 0) - rows.length) };
}
