import { expect, test } from "vitest";
import { postgresTarget } from "./postgres-target.ts";
import { isRefusal, troubleOf } from "./trouble.ts";

const TARGET = postgresTarget("postgres://watcher:hunter2@db/shop");
const denied = (message: string): string => troubleOf(Object.assign(new Error(message), { code: "42501" }), TARGET);

test.each([
  ["schema stats", "GRANT USAGE ON SCHEMA stats TO watcher"],
  ["view pg_stat_statements", "GRANT SELECT ON pg_stat_statements TO watcher"],
  ["table orders", "GRANT SELECT ON orders TO watcher"],
  ["function pg_stat_statements", "GRANT EXECUTE ON FUNCTION pg_stat_statements TO watcher"],
  ['database "shop"', "GRANT CONNECT ON DATABASE shop TO watcher"],
])("the right that is missing at %s is named", (what, grant) => {
  expect(denied(`permission denied for ${what}`)).toBe(
    `role watcher may not use ${what.replaceAll('"', "")}: ${grant}`,
  );
});

test("what cannot be read of a denial stands in the server's words", () => {
  expect(denied("keine Berechtigung für Schema stats")).toBe(
    "role watcher lacks a right: keine Berechtigung für Schema stats (GRANT pg_monitor TO watcher)",
  );
});

test("a denied or cancelled question leaves the connection; a server that stops does not", () => {
  const of = (code: string): boolean => isRefusal({ code });
  // insufficient_privilege, query_canceled, lock_not_available; admin_shutdown, connection_failure, no SQLSTATE.
  expect(["42501", "57014", "55P03"].map(of)).toEqual([true, true, true]);
  expect(["57P01", "08006", "ECONNRESET"].map(of)).toEqual([false, false, false]);
});
