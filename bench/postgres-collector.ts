/**
 * What looking into a PostgreSQL costs: CPU of the server's process that answers and of the collector, time that its
 * questions take, bytes sent. At the default of 10 s, with a look at the sessions each second, on a server of its own with
 * 2,000 statements, 200 tables and 70 sessions at work or idle in a transaction. Beside it the same without sampling, so that the
 * figures tell what a look costs.
 *
 *     npm run bench:postgres
 */
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { startPostgresCollector } from "../src/agent/postgres/postgres-collector.ts";
import { postgresTarget, type TargetOptions } from "../src/agent/postgres/postgres-target.ts";
import { spareServer } from "../src/lab/system/postgres/spare-server.ts";

const STATEMENTS = 2000;
const TABLES = 200;
const SESSIONS = 70;
const SECONDS = 42;
/** USER_HZ of Linux. */
const TICKS_PER_SECOND = 100;

const server = await spareServer({
  shared_preload_libraries: "pg_stat_statements",
  max_connections: "120",
  max_locks_per_transaction: "256",
});
const { address } = server;
const clients: pg.Client[] = [];
try {
  await populate();
  console.log(`${STATEMENTS} statements, ${TABLES} tables, ${SESSIONS} sessions; ${SECONDS} s each\n`);
  console.log("                         server CPU   collector CPU   questions   sent");
  await measure("10 s, a look each 1 s", {});
  await measure("10 s, no looks between", { sampleMs: 10_000 });
} finally {
  for (const client of clients) await client.end().catch(() => {});
  await server.remove();
}

async function populate(): Promise<void> {
  await server.run(
    "CREATE EXTENSION pg_stat_statements",
    "CREATE ROLE watcher LOGIN PASSWORD 'watch' IN ROLE pg_monitor",
    `DO $$ BEGIN FOR i IN 1..${TABLES} LOOP
      EXECUTE format('CREATE TABLE t%s (id serial PRIMARY KEY, a int, b text)', i);
      EXECUTE format('INSERT INTO t%s (a, b) SELECT n, n::text FROM generate_series(1, 500) n', i); END LOOP; END $$`,
  );
  // Another list of columns is another statement.
  for (let i = 0; i < STATEMENTS; i++)
    await server.run(
      `SELECT a AS "column${i}", b FROM t${1 + (i % TABLES)} WHERE id = ${i} AND a > 0 ORDER BY a LIMIT 10`,
    );
  for (let i = 0; i < SESSIONS; i++) {
    const client = new pg.Client(address);
    client.on("error", () => {});
    await client.connect();
    clients.push(client);
    await client.query("BEGIN");
    await client.query(`SELECT count(*) FROM t${1 + i}`);
    if (i % 2 === 0) client.query("SELECT pg_sleep(3600)").catch(() => {});
  }
}

async function measure(name: string, options: TargetOptions): Promise<void> {
  let sent = 0;
  let reports = 0;
  const before = process.cpuUsage();
  const startMs = performance.now();
  const url = `postgres://watcher:watch@127.0.0.1:${address.port}/${address.database}`;
  const collector = startPostgresCollector(postgresTarget(url, options), {
    send: (body) => {
      sent += body.length;
      reports++;
    },
    tell: (_, text) => console.log(`  ${text}`),
  });
  await sleep(SECONDS * 1000);
  const seconds = (performance.now() - startMs) / 1000;
  const backend = await backendSeconds();
  const own = process.cpuUsage(before);
  await collector.stop();
  const share = (used: number): string => `${((100 * used) / seconds).toFixed(2)} %`;
  console.log(
    `${name.padEnd(25)}${share(backend.cpu).padStart(9)}${share((own.user + own.system) / 1e6).padStart(16)}` +
      `${share(backend.busy).padStart(12)}${`${Math.round(sent / reports / 1024)} KiB a report`.padStart(18)}`,
  );
}

/** CPU seconds of the process that answers the collector, and the seconds that statements of its role took. */
async function backendSeconds(): Promise<{ cpu: number; busy: number }> {
  const client = new pg.Client(address);
  await client.connect();
  const pid = await client.query<{ pid: number }>(
    "SELECT pid FROM pg_stat_activity WHERE application_name = 'longpole'",
  );
  const busy = await client.query<{ ms: number }>(
    "SELECT sum(total_exec_time)::float8 AS ms FROM pg_stat_statements s JOIN pg_roles r ON r.oid = s.userid WHERE r.rolname = 'watcher'",
  );
  await client.query("SELECT pg_stat_statements_reset((SELECT oid FROM pg_roles WHERE rolname = 'watcher'), 0, 0)");
  await client.end();
  const stat = readFileSync(`/proc/${pid.rows[0]!.pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return { cpu: (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND, busy: busy.rows[0]!.ms / 1000 };
}
