import type { Catalog } from "./catalog.ts";
import type { PostgresTarget } from "./postgres-target.ts";

/** Something that is not seen or not as it should be, and the command that mends it. */
export interface Remark {
  readonly what: string;
  readonly mend: string;
}

/** What the role may not see, and what it may do that it need not. */
export function remarksOn(catalog: Catalog, { user, database }: PostgresTarget): Remark[] {
  const { role, statementsSchema, columns } = catalog;
  const remarks: Remark[] = [];
  if (role.isSuperuser)
    remarks.push({
      what: `role ${user} is a superuser; reading statistics needs none`,
      mend: "a role of its own: docs/databases.md",
    });
  else if (role.writableTables > 0)
    remarks.push({
      what: `role ${user} may change ${role.writableTables} ${role.writableTables === 1 ? "table" : "tables"} of ${database}; reading statistics needs no such right`,
      mend: "a role of its own: docs/databases.md",
    });
  if (!role.seesAll)
    remarks.push({
      what: `role ${user} does not see the statements and sessions of other roles`,
      mend: `GRANT pg_monitor TO ${user}`,
    });
  if (statementsSchema === undefined)
    remarks.push({
      what: `${database} has no pg_stat_statements: no time, calls or blocks of statements are known`,
      mend: "shared_preload_libraries = 'pg_stat_statements' and a restart, then CREATE EXTENSION pg_stat_statements",
    });
  if (columns.get("pg_stat_activity")?.has("query_id") !== true)
    remarks.push({
      what: "sessions do not tell the id of their statement (PostgreSQL 13 and older): waits are joined by text",
      mend: "PostgreSQL 14 or newer",
    });
  remarks.push(...uncounted(catalog));
  return remarks;
}

/** What the server does not count since it is told not to. */
function uncounted({ counting, statementsSchema }: Catalog): Remark[] {
  const remark = (what: string, name: string, value: string): Remark => ({
    what: `${name} is ${counting.get(name)}: ${what}`,
    mend: `ALTER SYSTEM SET ${name} = ${value}; SELECT pg_reload_conf()`,
  });
  const remarks: Remark[] = [];
  if (counting.get("track_activities") === "off")
    remarks.push(remark("what sessions do and wait for is not told", "track_activities", "on"));
  if (counting.get("track_counts") === "off")
    remarks.push(remark("rows and scans of tables are not counted", "track_counts", "on"));
  if (statementsSchema === undefined) return remarks;
  if (counting.get("compute_query_id") === "off")
    remarks.push(remark("statements are counted only where another module gives them ids", "compute_query_id", "auto"));
  if (counting.get("pg_stat_statements.track") === "none")
    remarks.push(remark("no statement is counted", "pg_stat_statements.track", "top"));
  return remarks;
}
