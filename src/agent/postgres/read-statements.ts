import { type Catalog, columnOf } from "./catalog.ts";
import { type Ask, numberOf, type Row, textOf } from "./rows.ts";

/** Counters of pg_stat_statements that are told, with the metric that each becomes. */
export const STATEMENT_COUNTERS: readonly StatementCounter[] = [
  { metric: "calls", unit: "{call}", columns: ["calls"], scale: 1 },
  { metric: "time", unit: "s", columns: ["total_exec_time", "total_time"], scale: 1e-3 },
  { metric: "plan_time", unit: "s", columns: ["total_plan_time"], scale: 1e-3 },
  { metric: "rows", unit: "{row}", columns: ["rows"], scale: 1 },
  { metric: "blocks_hit", unit: "{block}", columns: ["shared_blks_hit"], scale: 1 },
  { metric: "blocks_read", unit: "{block}", columns: ["shared_blks_read"], scale: 1 },
  { metric: "blocks_dirtied", unit: "{block}", columns: ["shared_blks_dirtied"], scale: 1 },
  { metric: "read_time", unit: "s", columns: ["shared_blk_read_time", "blk_read_time"], scale: 1e-3 },
  { metric: "temp_blocks_read", unit: "{block}", columns: ["temp_blks_read"], scale: 1 },
  { metric: "temp_blocks_written", unit: "{block}", columns: ["temp_blks_written"], scale: 1 },
  { metric: "wal", unit: "By", columns: ["wal_bytes"], scale: 1 },
];

interface StatementCounter {
  /** behind "postgresql.statement." */
  readonly metric: string;
  readonly unit: string;
  /** names old and new of the column, the newest first */
  readonly columns: readonly string[];
  /** from the column's unit to the metric's */
  readonly scale: number;
}

/** What the server counts apart: a statement, of one role and at one level. */
export interface StatementRow {
  /** "" for those whose text and identity this role may not see, which are one row */
  readonly queryId: string;
  /** tells rows of one statement apart: the role, and whether it ran within another statement */
  readonly entry: string;
  /** from when on the server counts it (PostgreSQL 17); "" where it does not say */
  readonly since: string;
  /** in the order of STATEMENT_COUNTERS, NaN where this server has no such column */
  readonly counters: Float64Array;
}

/**
 * Counters of the statements of this database, without their texts: those lie in a file that the server would read
 * whole each time. Statements of this collector's own role are left out. What the server counts apart stays apart: it
 * forgets rows one by one, and a sum of several that fell would not tell what was added.
 */
export async function readStatements(ask: Ask, catalog: Catalog): Promise<StatementRow[]> {
  const sums = STATEMENT_COUNTERS.map(({ columns }, i) => {
    const column = columnOf(catalog, "pg_stat_statements", ...columns);
    return column === undefined ? `NULL AS c${i}` : `sum(s.${column})::float8 AS c${i}`;
  });
  const level = columnOf(catalog, "pg_stat_statements", "toplevel");
  const since = columnOf(catalog, "pg_stat_statements", "stats_since");
  const entry = level === undefined ? "s.userid::text" : `s.userid || CASE WHEN s.${level} THEN '' ELSE ' within' END`;
  const rows = await ask.rows(`SELECT s.queryid::text AS id,
      CASE WHEN s.queryid IS NULL THEN '' ELSE ${entry} END AS entry,
      ${since === undefined ? "''" : `CASE WHEN s.queryid IS NULL THEN '' ELSE extract(epoch FROM s.${since})::text END`} AS since,
      ${sums.join(", ")}
    FROM ${catalog.statementsSchema}.pg_stat_statements(false) s
    WHERE s.dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND s.userid <> (SELECT oid FROM pg_roles WHERE rolname = current_user)
    GROUP BY 1, 2, 3`);
  return rows.map((row) => ({
    queryId: textOf(row["id"]),
    entry: textOf(row["entry"]),
    since: textOf(row["since"]),
    counters: Float64Array.from(STATEMENT_COUNTERS, ({ scale }, i) => scale * numberOf(row[`c${i}`])),
  }));
}

/** Characters of a statement that are read; ORMs write thousands, and their ends seldom tell more. */
const MOST_TEXT = 4000;

/** Texts by query id; what this role may not see comes as "<insufficient privilege>" and is left out. */
export async function readStatementTexts(
  ask: Ask,
  { statementsSchema }: Catalog,
  queryIds: readonly string[],
): Promise<Map<string, string>> {
  if (queryIds.length === 0) return new Map();
  const rows = await ask.rows(
    `SELECT DISTINCT ON (queryid) queryid::text AS id, left(query, ${MOST_TEXT}) AS query
      FROM ${statementsSchema}.pg_stat_statements WHERE queryid = ANY($1::bigint[])
        AND dbid = (SELECT oid FROM pg_database WHERE datname = current_database())`,
    [queryIds],
  );
  return new Map(
    rows.filter(({ query }) => !isHidden(query)).map((row) => [textOf(row["id"]), textOf(row["query"])] as const),
  );
}

export const isHidden = (query: Row[string] | undefined): boolean => textOf(query).startsWith("<insufficient");

/** Statements that the server forgot since it has room for no more (pg_stat_statements.max); NaN where it does not count them. */
export async function readEvictions(ask: Ask, catalog: Catalog): Promise<number> {
  if (columnOf(catalog, "pg_stat_statements_info", "dealloc") === undefined) return Number.NaN;
  const [row] = await ask.rows(`SELECT dealloc FROM ${catalog.statementsSchema}.pg_stat_statements_info`);
  return numberOf(row?.["dealloc"]);
}
