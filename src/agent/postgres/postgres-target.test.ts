import { expect, test } from "vitest";
import { postgresTarget } from "./postgres-target.ts";
import { holderOf } from "./read-blocking.ts";
import { unitOf } from "./read-settings.ts";
import { statementText } from "./statement-texts.ts";

test.each([
  ["postgres://reader@db.example:5433/shop", "db.example:5433/shop", "reader"],
  ["postgresql://reader:p%40ss@db/shop?sslmode=verify-full", "db:5432/shop", "reader"],
  ["postgres:///shop?host=/var/run/postgresql&user=reader", "/var/run/postgresql:5432/shop", "reader"],
  ["postgres://reader@db", "db:5432/reader", "reader"],
])("%s", (url, name, user) => {
  const target = postgresTarget(url, {}, {});
  expect([target.name, target.user]).toEqual([name, user]);
});

test("the environment fills what the URL leaves out, as for psql", () => {
  const target = postgresTarget("postgres:///", {}, { PGHOST: "h", PGPORT: "6000", PGUSER: "u", PGDATABASE: "d" });
  expect([target.name, target.user]).toEqual(["h:6000/d", "u"]);
});

test.each([
  "host=db password=hunter2",
  "mysql://u:hunter2@db/x",
  "postgres://u:hunter2@db:port/x",
  "postgres://u:hunter2%@db/x",
  "postgres://u%ff:hunter2@db/x",
  "postgres:///shop",
])("%s is refused without being repeated", (text) => {
  const parse = (): unknown => postgresTarget(text, {}, {});
  expect(parse).toThrow(/expected postgres:\/\/ROLE@HOST:PORT\/DATABASE/);
  expect(parse).not.toThrow(/hunter2/);
});

test.each([
  ["8kB", "By", 8192],
  ["MB", "By", 1048576],
  ["ms", "s", 0.001],
  ["min", "s", 60],
  ["", "1", 1],
])("a setting in %s is told in %s", (unit, told, scale) => {
  expect(unitOf(unit)).toEqual({ unit: told, scale });
});

test.each<[string, [number, number[]][], number, number]>([
  ["the holder itself", [[1, [2]]], 2, 0],
  [
    "over one that waits as well",
    [
      [1, [2]],
      [2, [3]],
    ],
    3,
    1,
  ],
  [
    "around a deadlock, which ends",
    [
      [1, [2]],
      [2, [1]],
    ],
    2,
    0,
  ],
])("what holds a lock: %s", (_, blockers, pid, between) => {
  expect(holderOf(1, new Map(blockers))).toEqual({ pid, between });
});

test("passwords in commands do not leave the host, and long texts are cut visibly", () => {
  expect(statementText("ALTER ROLE a PASSWORD 'hunter2'")).toBe("ALTER ROLE a PASSWORD ?");
  // A backslash is a letter in PostgreSQL's strings, but for those with an E.
  expect(statementText(String.raw`SELECT 'C:\', 'hunter2' || x`)).toBe("SELECT ?, ? || x");
  expect(statementText(String.raw`SELECT E'it\'s hunter2', x`)).toBe("SELECT ?, x");
  expect(statementText(`SELECT ${"a, ".repeat(2000)}b`)).toMatch(/^SELECT a.{1990,2000}…$/);
});
