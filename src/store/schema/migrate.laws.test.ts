import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { spansFromRows } from "../../testing/spans-from-rows.ts";
import { connect } from "../connect.ts";
import { type Connection, Link } from "../connection.ts";
import { Engine } from "../embedded/engine.ts";
import { SPAN_COLUMNS, spanBlock } from "../native/span-block.ts";
import { migrate, SCHEMA_VERSION } from "./migrate.ts";

/*
 * Stores as earlier versions made them: the released statements are kept beside this file, apart from the code, so that an
 * edit of a released migration is seen here.
 */
const RELEASED: readonly { readonly version: number; readonly file: string }[] = [
  { version: 1, file: "version-1.sql" },
];

const RETENTION = { spanDays: 3650, metricDays: 3650 };
/** The hour in which drawn spans begin. */
const HOUR = 1_789_999_200_000_000_000n;
const RANGE = { fromUnixNs: HOUR, toUnixNs: HOUR + 3_600_000_000_000n };

let folder = "";
let engine: Engine;
let link: Link;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "longpole-migrate-"));
  engine = await Engine.start({ dataDir: folder });
  link = new Link(connectionOf("default"));
}, 60_000);

afterAll(async () => {
  await link?.close();
  await engine?.stop();
  rmSync(folder, { recursive: true, force: true });
});

const connectionOf = (database: string): Connection => ({ urls: [engine.url], ...engine.writer, database });

/** Ten traces of a caller and the call that it makes; the call has the order's number as an attribute's value. */
const spans = spansFromRows(
  Array.from({ length: 20 }, (_, i) => ({
    trace: Math.floor(i / 2) + 1,
    id: i + 1,
    parent: i % 2 === 0 ? 0 : i,
    startNs: 1e9 * i,
    endNs: 1e9 * i + 5e6,
    service: i % 2 === 0 ? "web" : "db",
    name: i % 2 === 0 ? "GET /" : "select",
    kind: 2,
    attributes: { "order.id": `order ${Math.floor(i / 2)}` },
  })),
);

/** A database as a released version made it, with spans in it. */
async function released(database: string, { version, file }: (typeof RELEASED)[number]): Promise<void> {
  await link.command(`CREATE DATABASE ${database}`);
  await link.command(
    `CREATE TABLE ${database}.schema_version (version UInt32, at DateTime DEFAULT now()) ENGINE = MergeTree ORDER BY version`,
  );
  const sql = readFileSync(join(import.meta.dirname, file), "utf8").replace(/^--.*$/gm, "");
  for (const statement of sql.split(";\n").filter((text) => text.trim() !== ""))
    await link.command(statement.replaceAll("{db}", database));
  await link.command(`INSERT INTO ${database}.schema_version (version) VALUES (${version})`);
  const into = `INSERT INTO ${database}.spans (${SPAN_COLUMNS.join(", ")}) FORMAT Native`;
  await link.insertNative(into, [spanBlock(spans)]);
}

/** What is found in a database once it is connected to, and after one more root span of "web". */
async function found(database: string): Promise<object> {
  const store = await connect(connectionOf(database), { retention: RETENTION });
  const counts = (): Promise<number[]> =>
    Promise.all(
      ["red_minute", "red_hour", "red_day"].map(async (table) => {
        const sql = `SELECT toUInt32(sum(count)) AS n FROM ${database}.${table} WHERE service = 'web'`;
        return (await link.rows<{ n: number }>(sql, { asWriter: true }))[0]!.n;
      }),
    );
  const { schemaVersion } = await store.status();
  const held = (await store.readSpans(RANGE)).rowCount;
  const searched = await store.searchTraces({ ...RANGE, attributes: [{ key: "order.id", value: "order 6" }] });
  const before = await counts();
  const one = { trace: 99, id: 99, parent: 0, startNs: 5, endNs: 9, service: "web", name: "GET /" };
  await store.insertSpans(spansFromRows([one]), "after");
  const after = await counts();
  await store.close();
  return { schemaVersion, held, traces: searched.map(({ traceId }) => Number.parseInt(traceId, 16)), before, after };
}

/** Each span counts once in each rollup, whether it came before the migration or after it. */
const WHOLE = {
  schemaVersion: SCHEMA_VERSION,
  held: 20,
  traces: [7],
  before: [10, 10, 10],
  after: [11, 11, 11],
};

test.each(RELEASED)("a store of version $version is brought to the newest with all that is in it", async (version) => {
  await released(`from_${version.version}`, version);
  expect(await found(`from_${version.version}`)).toEqual(WHOLE);
});

/** A link that breaks before statement number `at`, as a program does that is killed. */
function breaking(at: number): Link {
  let statements = 0;
  const command: Link["command"] = async (query, options) => {
    if (statements++ === at) throw new Error("cut off");
    await link.command(query, options);
  };
  return new Proxy(link, {
    get: (target, name) => (name === "command" ? command : Reflect.get(target, name).bind(target)) as unknown,
  });
}

test("a migration that is cut off before any of its statements is done by the next start", async () => {
  await released("cut", RELEASED[0]!);
  let cuts = 0;
  for (let at = 0; ; at++) {
    try {
      await migrate(breaking(at), "cut", RETENTION);
      break;
    } catch (error) {
      expect((error as Error).message).toBe("cut off");
      cuts++;
    }
  }
  // The statements of a version, those before and the note of it.
  expect(cuts).toBeGreaterThan(10);
  expect(await found("cut")).toEqual(WHOLE);
});

test("tables of a newer version are refused, with both versions in the words", async () => {
  await released("newer", RELEASED[0]!);
  await link.command(`INSERT INTO newer.schema_version (version) VALUES (${SCHEMA_VERSION + 1})`);
  await expect(connect(connectionOf("newer"))).rejects.toMatchObject({
    code: "newer-schema",
    message: `the tables are of version ${SCHEMA_VERSION + 1}, this program knows ${SCHEMA_VERSION}`,
  });
  expect(
    await link.rows("SELECT name FROM system.tables WHERE database = 'newer' AND name = 'red_day'", { asWriter: true }),
  ).toEqual([]);
});
