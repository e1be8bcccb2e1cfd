import type { Connection, Link } from "../connection.ts";
import { StoreError } from "../store-error.ts";
import { TABLES } from "./tables.ts";
import { VERSION_2 } from "./version-2.ts";
import { VERSION_3 } from "./version-3.ts";

/** Migrations in their order: element i leads from version i to i + 1. A statement is safe to run twice. */
const MIGRATIONS: readonly (readonly string[])[] = [TABLES, VERSION_2, VERSION_3];

export const SCHEMA_VERSION: number = MIGRATIONS.length;

/** Days that a table's rows are kept, by the column that tells their time. */
export interface Retention {
  /** spans and profiles */
  readonly spanDays: number;
  /** metrics, and rates by the hour */
  readonly metricDays: number;
}

export const DEFAULT_RETENTION: Retention = { spanDays: 7, metricDays: 30 };

/** Tables that grow with time, and their column of time; those of a size cap and of deletion by age. */
export const TIMED_TABLES: readonly {
  readonly table: string;
  readonly time: string;
  readonly days: keyof Retention;
}[] = [
  { table: "spans", time: "start", days: "spanDays" },
  { table: "entries", time: "start", days: "spanDays" },
  { table: "red_minute", time: "time", days: "spanDays" },
  { table: "red_hour", time: "time", days: "metricDays" },
  { table: "samples", time: "time", days: "metricDays" },
  { table: "distributions", time: "time", days: "metricDays" },
  { table: "exemplars", time: "time", days: "metricDays" },
  { table: "profile_samples", time: "time", days: "spanDays" },
  { table: "stacks", time: "seen", days: "spanDays" },
  { table: "series", time: "seen", days: "metricDays" },
  { table: "red_day", time: "time", days: "metricDays" },
  { table: "edges", time: "time", days: "metricDays" },
  { table: "edge_hours", time: "time", days: "metricDays" },
  { table: "edge_parts", time: "time", days: "metricDays" },
  { table: "ledger", time: "time", days: "metricDays" },
];

/**
 * Brings one node's tables to the present version. A version is noted when all its statements are done; a migration
 * that was cut off runs again. Throws StoreError "newer-schema" where a later program has been here.
 */
export async function migrate(link: Link, database: string, retention: Retention, isReplicated = false): Promise<void> {
  const db = identifier(database);
  await link.command(`CREATE DATABASE IF NOT EXISTS ${db}`);
  await link.command(
    `CREATE TABLE IF NOT EXISTS ${db}.schema_version (version UInt32, at DateTime DEFAULT now()) ENGINE = MergeTree ORDER BY version SETTINGS fsync_after_insert = 1`,
  );
  const [row] = await link.rows<{ version: number }>(`SELECT max(version) AS version FROM ${db}.schema_version`, {
    asWriter: true,
  });
  const version = row?.version ?? 0;
  if (version > SCHEMA_VERSION) {
    throw new StoreError("newer-schema", `the tables are of version ${version}, this program knows ${SCHEMA_VERSION}`);
  }
  for (let next = version; next < SCHEMA_VERSION; next++) {
    for (const statement of MIGRATIONS[next]!) {
      const text = statement
        .replaceAll("{db}", db)
        .replace(/^CREATE (TABLE|MATERIALIZED VIEW) /, "CREATE $1 IF NOT EXISTS ");
      await link.command(isReplicated ? replicated(text) : text);
    }
    await link.command(`INSERT INTO ${db}.schema_version (version) VALUES (${next + 1})`);
  }
  await keepFor(link, db, retention);
}

/**
 * A statement for a table whose copies a Keeper keeps alike: each node runs it, and the path is the server's
 * `default_replica_path`. What a copy has got of a block by its token, it does not take again.
 */
export function replicated(statement: string): string {
  return statement
    .replace(/\bENGINE = (\w*)MergeTree\b/, "ENGINE = Replicated$1MergeTree")
    .replace("non_replicated_deduplication_window", "replicated_deduplication_window");
}

/** Sets for how long rows are kept, where that is another time than before. */
async function keepFor(link: Link, db: string, retention: Retention): Promise<void> {
  for (const { table, time, days } of TIMED_TABLES) {
    const ttl = `toDateTime(${time}) + toIntervalDay(${wholeDays(retention[days])})`;
    const [row] = await link.rows<{ held: number }>(
      "SELECT position(create_table_query, {ttl:String}) > 0 AS held FROM system.tables WHERE database = {database:String} AND name = {table:String}",
      { parameters: { ttl, database: db.slice(1, -1), table }, asWriter: true },
    );
    if (row?.held === 1) continue;
    await link.command(`ALTER TABLE ${db}.${table} MODIFY TTL ${ttl}`, {
      settings: { materialize_ttl_after_modify: 0 },
    });
  }
}

/** Distributed tables over the cluster's nodes, of the same names, in a database of their own. */
export async function migrateDistributed(link: Link, connection: Connection & { cluster: string }): Promise<void> {
  const db = identifier(connection.database);
  const local = identifier(localDatabase(connection));
  await link.command(`CREATE DATABASE IF NOT EXISTS ${db}`);
  const sharded: readonly (readonly [string, string])[] = [
    ...["spans", "entries"].map((table) => [table, "cityHash64(trace_id)"] as const),
    ...["red_minute", "red_hour", "red_day"].map((table) => [table, "cityHash64(service, name)"] as const),
    ...["samples", "distributions", "exemplars"].map((table) => [table, "series"] as const),
    ["series", "id"],
    ["profile_samples", "stack"],
    ["stacks", "stack"],
    ["findings", "cityHash64(id)"],
    ["edges", "cityHash64(caller, callee)"],
    ["edge_hours", "toUInt32(time)"],
    ["edge_parts", "toUInt32(time)"],
    ["statements", "cityHash64(service, database, id)"],
    ["settings", "cityHash64(service, instance)"],
    ["events", "cityHash64(id)"],
    ["ledger", "cityHash64(signal)"],
  ];
  for (const [table, key] of sharded) {
    await link.command(
      `CREATE TABLE IF NOT EXISTS ${db}.${table} AS ${local}.${table} ENGINE = Distributed({cluster:Identifier}, ${local}, ${table}, ${key})`.replace(
        "{cluster:Identifier}",
        identifier(connection.cluster),
      ),
    );
  }
}

/** Where a node's own tables are. */
export function localDatabase({ database, cluster }: Connection): string {
  return cluster === undefined ? database : `${database}_local`;
}

/** A name in backquotes. It comes from the configuration, not from telemetry; still it is held to what needs no escapes. */
function identifier(name: string): string {
  if (!/^\w+$/.test(name))
    throw new StoreError(
      "refused",
      `${JSON.stringify(name)} is no name of a database or cluster: letters, digits and _`,
    );
  return `\`${name}\``;
}

function wholeDays(days: number): number {
  if (!Number.isInteger(days) || days < 1)
    throw new StoreError("refused", `${days} days: a whole number from 1 on is needed`);
  return days;
}
