import type { ClientBase } from "pg";
import type { Figure, ResourceFigures } from "./otlp-metrics.ts";

const SCOPE = "postgresqlreceiver";

/** What the Collector's PostgreSQL receiver reads and how it names it. Reads nothing but statistics. */
export async function postgresFigures(client: ClientBase, base: Record<string, string>): Promise<ResourceFigures[]> {
  const database = (await client.query<Row>(DATABASE_SQL)).rows[0];
  if (database === undefined) return [];
  const tables = (await client.query<Row>(TABLES_SQL)).rows;
  const startUnixMs = Number(database["started"]);
  const name = String(database["name"]);
  const resource = { ...base, "postgresql.database.name": name };
  return [
    { resource: base, scope: SCOPE, startUnixMs, figures: serverFigures(database) },
    { resource, scope: SCOPE, startUnixMs, figures: databaseFigures(database) },
    ...tables.map((table) => ({
      resource: { ...resource, "postgresql.table.name": String(table["name"]) },
      scope: SCOPE,
      startUnixMs,
      figures: tableFigures(table),
    })),
  ];
}

/** Counts come as text where they may not fit a double. */
type Row = Record<string, string | number | null>;

const DATABASE_SQL = `SELECT d.datname AS name, (extract(epoch FROM pg_postmaster_start_time()) * 1000)::bigint AS started,
    d.xact_commit AS commits, d.xact_rollback AS rollbacks, d.deadlocks, d.temp_files, d.temp_bytes,
    pg_database_size(d.datname) AS size, current_setting('max_connections')::int AS connections,
    (SELECT count(*) FROM pg_stat_activity a WHERE a.datname = d.datname) AS backends
  FROM pg_stat_database d WHERE d.datname = current_database()`;

const TABLES_SQL = `SELECT t.schemaname || '.' || t.relname AS name, t.n_live_tup AS live, t.n_dead_tup AS dead,
    t.n_tup_ins AS ins, t.n_tup_upd AS upd, t.n_tup_del AS del, t.n_tup_hot_upd AS hot_upd,
    t.seq_scan, pg_relation_size(t.relid) AS size,
    coalesce(b.heap_blks_read, 0) AS heap_read, coalesce(b.heap_blks_hit, 0) AS heap_hit,
    coalesce(b.idx_blks_read, 0) AS idx_read, coalesce(b.idx_blks_hit, 0) AS idx_hit
  FROM pg_stat_user_tables t JOIN pg_statio_user_tables b USING (relid) ORDER BY 1`;

function serverFigures(row: Row): Figure[] {
  return [figure("connection.max", "{connections}", "gauge", row["connections"])];
}

function databaseFigures(row: Row): Figure[] {
  return [
    figure("backends", "1", "amount", row["backends"]),
    figure("commits", "1", "total", row["commits"]),
    figure("rollbacks", "1", "total", row["rollbacks"]),
    figure("deadlocks", "{deadlock}", "total", row["deadlocks"]),
    figure("temp_files", "{temp_file}", "total", row["temp_files"]),
    figure("temp.io", "By", "total", row["temp_bytes"]),
    figure("db_size", "By", "amount", row["size"]),
  ];
}

function tableFigures(row: Row): Figure[] {
  const operations = ["ins", "upd", "del", "hot_upd"];
  const sources = ["heap_read", "heap_hit", "idx_read", "idx_hit"];
  return [
    figure("rows", "1", "amount", row["live"], { state: "live" }),
    figure("rows", "1", "amount", row["dead"], { state: "dead" }),
    ...operations.map((operation) => figure("operations", "1", "total", row[operation], { operation })),
    ...sources.map((source) => figure("blocks_read", "1", "total", row[source], { source })),
    figure("sequential_scans", "{sequential_scan}", "total", row["seq_scan"]),
    figure("table.size", "By", "amount", row["size"]),
  ];
}

function figure(
  name: string,
  unit: string,
  kind: Figure["kind"],
  value: string | number | null | undefined,
  attributes: Record<string, string> = {},
): Figure {
  return { name: `postgresql.${name}`, unit, kind, value: Number(value ?? 0), attributes };
}
