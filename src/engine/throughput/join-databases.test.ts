import { expect, test } from "vitest";
import type { MeasuredProcess } from "../../model/resource-samples.ts";
import { joinDatabases, type CalledDatabase } from "./join-databases.ts";

const database = (name: string, more: Partial<CalledDatabase> = {}): CalledDatabase => ({
  name,
  system: "postgresql",
  addresses: ["127.0.0.1:5432"],
  callerHosts: ["box"],
  ...more,
});
const process = (service: string, host = "box", programs: string[] = [], ports: number[] = []): MeasuredProcess => ({
  service,
  hosts: host === "" ? [] : [host],
  programs,
  ports,
});
const NO_SERVICES: ReadonlySet<string> = new Set(["web"]);

test.each<[string, CalledDatabase[], MeasuredProcess[], [string, string][]]>([
  ["by the kind of database", [database("orders")], [process("postgresql")], [["postgresql", "orders"]]],
  ["by its program", [database("orders")], [process("pg-main", "box", ["postgres"])], [["pg-main", "orders"]]],
  [
    "by the address, whatever the kind",
    [database("orders", { system: "", addresses: ["ledger:5432"] })],
    [process("ledger")],
    [["ledger", "orders"]],
  ],
  [
    "the one on the machine that is called, of two",
    [database("orders", { addresses: ["db-1.example.org:5432"] })],
    [process("pg-a", "db-1", ["postgres"]), process("pg-b", "db-2", ["postgres"])],
    [["pg-a", "orders"]],
  ],
  [
    "one database of each kind",
    [database("orders"), database("cache", { system: "redis", addresses: ["127.0.0.1:6379"] })],
    [process("redis"), process("postgres")],
    [
      ["postgres", "orders"],
      ["redis", "cache"],
    ],
  ],
  [
    "by the port, of two on one machine",
    [database("orders"), database("users", { addresses: ["box.example.org:5433"] })],
    [process("pg-a", "box", ["postgres"], [5432]), process("pg-b", "box", ["postgres"], [5433, 9187])],
    [
      ["pg-a", "orders"],
      ["pg-b", "users"],
    ],
  ],
  [
    "by the port, whatever the program and the kind",
    [database("orders", { system: "", addresses: ["localhost:7000"] })],
    [process("ledger", "box", ["ledgerd"], [7000])],
    [["ledger", "orders"]],
  ],
  [
    "not by the port of another machine",
    [database("orders", { system: "", addresses: ["10.0.0.9:7000"] })],
    [process("ledger", "box", ["ledgerd"], [7000])],
    [],
  ],
  [
    "not what forwards a port: the database behind it, by its kind",
    [database("orders", { addresses: ["localhost:15432"] })],
    [process("docker-proxy", "box", ["docker-proxy"], [15432]), process("postgres", "box", ["postgres"], [5432])],
    [["postgres", "orders"]],
  ],
  [
    "not a pool of connections, whatever else is there",
    [database("orders", { addresses: ["localhost:6432"] })],
    [process("pgbouncer", "box", ["pgbouncer"], [6432])],
    [],
  ],
  [
    "by the port, of a kind that no table names",
    [database("orders", { system: "couchdb", addresses: ["localhost:5984"] })],
    [process("couchdb", "box", [], [5984])],
    [["couchdb", "orders"]],
  ],
  [
    "by the port, where the client is of the kind it speaks",
    [database("orders", { system: "mysql", addresses: ["localhost:3306"] })],
    [process("store", "box", ["mariadbd"], [3306])],
    [["store", "orders"]],
  ],
  ["not of another kind", [database("orders")], [process("redis")], []],
  ["not what spans know as a service", [database("orders")], [process("web", "box", ["postgres"])], []],
  ["nothing to join where the names agree", [database("orders")], [process("orders"), process("postgres")], []],
])("%s", (_, databases, processes, expected) => {
  const { joined, ambiguous } = joinDatabases(databases, processes, NO_SERVICES);
  expect(joined.map((one) => [one.process, one.database])).toEqual(expected);
  for (const { how } of joined) expect(how).not.toBe("");
  expect([...ambiguous]).toEqual([]);
});

test.each<[string, CalledDatabase[], MeasuredProcess[], RegExp]>([
  [
    "two processes of the kind on one machine",
    [database("orders")],
    [process("pg-a", "box", ["postgres"]), process("pg-b", "box", ["postgres"])],
    /pg-a, pg-b are all postgresql/,
  ],
  [
    "two databases that may run in the one process",
    [database("orders"), database("users")],
    [process("postgres")],
    /orders, users are all postgresql, and may all run in postgres/,
  ],
  [
    "two databases on the port of one process",
    [database("orders"), database("users")],
    [process("postgres", "box", [], [5432])],
    /orders, users are all postgresql, and may all run in postgres/,
  ],
  [
    "two databases, and two clusters under one name",
    [database("orders"), database("users", { addresses: ["127.0.0.1:5433"] })],
    [process("postgres", "box", [], [5432, 5433])],
    /orders, users are all postgresql, and may all run in postgres/,
  ],
  [
    "a process on two machines, neither of which is called",
    [database("orders", { addresses: ["10.0.0.9:5432"] })],
    [{ service: "postgres", hosts: ["a", "b"], programs: [], ports: [] }],
    /runs on 2 machines/,
  ],
])("refused: %s", (_, databases, processes, reason) => {
  const { joined, ambiguous } = joinDatabases(databases, processes, NO_SERVICES);
  expect(joined).toEqual([]);
  for (const { name } of databases) expect(ambiguous.get(name)).toMatch(reason);
});
