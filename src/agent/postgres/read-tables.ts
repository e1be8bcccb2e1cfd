import type { Attributes, Figure } from "./figures.ts";
import { type Ask, figure, numberOf, type Row, textOf } from "./rows.ts";

/** Tables and indexes that are told one by one, the largest first; how many were left out is told. */
const MOST_TABLES = 200;
const MOST_INDEXES = 200;

const TABLES_SQL = `SELECT t.schemaname || '.' || t.relname AS name, t.n_live_tup AS live, t.n_dead_tup AS dead,
    t.n_tup_ins AS ins, t.n_tup_upd AS upd, t.n_tup_del AS del, t.n_tup_hot_upd AS hot_upd,
    t.seq_scan, t.seq_tup_read, t.idx_scan, t.n_mod_since_analyze AS modified, t.vacuum_count + t.autovacuum_count AS vacuums,
    extract(epoch FROM clock_timestamp() - greatest(t.last_vacuum, t.last_autovacuum))::float8 AS vacuum_age,
    extract(epoch FROM clock_timestamp() - greatest(t.last_analyze, t.last_autoanalyze))::float8 AS analyze_age,
    b.heap_blks_read AS heap_read, b.heap_blks_hit AS heap_hit, b.idx_blks_read AS idx_read, b.idx_blks_hit AS idx_hit,
    count(*) OVER () AS tables
  FROM pg_stat_user_tables t LEFT JOIN pg_statio_user_tables b USING (relid)
  ORDER BY t.n_live_tup + t.n_dead_tup DESC, 1 LIMIT ${MOST_TABLES}`;

/** What tables told last, by name: a database has hundreds to which nothing happens. */
export type KnownTables = Map<string, string>;

/** Rows, scans and blocks of each table that is not as it was; of all where `isWhole`. */
export async function readTables(ask: Ask, known: KnownTables, isWhole: boolean): Promise<Figure[]> {
  const rows = await ask.rows(TABLES_SQL);
  const changed = rows.filter((row) => {
    const { name, vacuum_age: _, analyze_age: __, ...counters } = row;
    const text = JSON.stringify(counters);
    const isSame = known.get(textOf(name)) === text;
    known.set(textOf(name), text);
    return isWhole || !isSame;
  });
  // Temporary tables come and go, each under a name of its own.
  const here = new Set(rows.map((row) => textOf(row["name"])));
  for (const name of known.keys()) if (!here.has(name)) known.delete(name);
  return [
    figure("table.count", "{table}", "amount", rows[0]?.["tables"] ?? 0),
    figure("table.left_out", "{table}", "amount", Math.max(0, numberOf(rows[0]?.["tables"] ?? 0) - rows.length)),
    ...changed.flatMap(tableFigures),
  ];
}

function tableFigures(row: Row): Figure[] {
  const resource = { "postgresql.table.name": textOf(row["name"]) };
  const own = (
    name: string,
    unit: string,
    kind: Figure["kind"],
    value: Row[string] | undefined,
    attributes: Attributes = {},
  ): Figure => figure(name, unit, kind, value, attributes, resource);
  return [
    own("rows", "1", "amount", row["live"], { state: "live" }),
    own("rows", "1", "amount", row["dead"], { state: "dead" }),
    ...["ins", "upd", "del", "hot_upd"].map((operation) =>
      own("operations", "1", "total", row[operation], { operation }),
    ),
    // A table without an index has no number of them at all.
    ...["heap_read", "heap_hit", "idx_read", "idx_hit"].map((source) =>
      own("blocks_read", "1", "total", row[source] ?? 0, { source }),
    ),
    own("sequential_scans", "{sequential_scan}", "total", row["seq_scan"]),
    own("table.sequential_rows", "{row}", "total", row["seq_tup_read"]),
    own("table.index_scans", "{scan}", "total", row["idx_scan"] ?? 0),
    own("table.modified_since_analyze", "{row}", "gauge", row["modified"]),
    own("table.vacuum.count", "{vacuum}", "total", row["vacuums"]),
    own("table.vacuum.age", "s", "gauge", row["vacuum_age"]),
    own("table.analyze.age", "s", "gauge", row["analyze_age"]),
  ];
}

/**
 * Sizes of the largest tables and indexes on the disk. Asking needs a lock on each for a moment, which a running ALTER
 * TABLE does not give: the question fails then, after the connection's lock_timeout, and is asked again another time.
 */
export async function readSizes(ask: Ask): Promise<Figure[]> {
  const tables = await ask.rows(`SELECT n.nspname || '.' || c.relname AS name, pg_table_size(c.oid)::float8 AS size
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'm') AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
    ORDER BY c.relpages DESC, 1 LIMIT ${MOST_TABLES}`);
  const indexes = await ask.rows(`SELECT i.schemaname || '.' || i.relname AS table, i.indexrelname AS name, i.idx_scan,
      pg_relation_size(i.indexrelid)::float8 AS size
    FROM pg_stat_user_indexes i JOIN pg_class c ON c.oid = i.indexrelid ORDER BY c.relpages DESC, 2 LIMIT ${MOST_INDEXES}`);
  return [
    ...tables.map((row) =>
      figure("table.size", "By", "amount", row["size"], {}, { "postgresql.table.name": textOf(row["name"]) }),
    ),
    ...indexes.flatMap((row) => {
      const resource = {
        "postgresql.table.name": textOf(row["table"]),
        "postgresql.index.name": textOf(row["name"]),
      };
      return [
        figure("index.scans", "{scans}", "total", row["idx_scan"], {}, resource),
        figure("index.size", "By", "gauge", row["size"], {}, resource),
      ];
    }),
  ];
}
