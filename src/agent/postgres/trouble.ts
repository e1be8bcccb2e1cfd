import type { PostgresTarget } from "./postgres-target.ts";

/** What a failed connection or question means, in a sentence that says what to do. Never holds the password. */
export function troubleOf(error: unknown, { user, database, host, port }: PostgresTarget): string {
  const { code, message } = error as { code?: string; message: string };
  switch (code) {
    case "28P01":
      return `the password of role ${user} is refused: set PGPASSWORD or its line in PGPASSFILE`;
    case "28000":
      return `role ${user} is not let in: ${message}`;
    case "3D000":
      return `there is no database ${database}`;
    case "42501":
      return denialOf(message, user);
    case "53300":
      return "it has no connection left (max_connections), also for this collector";
    case "57P03":
      return "it is starting or stopping";
    case "57P01":
    case "57P02":
      return "it closed the connection, as it does when it stops";
    case "ECONNREFUSED":
      return `nothing listens at ${host}:${port}`;
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return `the name ${host} is not known`;
    default:
      if (/client password must be/.test(message))
        return `it asks for a password of role ${user}, and there is none: set PGPASSWORD or its line in PGPASSFILE`;
      return message.replace(/\s+/g, " ");
  }
}

/** What is denied, and the least that allows it. Views of statistics are open to all, but where an owner closed them. */
function denialOf(message: string, user: string): string {
  const [, kind, name] = /^permission denied for (\w+) "?([^"]+)"?$/.exec(message) ?? [];
  const grants: Readonly<Record<string, string>> = {
    database: `GRANT CONNECT ON DATABASE ${name} TO ${user}`,
    schema: `GRANT USAGE ON SCHEMA ${name} TO ${user}`,
    table: `GRANT SELECT ON ${name} TO ${user}`,
    view: `GRANT SELECT ON ${name} TO ${user}`,
    function: `GRANT EXECUTE ON FUNCTION ${name} TO ${user}`,
  };
  const grant = grants[kind ?? ""];
  // Servers tell it in their own language.
  if (grant === undefined) return `role ${user} lacks a right: ${message} (GRANT pg_monitor TO ${user})`;
  return `role ${user} may not use ${kind} ${name}: ${grant}`;
}

/** Whether the server itself refused one question and the connection is as good as before. */
export function isRefusal(error: unknown): boolean {
  const { code } = error as { code?: unknown };
  // Classes of SQLSTATE in which the server gives up the connection: 08 connection, 57P0x shutdown.
  return typeof code === "string" && /^[0-9A-Z]{5}$/.test(code) && !/^(08|57P|E)/.test(code);
}
