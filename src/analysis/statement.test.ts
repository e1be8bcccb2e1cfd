import { describe, expect, test } from "vitest";
import { normaliseStatement, statementShape } from "./statement.ts";

describe("normaliseStatement", () => {
  test.each([
    ["literals", "SELECT * FROM t WHERE id = 42 AND name = 'it''s'", "SELECT * FROM t WHERE id = ? AND name = ?"],
    ["lists of any length", "SELECT a FROM t WHERE id IN (1, 2,3)", "SELECT a FROM t WHERE id IN (?)"],
    [
      "a list that PostgreSQL 18 folded",
      "SELECT a FROM t WHERE id IN ($1 /*, ... */)",
      "SELECT a FROM t WHERE id IN (?)",
    ],
    ["rows of VALUES", "insert into a(b,c) values (1,'x'), (2,'y')", "insert into a(b,c) values (?)"],
    [
      "parameters of all drivers",
      "select 1 where a=$1 and b=:name and c=@p1 and d=%s and e=?",
      "select ? where a=? and b=? and c=? and d=? and e=?",
    ],
    ["comments and white space", "SELECT  a -- why\n FROM t /* traceparent='00-1' */ ;", "SELECT a FROM t"],
    ["dollar quotes", "SELECT $tag$ it's $1 $tag$, 1", "SELECT ?, ?"],
    ["identifiers with digits stay", 'SELECT t1.c2 FROM "t 3" AS t1', 'SELECT t1.c2 FROM "t 3" AS t1'],
    ["a cast is no parameter", "SELECT a::int FROM t", "SELECT a::int FROM t"],
    ["difference and negative literal", "SELECT a-1, -1", "SELECT a-?, ?"],
    [
      "MongoDB keeps its keys",
      '{"find": "users", "filter": {"_id": 123, "tags": [1, 2]}}',
      '{"find": ?, "filter": {"_id": ?, "tags": [?]}}',
    ],
  ])("%s", (_, text, normal) => {
    expect(normaliseStatement(text)).toBe(normal);
  });

  test("a Redis command keeps its verb only", () => {
    expect(normaliseStatement("HGET session:8123 user", "redis")).toBe("HGET ?");
    expect(normaliseStatement("PING", "redis")).toBe("PING");
  });

  test("a normal form is its own normal form", () => {
    for (const text of ["SELECT * FROM t WHERE id IN (1,2) AND x > -3.5e7", "UPDATE a SET b = 'c' WHERE d = $3"]) {
      const once = normaliseStatement(text);
      expect(normaliseStatement(once)).toBe(once);
    }
  });

  test("unterminated quotes and a megabyte of text end in time linear in the text", () => {
    expect(normaliseStatement("SELECT 'abc")).toBe("SELECT ?");
    const long = normaliseStatement(`SELECT * FROM t WHERE id IN (${"1,".repeat(500_000)}1)`);
    expect(long).toBe("SELECT * FROM t WHERE id IN (?)");
  });
});

test("statementShape reads table, compared columns and order", () => {
  const shape = statementShape(
    "SELECT o.id FROM orders o WHERE o.customer_id = ? AND o.created_at > ? ORDER BY o.created_at DESC LIMIT ?",
  );
  expect(shape).toEqual({
    verb: "SELECT",
    table: "orders",
    equalityColumns: ["customer_id"],
    rangeColumns: ["created_at"],
    orderColumns: ["created_at"],
    hasWhere: true,
    heavy: false,
  });
  expect(statementShape("SELECT count(*) FROM t").heavy).toBe(true);
  expect(statementShape("SELECT count(*) FROM t").hasWhere).toBe(false);
});
