import pg from "pg";
import { startPostgresCollector, type PostgresCollector } from "../src/agent/postgres/postgres-collector.ts";
import { postgresTarget, type TargetOptions } from "../src/agent/postgres/postgres-target.ts";
import { OtlpMetricDecoder } from "../src/formats/otlp-metrics-protobuf.ts";
import type { PostgresInstallation } from "../src/lab/system/postgres/installations.ts";
import { spareServer, type SpareServer } from "../src/lab/system/postgres/spare-server.ts";
import { attributeText } from "../src/model/attribute-table.ts";
import { Intake } from "../src/model/intake.ts";
import { MetricTableBuilder } from "../src/model/metric-table-builder.ts";

export const PATIENCE_MS = 60_000;

export interface Point {
  readonly name: string;
  readonly value: number;
  readonly attributes: Readonly<Record<string, string>>;
}

/** A collector with all that it sent and told. It looks twenty times a second. */
export class Watched {
  readonly bodies: Uint8Array[] = [];
  readonly told: string[] = [];
  readonly #collector: PostgresCollector;

  constructor(url: string, options: TargetOptions = {}) {
    const target = postgresTarget(url, { intervalMs: 300, sampleMs: 50, ...options });
    this.#collector = startPostgresCollector(target, {
      send: (body) => void this.bodies.push(body),
      tell: (_, text) => void this.told.push(text),
    });
  }

  stop(): Promise<void> {
    return this.#collector.stop();
  }

  points(name: string): Point[] {
    return this.bodies.flatMap(pointsOf).filter((point) => point.name === `postgresql.${name}`);
  }

  sum(name: string, matches: (point: Point) => boolean = () => true): number {
    return this.points(name)
      .filter(matches)
      .reduce((sum, { value }) => sum + value, 0);
  }

  async until(condition: () => boolean): Promise<void> {
    const deadline = Date.now() + PATIENCE_MS / 2;
    while (!condition()) {
      if (Date.now() > deadline) throw new Error(`it never came; told: ${this.told.join("\n")}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** Until `n` more reports have come. */
  reports(n: number): Promise<void> {
    const wanted = this.bodies.length + n;
    return this.until(() => this.bodies.length >= wanted);
  }
}

export function pointsOf(body: Uint8Array): Point[] {
  const into = new MetricTableBuilder();
  const decoder = new OtlpMetricDecoder(into, new Intake(), "");
  decoder.request(body, 0, body.length, 0);
  const { table } = into.finish();
  return Array.from({ length: table.points.rowCount }, (_, row) => {
    const series = table.points.series[row]!;
    const attributes: Record<string, string> = {};
    for (const [lists, list] of [
      [table.resources, table.resource[series]!],
      [table.labels, table.labelSet[series]!],
    ] as const)
      for (let i = lists.listStart[list]!; i < lists.listStart[list + 1]!; i++)
        attributes[table.strings.get(lists.key[i]!)] = attributeText(lists, table.strings, i);
    return { name: table.strings.get(table.name[series]!), value: table.points.value[row]!, attributes };
  });
}

/** How `user` reaches a database of `server`, as a collector is told. */
export const urlOf = (server: SpareServer, user: string, database = "shop", password = "secret"): string =>
  `postgres://${user}:${password}@127.0.0.1:${server.address.port}/${database}`;

/** A client of the database "shop", as its owner where nothing else is said, in a session named "billing". */
export async function shopClient(server: SpareServer, options: pg.ClientConfig = {}): Promise<pg.Client> {
  const client = new pg.Client({ ...server.address, database: "shop", application_name: "billing", ...options });
  client.on("error", () => {});
  await client.connect();
  return client;
}

export const ofText = (text: string) => (point: Point) => point.attributes["db.query.text"] === text;

/**
 * A server with a database "shop" of 50,000 orders, pg_stat_statements, a role "longpole" as docs/databases.md makes it, with
 * the right to read tables, and one without any right, "blind". Passwords: "secret".
 */
export async function shopServer({ major, binaries }: PostgresInstallation): Promise<SpareServer> {
  const server = await spareServer(
    { shared_preload_libraries: "pg_stat_statements", track_io_timing: "on", max_connections: "30" },
    binaries,
  );
  await server.run(
    "CREATE DATABASE shop",
    "CREATE ROLE longpole LOGIN PASSWORD 'secret' IN ROLE pg_monitor",
    "CREATE ROLE blind LOGIN PASSWORD 'secret'",
  );
  const client = await shopClient(server);
  await client.query("CREATE EXTENSION pg_stat_statements");
  await client.query("CREATE TABLE orders (id int, customer int, state text)");
  await client.query("INSERT INTO orders SELECT n, n % 1000, 'open' FROM generate_series(1, 50000) n");
  await client.query(major < 14 ? "GRANT SELECT ON orders TO longpole" : "GRANT pg_read_all_data TO longpole");
  await client.end();
  // In a session of its own: the rows of one that still has to tell what it inserted are counted twice.
  const analyst = await shopClient(server);
  await analyst.query("ANALYZE orders");
  await analyst.end();
  return server;
}
