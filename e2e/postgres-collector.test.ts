import type pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { postgresTarget } from "../src/agent/postgres/postgres-target.ts";
import { Session } from "../src/agent/postgres/session.ts";
import { postgresInstallations } from "../src/lab/system/postgres/installations.ts";
import type { SpareServer } from "../src/lab/system/postgres/spare-server.ts";
import {
  ofText,
  PATIENCE_MS,
  type Point,
  pointsOf,
  shopClient,
  shopServer,
  urlOf,
  Watched,
} from "./watched-postgres.ts";

// Views differ in names and columns: each version that is on this machine is asked.
describe.each(postgresInstallations())("PostgreSQL $version", (installation) => {
  const { major } = installation;
  let server: SpareServer;
  let watched: Watched | undefined;
  const url = (user: string, password?: string): string => urlOf(server, user, "shop", password);
  const shop = (): Promise<pg.Client> => shopClient(server);

  beforeAll(async () => {
    server = await shopServer(installation);
  }, PATIENCE_MS);
  afterAll(async () => {
    await watched?.stop();
    await server.remove();
  }, PATIENCE_MS);

  test(
    "statements are told by what they did since the report before, without literals, and the rest summed",
    async () => {
      watched = new Watched(url("longpole"), { topStatements: 1 });
      await watched.reports(1);
      const client = await shop();
      for (let i = 0; i < 7; i++) await client.query("SELECT count(*) FROM orders WHERE customer = $1", [i]);
      await client.query("SELECT 'a secret'");
      await client.query("ALTER ROLE blind PASSWORD 'secret'");
      await client.end();
      await watched.reports(3);
      await watched.stop();
      const scan = ofText("SELECT count(*) FROM orders WHERE customer = ?");
      expect([watched.sum("statement.calls", scan), watched.sum("statement.rows", scan)]).toEqual([7, 7]);
      // 50,000 rows of some 40 bytes on pages of 8 kB: 271 pages or so, each time.
      expect(watched.sum("statement.blocks_hit", scan)).toBeGreaterThan(7 * 200);
      expect(watched.sum("statement.time", scan)).toBeGreaterThan(0);
      expect(watched.sum("statement.calls", ({ attributes }) => "longpole.summed" in attributes)).toBeGreaterThan(0);
      const all = JSON.stringify(watched.bodies.flatMap(pointsOf));
      expect(all).not.toContain("secret");
      expect(all).not.toContain("pg_stat_activity");
      expect(watched.points("statement.calls")[0]!.attributes).toMatchObject({
        "db.namespace": "shop",
        "postgresql.database.name": "shop",
      });
    },
    PATIENCE_MS,
  );

  test(
    "tables, settings, connections and checkpoints come under the names that the diagnosis knows",
    async () => {
      watched = new Watched(url("longpole"));
      await watched.reports(1);
      const one = (name: string, key = "", value = ""): number | undefined =>
        watched!.points(name).find(({ attributes }) => key === "" || attributes[key] === value)?.value;
      await watched.stop();
      expect(one("rows", "state", "live")).toBe(50_000);
      expect(watched.points("rows")[0]!.attributes["postgresql.table.name"]).toBe("public.orders");
      expect([one("connection.max"), one("setting.max_connections"), one("setting.track_io_timing")]).toEqual([
        30, 30, 1,
      ]);
      // The server's default: 128 MB in pages of 8 kB.
      expect(one("setting.shared_buffers")).toBe(128 * 2 ** 20);
      expect(one("setting.deadlock_timeout")).toBe(1);
      expect(one("sequential_scans")).toBeGreaterThan(0);
      expect(one("table.size")).toBeGreaterThan(50_000 * 36);
      expect(one("db_size")).toBeGreaterThan(one("table.size")!);
      for (const type of ["scheduled", "requested"])
        expect(one("bgwriter.checkpoint.count", "type", type)).toBeGreaterThanOrEqual(0);
      expect(one("backends", "postgresql.state", "active")).toBeGreaterThanOrEqual(1);
      // At three reports a second what it takes is worth a remark.
      const told = watched.told.filter((text) => !text.includes("looking at it takes"));
      expect(told.filter((text) => !text.includes("do not tell the id of their statement"))).toEqual([]);
      expect(told).toHaveLength(major < 14 ? 1 : 0);
    },
    PATIENCE_MS,
  );

  test(
    "what a version does not count is absent, and all that it counts is told",
    async () => {
      watched = new Watched(url("longpole"));
      await watched.reports(1);
      const client = await shop();
      // Lists of constants are one statement, also where the server folds them itself (PostgreSQL 18).
      for (const list of ["1, 2", "3, 4, 5", "6, 7, 8, 9"])
        await client.query(`SELECT state FROM orders WHERE id IN (${list})`);
      await client.query("UPDATE orders SET state = 'sent' WHERE id < 500");
      const sleptFromMs = performance.now();
      await client.query("SELECT pg_sleep(1)");
      const sleptSeconds = (performance.now() - sleptFromMs) / 1000;
      await client.end();
      await watched.reports(3);
      await watched.stop();
      const lists = ofText("SELECT state FROM orders WHERE id IN (?)");
      expect([watched.sum("statement.calls", lists), watched.sum("statement.rows", lists)]).toEqual([3, 9]);
      const slept = watched.points("wait.time").filter(ofText("SELECT pg_sleep(?)"));
      expect(
        slept.map(({ attributes: a }) => [a["postgresql.wait_event_type"], a["postgresql.wait_event"]]),
      ).toContainEqual(["Timeout", "PgSleep"]);
      // Looked at each 50 ms; a look stands for at most twice that, so that a busy machine sees less and never more.
      const seconds = slept.reduce((sum, { value }) => sum + value, 0);
      expect(seconds).toBeGreaterThan(0.2);
      expect(seconds).toBeLessThan(sleptSeconds + 0.1);
      const updates = ofText("UPDATE orders SET state = ? WHERE id < ?");
      const from = (first: number, one: boolean): [boolean, boolean] => [one, major >= first];
      const has = (name: string, matches: (point: Point) => boolean = () => true): boolean =>
        watched!.points(name).some(matches);
      // The release notes of each version: what came in 13, 14 and 16, and what went in 17.
      for (const [is, should] of [
        from(12, has("statement.read_time", updates)),
        from(13, has("statement.plan_time", updates)),
        // 499 rows, each with its new version of some 36 bytes.
        from(13, watched.sum("statement.wal", updates) > 499 * 36),
        from(
          14,
          slept.every(({ attributes }) => /^-?\d+$/.test(attributes["postgresql.queryid"] ?? "")),
        ),
        from(14, has("statement.evicted")),
        from(
          14,
          has("wal.size", ({ value }) => value > 0),
        ),
        from(
          16,
          has("io.operations", ({ attributes }) => attributes["postgresql.backend_type"] === "client backend"),
        ),
        from(16, has("io.duration")),
        from(
          12,
          has("bgwriter.buffers.writes", ({ attributes }) => attributes["source"] === "checkpoints"),
        ),
        from(12, has("bgwriter.duration")),
      ])
        expect(is).toBe(should);
      expect(has("bgwriter.buffers.writes", ({ attributes }) => attributes["source"] === "backend")).toBe(major < 17);
    },
    PATIENCE_MS,
  );

  test(
    "who waits for whom is told with the holder's statement, through a chain of sessions",
    async () => {
      watched = new Watched(url("longpole"));
      await watched.reports(1);
      const sessions = [await shop(), await shop(), await shop()];
      const [holder, first, second] = sessions as [pg.Client, pg.Client, pg.Client];
      await holder.query("SET application_name = 'nightly'");
      await holder.query("BEGIN");
      await holder.query("UPDATE orders SET state = 'paid' WHERE id = 17");
      const waits = [first.query("UPDATE orders SET state = 'sent' WHERE id = 17")];
      await new Promise((resolve) => setTimeout(resolve, 100));
      waits.push(second.query("UPDATE orders SET state = 'gone' WHERE id = 17"));
      await watched.until(() => watched!.sum("lock.wait.time") > 0.5);
      await holder.query("COMMIT");
      await Promise.all(waits);
      for (const session of sessions) await session.end();
      await watched.stop();
      // When the holder is done the first holds up the second for a moment, which a look may meet.
      const told = watched
        .points("lock.wait.time")
        .map(({ attributes }) => attributes)
        .filter((attributes) => attributes["postgresql.blocking.state"] === "idle in transaction");
      expect(new Set(told.map((a) => a["postgresql.blocking.sessions_between"]))).toEqual(new Set(["0", "1"]));
      for (const attributes of told)
        expect(attributes).toMatchObject({
          "db.query.text": "UPDATE orders SET state = ? WHERE id = ?",
          "postgresql.application_name": "billing",
          "postgresql.lock.relation": "public.orders",
          "postgresql.blocking.query.text": "UPDATE orders SET state = ? WHERE id = ?",
          "postgresql.blocking.state": "idle in transaction",
          "postgresql.blocking.application_name": "nightly",
        });
      const locked = watched.sum("wait.time", ({ attributes }) => attributes["postgresql.wait_event_type"] === "Lock");
      const told2 = watched.sum("lock.wait.time");
      // Two questions a moment apart: a wait that ended between them is in the first alone.
      expect(Math.abs(locked - told2)).toBeLessThan(0.3 * told2);
    },
    PATIENCE_MS,
  );

  test(
    "plans are asked for only when wanted, and name the table that is scanned",
    async () => {
      const work = async (): Promise<void> => {
        const client = await shop();
        for (let i = 0; i < 5; i++) await client.query("SELECT state FROM orders WHERE customer = $1", [i]);
        await client.end();
      };
      watched = new Watched(url("longpole"));
      await watched.reports(1);
      await work();
      await watched.reports(2);
      await watched.stop();
      expect(watched.points("plan.sequential_scan.cost")).toEqual([]);
      // The first report asks for plans of what ran before it.
      watched = new Watched(url("longpole"), { plans: true, intervalMs: 1500 });
      await new Promise((resolve) => setTimeout(resolve, 500));
      await work();
      await watched.reports(1);
      await watched.stop();
      const [plan] = watched
        .points("plan.sequential_scan.cost")
        .filter(ofText("SELECT state FROM orders WHERE customer = ?"));
      expect(plan?.attributes["postgresql.plan.table"]).toBe("public.orders");
      expect(plan?.attributes["postgresql.plan.filter"]).toContain("customer = $1");
      // 50,000 rows at cpu_tuple_cost + cpu_operator_cost = 0.0125, and a page cost of 1 for each page.
      expect(plan?.value).toBeGreaterThan(50_000 * 0.0125);
    },
    PATIENCE_MS,
  );

  test(
    "a role that may not see others' work, and one that may do too much, are told what mends it",
    async () => {
      watched = new Watched(url("blind"));
      await watched.reports(2);
      const client = await shop();
      await client.query("SELECT count(*) FROM orders");
      await client.end();
      await watched.reports(2);
      await watched.stop();
      expect(watched.told.join("\n")).toContain("GRANT pg_monitor TO blind");
      expect(watched.told.join("\n")).toContain("hidden from role blind");
      expect(
        watched.sum("statement.calls", ({ attributes }) => attributes["longpole.hidden"] === "true"),
      ).toBeGreaterThan(0);
      expect(JSON.stringify(watched.bodies.flatMap(pointsOf))).not.toContain("<insufficient");
      watched = new Watched(url(server.address.user, server.address.password));
      await watched.reports(1);
      await watched.stop();
      expect(watched.told.join("\n")).toMatch(/role owner is a superuser/);
      expect(watched.points("collector.missing")[0]!.attributes["postgresql.collector.what"]).toContain("superuser");
    },
    PATIENCE_MS,
  );

  test(
    "it writes nothing, and cannot",
    async () => {
      const session = await Session.open(postgresTarget(url(server.address.user, server.address.password)), () => {});
      await expect(session.rows("DELETE FROM orders")).rejects.toThrow(/read-only transaction/);
      const settings = ["statement_timeout", "lock_timeout", "application_name"];
      const held = await session.rows(
        `SELECT ${settings.map((name) => `current_setting('${name}') AS ${name}`).join(", ")}`,
      );
      expect(held).toEqual([{ statement_timeout: "5s", lock_timeout: "200ms", application_name: "longpole" }]);
      await session.close();
    },
    PATIENCE_MS,
  );

  test(
    "a wrong password, a database that is not there and a server that went away are told once, and it comes back",
    async () => {
      watched = new Watched(url("longpole", "wrong"));
      await watched.until(() => watched!.told.length > 0);
      await watched.stop();
      expect(watched.told.join("\n")).toMatch(/password of role longpole is refused/);
      expect(watched.told.join("\n")).not.toContain("wrong");
      expect(watched.points("up").map(({ value }) => value)).toContain(0);
      watched = new Watched(url("longpole").replace("/shop", "/shoop"));
      await watched.until(() => watched!.told.length > 0);
      await watched.stop();
      expect(watched.told[0]).toContain("there is no database shoop");

      watched = new Watched(url("longpole"));
      await watched.reports(1);
      const before = await shop();
      for (let i = 0; i < 20; i++) await before.query("SELECT max(id) FROM orders");
      await before.end();
      await watched.reports(2);
      await server.stop(true);
      await watched.until(() => watched!.told.length > 0);
      await server.start();
      await watched.until(() => watched!.told.some((text) => text.includes("answers again")));
      const after = await shop();
      for (let i = 0; i < 3; i++) await after.query("SELECT max(id) FROM orders");
      await after.end();
      await watched.reports(2);
      await watched.stop();
      expect(watched.told.some((text) => text.includes("started anew"))).toBe(true);
      // A crash loses the counters: of 20 and 3 calls both are counted, and none twice.
      expect(watched.sum("statement.calls", ofText("SELECT max(id) FROM orders"))).toBe(23);
    },
    PATIENCE_MS,
  );

  test(
    "a database without pg_stat_statements still tells the rest",
    async () => {
      watched = new Watched(url("longpole").replace("/shop", "/postgres"));
      await watched.reports(1);
      await watched.stop();
      expect(watched.told.join("\n")).toContain("CREATE EXTENSION pg_stat_statements");
      expect(watched.points("connection.max")).not.toEqual([]);
      expect(watched.points("statement.calls")).toEqual([]);
    },
    PATIENCE_MS,
  );
});
