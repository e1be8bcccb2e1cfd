import type { DatabaseStatistics } from "./database-statistics.ts";

/**
 * What one server tells, of those that have a database of this name: a primary and its replica, or two clusters. All of it
 * where only one tells of the database, by whatever name it was called.
 */
export function statisticsAt(
  statistics: DatabaseStatistics | undefined,
  database: string,
  server: string,
): DatabaseStatistics | undefined {
  return statistics === undefined || serversOf(statistics, database).size <= 1
    ? statistics
    : ofServer(statistics, server);
}

/** Servers that tell of a database of this name. */
export function serversOf({ databases, tables }: DatabaseStatistics, database: string): ReadonlySet<string> {
  return new Set([...databases, ...tables].filter((one) => one.database === database).map(({ server }) => server));
}

function ofServer(statistics: DatabaseStatistics, server: string): DatabaseStatistics {
  const isOwn = (one: { readonly server: string }): boolean => one.server === server;
  return {
    ...statistics,
    statements: statistics.statements.filter(isOwn),
    lockWaits: statistics.lockWaits.filter(isOwn),
    tables: statistics.tables.filter(isOwn),
    databases: statistics.databases.filter(isOwn),
  };
}

/** "db1:5432" of "db1:5432/shop", which PostgreSQL's collector calls it. */
export function serverName(server: string, database: string): string {
  if (server === "") return "a server without a name";
  return server.endsWith(`/${database}`) ? server.slice(0, -database.length - 1) : server;
}
