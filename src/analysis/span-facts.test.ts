import { describe, expect, test } from "vitest";
import { SpanRole } from "../model/span-facts.ts";
import { traceFromText } from "../testing/trace-from-text.ts";
import { describeSpans, isPoolAcquisition } from "./span-facts.ts";

const roleName = (role: number): string => Object.entries(SpanRole).find(([, value]) => value === role)![0];

function described(picture: string): Record<string, unknown>[] {
  const table = traceFromText(picture);
  const facts = describeSpans(table);
  const text = (id: number): string => (id < 0 ? "" : table.strings.get(id));
  return Array.from({ length: table.rowCount }, (_, row) => ({
    service: text(facts.service[row]!),
    operation: text(facts.operation[row]!),
    role: roleName(facts.role[row]!),
    callee: text(facts.callee[row]!),
    statement: text(facts.statement[row]!),
    error: facts.error[row] === 1,
  }));
}

describe("old and new semantic conventions mean the same", () => {
  const old = described(`
    shop GET      |-----|  server http.method=GET http.route=/orders/:id http.status_code=200
      shop query   |---|   client db.system=postgresql db.name=shop db.statement="SELECT * FROM o WHERE id = 7"
      shop HTTP     |-|    client http.method=GET net.peer.name=pay.example net.peer.port=443 http.status_code=503
  `);
  const recent = described(`
    shop GET      |-----|  server http.request.method=GET http.route=/orders/:id http.response.status_code=200
      shop query   |---|   client db.system.name=postgresql db.namespace=shop db.query.text="SELECT * FROM o WHERE id = 7"
      shop HTTP     |-|    client http.request.method=GET server.address=pay.example server.port=443 http.response.status_code=503
  `);

  test("roles, callees, statements, errors and routed names", () => {
    expect(recent).toEqual([
      { service: "shop", operation: "GET /orders/:id", role: "server", callee: "", statement: "", error: false },
      {
        service: "shop",
        operation: "query",
        role: "database",
        callee: "shop",
        statement: "SELECT * FROM o WHERE id = ?",
        error: false,
      },
      { service: "shop", operation: "HTTP", role: "client", callee: "pay.example", statement: "", error: true },
    ]);
    expect(old).toEqual(recent);
  });
});

test("the newer of two conventions on one span wins, whatever the order", () => {
  expect(
    described(`
    a x  |-|  client db.system=other db.system.name=postgresql db.namespace=new db.name=old
    a y  |-|  client db.name=old db.namespace=new db.system.name=postgresql db.system=other
  `).map((span) => span["callee"]),
  ).toEqual(["new", "new"]);
});

test("a 4xx is an error for the caller, not for the server", () => {
  expect(
    described(`
    a GET /x  |---|  server http.response.status_code=404
      a GET    |-|   client http.response.status_code=404 server.address=b
  `).map((span) => span["error"]),
  ).toEqual([false, true]);
});

test("local addresses are told apart by port, index numbers of Redis name nobody", () => {
  expect(
    described(`
    a GET   |-|  client server.address=127.0.0.1 server.port=8081
    a GET   |-|  client server.address=127.0.0.1 server.port=8082
    a SET   |-|  client db.system.name=redis db.namespace=0 server.address=cache
  `).map((span) => span["callee"]),
  ).toEqual(["127.0.0.1:8081", "127.0.0.1:8082", "cache"]);
});

test.each([
  ["pg-pool.connect", true],
  ["HikariDataSource.getConnection", true],
  ["pool.acquire", true],
  ["db pool checkout", true],
  ["acquire connection", true],
  ["pg.connect", false],
  ["tcp.connect", false],
  ["poolside GET", false],
  ["GET /pools/connected", false],
])("pool acquisition: %s", (name, expected) => {
  expect(isPoolAcquisition(name)).toBe(expected);
});
