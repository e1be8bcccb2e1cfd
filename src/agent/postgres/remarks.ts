import type { Catalog } from "./catalog.ts";
import type { PostgresTarget } from "./postgres-target.ts";

/** Something that is not seen or not as it should be, and the command that mends it. */
export interface Remark {
  readonly what: string;
  readonly mend: string;
}

/** What the role may not see, and what it may do that it need not. */
export function remarksOn({ role, statementsSchema, columns }: Catalog, { user, database }: PostgresTarget): Remark[] {
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
  return remarks;
}
