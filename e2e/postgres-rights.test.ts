import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { TargetOptions } from "../src/agent/postgres/postgres-target.ts";
import { postgresInstallations } from "../src/lab/system/postgres/installations.ts";
import type { SpareServer } from "../src/lab/system/postgres/spare-server.ts";
import { ofText, PATIENCE_MS, shopClient, shopServer, urlOf, Watched } from "./watched-postgres.ts";

describe.each(postgresInstallations())("PostgreSQL $version", (installation) => {
  const { major } = installation;
  let server: SpareServer;
  let watched: Watched | undefined;

  const watch = (user: string, database: string, options: TargetOptions = {}): Watched =>
    (watched = new Watched(urlOf(server, user, database), options));
  /** As the owner, in a database of its own. */
  async function run(database: string, ...statements: readonly string[]): Promise<void> {
    const client = await shopClient(server, { database });
    for (const statement of statements) await client.query(statement);
    await client.end();
  }

  beforeAll(async () => {
    server = await shopServer(installation);
    await server.run("CREATE ROLE watcher LOGIN PASSWORD 'secret' IN ROLE pg_monitor");
  }, PATIENCE_MS);
  afterEach(() => watched?.stop());
  afterAll(() => server.remove(), PATIENCE_MS);

  test(
    "with pg_monitor alone all but plans is told, and what plans would need",
    async () => {
      watch("watcher", "shop", { plans: true });
      await watched!.reports(1);
      await run("shop", "SELECT count(*) FROM orders WHERE id = 3", "UPDATE orders SET state = 'paid' WHERE id = 3");
      await watched!.reports(3);
      await watched!.stop();
      expect(watched!.sum("statement.calls", ofText("SELECT count(*) FROM orders WHERE id = ?"))).toBe(1);
      for (const name of ["rows", "sequential_scans", "table.size", "db_size", "connection.count", "setting.work_mem"])
        expect([name, watched!.points(name).length > 0]).toEqual([name, true]);
      const told = watched!.told.join("\n");
      expect(told).toContain("plans: role watcher may not use table orders: GRANT SELECT ON orders TO watcher");
      // Nobody is told to give it a right to write, without which the plan of an UPDATE is not to be had.
      expect(told.match(/GRANT/g)).toHaveLength(1);
    },
    PATIENCE_MS,
  );

  test(
    "an extension in a schema that is closed, a view that is closed, a database that is: each is told with the grant",
    async () => {
      await server.run(
        "CREATE DATABASE closed",
        "CREATE DATABASE locked",
        "REVOKE CONNECT ON DATABASE locked FROM PUBLIC",
      );
      await run(
        "closed",
        "CREATE SCHEMA stats",
        "CREATE EXTENSION pg_stat_statements SCHEMA stats",
        "REVOKE SELECT ON pg_stat_replication FROM PUBLIC",
        "CREATE TABLE t (a int)",
      );
      watch("blind", "closed");
      await watched!.reports(2);
      await watched!.stop();
      const told = watched!.told.join("\n");
      expect(told).toContain("statements: role blind may not use schema stats: GRANT USAGE ON SCHEMA stats TO blind");
      expect(told).toContain(
        "replicas: role blind may not use view pg_stat_replication: GRANT SELECT ON pg_stat_replication TO blind",
      );
      for (const name of ["rows", "connection.count", "bgwriter.checkpoint.count", "setting.work_mem", "up"])
        expect([name, watched!.points(name).length > 0]).toEqual([name, true]);
      watch("blind", "locked");
      await watched!.until(() => watched!.told.length > 0);
      expect(watched!.told[0]).toContain(
        "role blind may not use database locked: GRANT CONNECT ON DATABASE locked TO blind",
      );
    },
    PATIENCE_MS,
  );

  test(
    "what the server is told not to count is told, with the command",
    async () => {
      await server.run("CREATE DATABASE quiet");
      await run("quiet", "CREATE EXTENSION pg_stat_statements");
      const off = {
        track_activities: "off",
        track_counts: "off",
        "pg_stat_statements.track": "none",
        ...(major < 14 ? {} : { compute_query_id: "off" }),
      };
      await server.run(...Object.entries(off).map(([name, value]) => `ALTER DATABASE quiet SET ${name} = ${value}`));
      watch("watcher", "quiet");
      await watched!.reports(1);
      for (const name of Object.keys(off)) {
        const [told] = watched!.told.filter((text) => text.includes(`ALTER SYSTEM SET ${name} = `));
        expect(told).toContain(`${name} is ${off[name as keyof typeof off]}: `);
      }
    },
    PATIENCE_MS,
  );

  test(
    "an extension older than the server, as pg_upgrade leaves it, tells what it counts",
    async () => {
      await server.run("CREATE DATABASE old");
      // The one of PostgreSQL 12.
      await run("old", "CREATE EXTENSION pg_stat_statements VERSION '1.7'", "CREATE TABLE t (a int)");
      watch("watcher", "old");
      await watched!.reports(1);
      await run("old", "INSERT INTO t SELECT n FROM generate_series(1, 1000) n", "SELECT sum(a) FROM t");
      await watched!.reports(2);
      await watched!.stop();
      const sums = ofText("SELECT sum(a) FROM t");
      expect([watched!.sum("statement.calls", sums), watched!.sum("statement.rows", sums)]).toEqual([1, 1]);
      expect(watched!.sum("statement.time", sums)).toBeGreaterThan(0);
      expect([watched!.points("statement.wal"), watched!.points("statement.plan_time")]).toEqual([[], []]);
    },
    PATIENCE_MS,
  );

  test(
    "one who reads statistics of statements of a schema of another name reads the server's",
    async () => {
      await server.run("CREATE DATABASE wrapped");
      await run(
        "wrapped",
        "CREATE EXTENSION pg_stat_statements",
        "CREATE SCHEMA monitoring",
        // As dashboards bring it: under the same name, with a column that this server does not have.
        "CREATE VIEW monitoring.pg_stat_statements AS SELECT 1 AS shared_blk_read_time, 2 AS toplevel, 3 AS stats_since",
      );
      watch("watcher", "wrapped");
      await watched!.reports(1);
      await run("wrapped", "SELECT 'a' || 'b'");
      await watched!.reports(2);
      await watched!.stop();
      expect(watched!.sum("statement.calls", ofText("SELECT ? || ?"))).toBe(1);
    },
    PATIENCE_MS,
  );
});
