import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { postgresInstallations } from "../src/lab/system/postgres/installations.ts";
import { spareServer, type SpareServer } from "../src/lab/system/postgres/spare-server.ts";
import type { Finding, Report } from "../src/model/report.ts";
import { longpole } from "./longpole.ts";
import { START_TIMEOUT_MS, startUp, type RunningUp } from "./running-up.ts";

const LOOK_UP = "SELECT id, content FROM records WHERE name = $1";
const BOOK = "UPDATE stock SET n = n - 1 WHERE id = $1";
const HOLD = "UPDATE stock SET checked = true WHERE id = 1";
const SECONDS = 24;

let folder: string;
let server: SpareServer;
let up: RunningUp;
let report: Report;

const fill = (from: number, rows: number): string =>
  `INSERT INTO records (name, content) SELECT 'name-' || n, repeat('x', 60) FROM generate_series(${from + 1}, ${from + rows}) n`;

async function serve(pool: pg.Pool): Promise<void> {
  const open: Promise<void>[] = [];
  let spans: object[] = [];
  const send = async (): Promise<void> => {
    const body = {
      resourceSpans: [
        {
          resource: { attributes: texts({ "service.name": "orders" }) },
          scopeSpans: [{ scope: { name: "t" }, spans }],
        },
      ],
    };
    spans = [];
    const post = { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
    expect((await fetch(`${up.otlpUrl}/v1/traces`, post)).status).toBe(200);
  };
  const request = async (name: string, operation: string, sql: string, value: unknown): Promise<void> => {
    const startMs = performance.timeOrigin + performance.now();
    await pool.query(sql, [value]);
    const endMs = performance.timeOrigin + performance.now();
    const traceId = randomBytes(16).toString("hex");
    const [root, call] = [randomBytes(8).toString("hex"), randomBytes(8).toString("hex")];
    spans.push(
      span(traceId, root, "", 2, name, startMs - 0.5, endMs + 0.5, {}),
      span(traceId, call, root, 3, operation, startMs, endMs, {
        "db.system.name": "postgresql",
        "db.namespace": "shop",
        "db.query.text": sql,
      }),
    );
  };
  const holder = new pg.Client({ ...server.address, database: "shop", application_name: "nightly-check" });
  await holder.connect();
  for (let tick = 0; tick < SECONDS * 20; tick++) {
    // Each row is looked up some time; the row that is held is every fifth that is booked.
    open.push(request("GET /records/:name", "SELECT shop", LOOK_UP, `name-${1 + ((tick * 7919) % 100_000)}`));
    if (tick % 2 === 0) open.push(request("POST /orders", "UPDATE shop", BOOK, tick % 10 === 0 ? 1 : 2 + (tick % 40)));
    if (tick % 20 === 10) open.push(pool.query(fill(100_000 + tick * 1000, 8000)).then(() => {}));
    if (tick % 60 === 20) await holder.query("BEGIN").then(() => holder.query(HOLD));
    if (tick % 60 === 50) await holder.query("COMMIT");
    await new Promise((resolve) => setTimeout(resolve, 50));
    if (tick % 40 === 39) await send();
  }
  await holder.query("ROLLBACK");
  await holder.end();
  await Promise.all(open);
  await send();
  // The last report of the collector.
  await new Promise((resolve) => setTimeout(resolve, 3000));
}

function span(
  traceId: string,
  spanId: string,
  parentSpanId: string,
  kind: number,
  name: string,
  startMs: number,
  endMs: number,
  attributes: Record<string, string>,
): object {
  const ns = (ms: number): string => String(BigInt(Math.round(ms * 1000)) * 1000n);
  return {
    traceId,
    spanId,
    parentSpanId,
    kind,
    name,
    startTimeUnixNano: ns(startMs),
    endTimeUnixNano: ns(endMs),
    attributes: texts(attributes),
  };
}

const texts = (attributes: Record<string, string>): object[] =>
  Object.entries(attributes).map(([key, stringValue]) => ({ key, value: { stringValue } }));

const about = (statement: RegExp): Finding =>
  report.findings.find(({ subject, severity }) => severity !== "note" && statement.test(subject.statement ?? ""))!;

// Each takes a minute: by default the newest on this machine alone.
const isAll = process.env["LONGPOLE_POSTGRES_BINARIES"] !== undefined;

describe.each(postgresInstallations().slice(0, isAll ? undefined : 1))("PostgreSQL $version", (installation) => {
  /** A service on a real database for some seconds: its requests, measured, are sent as spans. */
  beforeAll(
    async () => {
      folder = mkdtempSync(join(tmpdir(), "longpole-database-"));
      server = await spareServer({ shared_preload_libraries: "pg_stat_statements" }, installation.binaries);
      await server.run("CREATE DATABASE shop", "CREATE ROLE watcher LOGIN PASSWORD 'hunter2' IN ROLE pg_monitor");
      const pool = new pg.Pool({ ...server.address, database: "shop", max: 12, application_name: "orders" });
      await pool.query("CREATE EXTENSION pg_stat_statements");
      await pool.query("CREATE TABLE records (id serial PRIMARY KEY, name text, content text)");
      await pool.query("CREATE TABLE stock (id int PRIMARY KEY, n int, checked bool)");
      await pool.query("INSERT INTO stock SELECT n, 1000, false FROM generate_series(1, 50) n");
      await pool.query("GRANT SELECT ON records, stock TO watcher");
      await pool.query(fill(0, 100_000));
      await pool.query("ANALYZE");
      const config = join(folder, "longpole.yaml");
      const url = `postgres://watcher:hunter2@127.0.0.1:${server.address.port}/shop`;
      writeFileSync(config, `postgres:\n  - url: ${url}\n    every: 2s\n    plans: true\n`, { mode: 0o600 });
      up = await startUp(join(folder, "data"), ["--config", config]);
      await serve(pool);
      await pool.end();
      report = JSON.parse(longpole(["diagnose", "--url", up.apiUrl, "--last", "5m", "--json", "-q"]).stdout) as Report;
    },
    START_TIMEOUT_MS + 2 * SECONDS * 1000,
  );
  afterAll(async () => {
    up.kill("SIGKILL");
    await up.ended;
    await server.remove();
    rmSync(folder, { recursive: true, force: true });
  });

  test("a table that grew and is read whole: statement, table, scan, growth and the index", () => {
    const finding = about(/^SELECT id, content FROM records/);
    expect(finding).toMatchObject({
      mechanism: "missing-index",
      subject: { service: "shop", resource: "table:records" },
    });
    expect(finding.remedy.change).toBe("CREATE INDEX CONCURRENTLY ON records (name)");
    expect(finding.title).toContain("an index on (name) is missing");
    const told = finding.evidence.map(({ text }) => text).join("\n");
    expect(told).toMatch(/public\.records was read from beginning to end \d/);
    expect(told).toMatch(/its plan scans public\.records/);
    expect(told).toMatch(/shop counts \d+ calls/);
  });

  test("a lock that a forgotten transaction holds: who waits, who holds it, on which table", () => {
    const finding = about(/^UPDATE stock/);
    expect(finding.mechanism).toBe("lock-contention");
    const told = finding.evidence.map(({ text }) => text).join("\n");
    expect(told).toMatch(/waited [\d.]+ s in all, the longest [\d.]+ m?s, for a lock on public\.stock/);
    expect(told).toContain("nightly-check (idle in its transaction after UPDATE stock SET checked = ?");
    expect(finding.remedy.text).toContain("Let nightly-check commit");
  });

  test("the password is nowhere to be read", () => {
    expect(up.stderr()).not.toContain("hunter2");
    expect(JSON.stringify(report)).not.toContain("hunter2");
  });
});
