import { type Ask, numberOf, textOf } from "./rows.ts";

/** What this server has, and what this role may see of it: asked for once per connection. */
export interface Catalog {
  readonly version: string;
  /** columns by statistics view */
  readonly columns: ReadonlyMap<string, ReadonlySet<string>>;
  /** the schema of pg_stat_statements, quoted; undefined where the extension is not in this database */
  readonly statementsSchema: string | undefined;
  readonly startedUnixMs: number;
  readonly blockBytes: number;
  readonly role: Role;
  /** settings without which parts are not counted (COUNTING_SETTINGS), by name; those that this server has */
  readonly counting: ReadonlyMap<string, string>;
}

const COUNTING_SETTINGS = ["compute_query_id", "pg_stat_statements.track", "track_activities", "track_counts"] as const;

export interface Role {
  readonly isSuperuser: boolean;
  /** tables of this database that it may change */
  readonly writableTables: number;
  /** whether it sees what sessions and statements of other roles do */
  readonly seesAll: boolean;
}

/** Views whose columns differ between versions. */
const VIEWS = [
  "pg_stat_activity",
  "pg_stat_bgwriter",
  "pg_stat_checkpointer",
  "pg_stat_database",
  "pg_stat_io",
  "pg_stat_replication",
  "pg_stat_statements_info",
  "pg_stat_statements",
  "pg_stat_wal",
  "pg_locks",
];

const SERVER_SQL = `SELECT current_setting('server_version') AS version,
    extract(epoch FROM pg_postmaster_start_time()) * 1000 AS started,
    current_setting('block_size')::int AS block_bytes,
    (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) AS superuser,
    pg_has_role(current_user, 'pg_read_all_stats', 'USAGE') AS sees_all,
    (SELECT quote_ident(n.nspname) FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
      WHERE e.extname = 'pg_stat_statements') AS statements_schema,
    (SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind IN ('r', 'p') AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
        AND has_schema_privilege(n.oid, 'USAGE')
        AND has_table_privilege(c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE')) AS writable`;

const COLUMNS_SQL = `SELECT c.relname AS view, a.attname AS name
  FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
  WHERE c.relname = ANY($1) AND a.attnum > 0 AND NOT a.attisdropped
    AND (c.relnamespace = 'pg_catalog'::regnamespace
      OR c.relnamespace = (SELECT extnamespace FROM pg_extension WHERE extname = 'pg_stat_statements'))`;

const SETTINGS_SQL = `SELECT name, current_setting(name, true) AS value FROM unnest($1::text[]) AS s(name)`;

/**
 * Asks for columns, never for the version: patched servers and those of clouds differ from the version they tell, and an
 * extension keeps the columns of the version that it was made with.
 */
export async function readCatalog(ask: Ask): Promise<Catalog> {
  const server = (await ask.rows(SERVER_SQL))[0]!;
  const columns = new Map<string, Set<string>>();
  for (const row of await ask.rows(COLUMNS_SQL, [VIEWS])) {
    const view = textOf(row["view"]);
    columns.set(view, (columns.get(view) ?? new Set()).add(textOf(row["name"])));
  }
  const settings = await ask.rows(SETTINGS_SQL, [COUNTING_SETTINGS]);
  const schema = textOf(server["statements_schema"]);
  return {
    version: textOf(server["version"]),
    columns,
    statementsSchema: schema === "" ? undefined : schema,
    startedUnixMs: numberOf(server["started"]),
    blockBytes: numberOf(server["block_bytes"]),
    role: {
      isSuperuser: server["superuser"] === true,
      writableTables: numberOf(server["writable"]),
      seesAll: server["sees_all"] === true || server["superuser"] === true,
    },
    counting: new Map(
      settings.filter(({ value }) => value !== null).map((row) => [textOf(row["name"]), textOf(row["value"])] as const),
    ),
  };
}

/** The column of `view` under the first name that it has; undefined where it has none of them. */
export function columnOf({ columns }: Catalog, view: string, ...names: readonly string[]): string | undefined {
  return names.find((name) => columns.get(view)?.has(name) === true);
}
