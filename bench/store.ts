/**
 * The store against the tables of the OpenTelemetry Collector's ClickHouse exporter, on the same spans, block by
 * block in turn, each in an engine of its own; then the queries at some millions of spans.
 *
 *   npx tsx bench/store.ts [spans to compare, thousands = 1000] [spans to query, thousands = 4000]
 *
 * Spans are the recordings in examples/, again and again with other ids. Processor time is that of the engines,
 * first of the inserts alone, with merges held back, then with the merges until they rest; the encoder's is of this
 * process. Sizes are of all tables and views of each.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { SpanTable } from "../src/model/span-table.ts";
import { traceIdHex } from "../src/model/span-table.ts";
import { Link } from "../src/store/connection.ts";
import { Engine } from "../src/store/embedded/engine.ts";
import { openEmbedded } from "../src/store/embedded/open-embedded.ts";
import { spanBlock } from "../src/store/native/span-block.ts";
import { readTable } from "./read-table.ts";
import { EXPORTER_TABLES, exporterRows } from "./store/exporter-schema.ts";
import { replayed } from "./store/replayed-spans.ts";

const compared = Number(process.argv[2] ?? 1000) * 1000;
const queried = Number(process.argv[3] ?? 4000) * 1000;

const SOURCES = [
  ["examples/healthy/busy", "examples/small-pool/fault"],
  ["examples/n-plus-one/fault", "examples/missing-index/fault"],
  [
    "examples/lab/healthy/before/traces.otlp.pb.zst",
    "examples/lab/slow-query/fault/traces.otlp.pb.zst",
    "examples/healthy/calm",
  ],
];

const folder = mkdtempSync(join(tmpdir(), "longpole-bench-store-"));
const ours = await openEmbedded({ dataDir: join(folder, "ours") });
const theirs = await Engine.start({ dataDir: join(folder, "theirs") });
try {
  console.log(
    `idle: engine process ${rss(ours.engine.pid!)} MB resident (of which its own ${rss(ours.engine.pid!, "RssAnon")} MB)`,
  );
  const tables: SpanTable[] = [];
  for (const paths of SOURCES) tables.push(await readTable(paths));
  await compare(tables);
  await query(tables);
} finally {
  await ours.close();
  await theirs.stop();
  rmSync(folder, { recursive: true, force: true });
}

/** Replayed blocks: the last ends now, so that none is too old to be kept. */
function blockAt(tables: readonly SpanTable[], copy: number, of: number): SpanTable {
  const now = BigInt(Date.now()) * 1_000_000n;
  return replayed(tables[copy % tables.length]!, copy, now - BigInt(of - copy) * 30_000_000_000n);
}

async function compare(tables: readonly SpanTable[]): Promise<void> {
  const link = linkTo(theirs);
  for (const statement of EXPORTER_TABLES) await link.command(statement);
  let [spans, encode, bytes] = [0, 0, 0];
  const mine = linkTo(ours.engine);
  // Merges would count towards whichever block is inserted meanwhile.
  for (const one of [mine, link]) await one.command("SYSTEM STOP MERGES");
  const before = [ours.engine.cpuSeconds(), theirs.cpuSeconds()];
  const inserts = [0, 0];
  const rounds = Math.ceil(compared / (tables.reduce((sum, table) => sum + table.rowCount, 0) / tables.length));
  let staging = 0;
  for (let copy = 0; copy < rounds; copy++) {
    const table = blockAt(tables, copy, rounds);
    const started = process.cpuUsage();
    bytes += spanBlock(table).length;
    encode += cpuMs(started) / 1000;
    spans += table.rowCount;
    let at = ours.engine.cpuSeconds();
    await ours.store.insertSpans(table, `compare ${copy}`);
    inserts[0]! += ours.engine.cpuSeconds() - at;
    at = theirs.cpuSeconds();
    await link.command("TRUNCATE TABLE otel.staging");
    await link.insertRows("otel.staging", exporterRows(table) as Record<string, string>[]);
    const block = await link.native("SELECT * FROM otel.staging");
    const staged = theirs.cpuSeconds();
    staging += staged - at;
    await link.insertNative("INSERT INTO otel.otel_traces FORMAT Native", [block]);
    inserts[1]! += theirs.cpuSeconds() - staged;
  }
  for (const one of [mine, link]) await one.command("SYSTEM START MERGES");
  await Promise.all([rest(mine), rest(link)]);
  const cpu = [ours.engine.cpuSeconds() - before[0]!, theirs.cpuSeconds() - before[1]! - staging];
  const size = [await bytesOf(mine, "longpole"), await bytesOf(link, "otel")];
  const perMillion = (seconds: number): string => (seconds / (spans / 1e6)).toFixed(2);
  console.log(`\n${spans} spans, ${rounds} blocks; per 1M spans:`);
  console.log(`  encoder ${perMillion(encode)} CPU-s, ${(bytes / spans).toFixed(0)} B/span sent`);
  console.log(
    `  insert: ours ${perMillion(inserts[0]!)} CPU-s, exporter's ${perMillion(inserts[1]!)} CPU-s, ratio ${(inserts[0]! / inserts[1]!).toFixed(2)}`,
  );
  console.log(
    `  with merges: ours ${perMillion(cpu[0]!)} CPU-s, exporter's ${perMillion(cpu[1]!)} CPU-s, ratio ${(cpu[0]! / cpu[1]!).toFixed(2)}`,
  );
  console.log(
    `  on disk: ours ${(size[0]! / spans).toFixed(1)} B/span, exporter's ${(size[1]! / spans).toFixed(1)} B/span, ratio ${(size[0]! / size[1]!).toFixed(2)}`,
  );
  for (const { table, rowCount, bytesOnDisk } of (await ours.store.status()).tables.map((row) => ({
    ...row,
    rowCount: row.rows,
  })))
    console.log(`    ${table}: ${rowCount} rows, ${(bytesOnDisk / spans).toFixed(2)} B/span`);
  const columns = await mine.rows<{ column: string; b: string }>(
    "SELECT column, sum(column_data_compressed_bytes) AS b FROM system.parts_columns WHERE active AND database = 'longpole' AND table = 'spans' GROUP BY column ORDER BY b DESC LIMIT 12",
    { asWriter: true },
  );
  console.log(
    `    spans by column: ${columns.map(({ column, b }) => `${column} ${(Number(b) / spans).toFixed(1)}`).join(", ")}`,
  );
  await link.command("DROP DATABASE otel");
  await Promise.all([mine.close(), link.close()]);
}

async function query(tables: readonly SpanTable[]): Promise<void> {
  const { store, engine } = ours;
  let spans = (await store.status()).tables.find(({ table }) => table === "spans")!.rows;
  const average = tables.reduce((sum, table) => sum + table.rowCount, 0) / tables.length;
  const rounds = Math.max(0, Math.ceil((queried - spans) / average));
  const ids: string[] = [];
  if (rounds === 0) return;
  const cpu = engine.cpuSeconds();
  let peak = 0;
  for (let copy = 0; copy < rounds; copy++) {
    const table = blockAt(tables, 1000 + copy, 1000 + rounds);
    await store.insertSpans(table, `query ${copy}`);
    spans += table.rowCount;
    ids.push(traceIdHex(table, (copy * 7919) % table.rowCount));
    peak = Math.max(peak, rss(engine.pid!));
  }
  console.log(
    `\n${spans} spans; ${((engine.cpuSeconds() - cpu) / ((rounds * average) / 1e6)).toFixed(2)} CPU-s/1M with merges meanwhile; engine at most ${peak} MB resident`,
  );
  const link = linkTo(engine);
  await rest(link);
  console.log(
    `  at rest: ${rss(engine.pid!)} MB resident, ${((await bytesOf(link, "longpole")) / spans).toFixed(1)} B/span`,
  );
  const status = await store.status();
  const whole = { fromUnixNs: status.oldestSpanUnixNs!, toUnixNs: status.newestSpanUnixNs! + 1n };
  const [service = ""] = await store.services(whole);
  const [operation] = await store.operations(service, whole);
  await timed("trace by id", ids.slice(0, 100), (id) => store.trace(id));
  const window = { fromUnixNs: whole.toUnixNs - 900_000_000_000n, toUnixNs: whole.toUnixNs };
  const twenty = Array.from({ length: 20 }, (_, i) => i);
  await timed("search: newest of a service's operation", twenty, () =>
    store.searchTraces({ ...whole, service, operation: operation!.operation }),
  );
  await timed("search: slowest of a service's operation", twenty, () =>
    store.searchTraces({ ...whole, service, operation: operation!.operation, order: "slowest" }),
  );
  await timed("search: slowest of all, 15 minutes", twenty, () => store.searchTraces({ ...window, order: "slowest" }));
  await timed("search: newest of all", twenty, () => store.searchTraces(whole));
  await timed("search: an attribute, 15 minutes", twenty, () =>
    store.searchTraces({ ...window, attributes: [{ key: "http.response.status_code", value: "200" }] }),
  );
  await timed("RED of all operations, 15 minutes", twenty, () => store.red(window));
  await timed("RED of all operations, whole", twenty, () => store.red(whole));
  await timed("RED by minute, whole", twenty, () => store.red({ ...whole, stepSeconds: 60 }));
  await timed("services", twenty, () => store.services(whole));
  await timed("edges, sampled", [1, 2, 3], () => store.edges(window));
  await timed("1,000 whole traces or so", [1, 2, 3, 4, 5], () =>
    store.readSpans(whole, { traceShare: Math.min(1, 11_000 / spans) }),
  );
  const started = performance.now();
  const read = await store.readSpans(window, { traceShare: 0.2 });
  console.log(`  ${read.rowCount} spans of 15 minutes read in ${(performance.now() - started).toFixed(0)} ms`);
  await exactness(link, whole);
  await link.close();
}

/** The worst error of a quantile of an operation with at least 1000 spans, against the exact one. */
async function exactness(link: Link, range: { fromUnixNs: bigint; toUnixNs: bigint }): Promise<void> {
  const started = performance.now();
  // Whole minutes, as the rollups have them.
  const minute = 60_000_000_000n;
  const from = (range.fromUnixNs / minute) * minute;
  const exact = await link.rows<{ service: string; name: string; kind: number; n: number; q: number[] }>(
    `SELECT service, name, kind, toUInt32(count()) AS n, arrayMap(q -> toFloat64(arraySort(groupArray(duration))[toUInt32(ceil(q * count()))]), [0.5, 0.95, 0.99]) AS q FROM longpole.spans WHERE start >= fromUnixTimestamp64Nano(${from}) GROUP BY service, name, kind HAVING n >= 1000`,
    { asWriter: true },
  );
  const raw = performance.now() - started;
  const rows = await ours.store.red({ fromUnixNs: from, toUnixNs: range.toUnixNs });
  let worst = 0;
  let counts = 0;
  for (const { service, name, kind, n, q } of exact) {
    const row = rows.find((one) => one.service === service && one.operation === name && one.kind === kind)!;
    if (row.count !== n) counts++;
    for (const [i, found] of [row.p50Ns, row.p95Ns, row.p99Ns].entries())
      worst = Math.max(worst, Math.abs(found / q[i]! - 1));
  }
  console.log(
    `  RED against exact over ${exact.length} operations: ${counts} counts differ, worst quantile off by ${(100 * worst).toFixed(2)} % (the exact query took ${raw.toFixed(0)} ms)`,
  );
}

async function timed<T>(name: string, over: readonly T[], what: (one: T) => Promise<unknown>): Promise<void> {
  await what(over[0]!);
  const ms: number[] = [];
  const cpu = ours.engine.cpuSeconds();
  for (const one of over) {
    const started = performance.now();
    await what(one);
    ms.push(performance.now() - started);
  }
  ms.sort((a, b) => a - b);
  const at = (q: number): string => ms[Math.min(ms.length - 1, Math.floor(q * ms.length))]!.toFixed(0);
  const used = ((ours.engine.cpuSeconds() - cpu) / over.length) * 1000;
  console.log(`  ${name}: p50 ${at(0.5)} ms, p95 ${at(0.95)} ms; ${used.toFixed(0)} ms of the engine's processor`);
}

function linkTo(engine: Engine): Link {
  return new Link({
    urls: [engine.url],
    user: engine.writer.user,
    password: engine.writer.password,
    database: "system",
  });
}

/** Until nothing is merged any more. */
async function rest(link: Link): Promise<void> {
  for (let quiet = 0; quiet < 5; await delay(300)) {
    const [row] = await link.rows<{ n: number | string }>("SELECT count() AS n FROM system.merges", { asWriter: true });
    quiet = Number(row!.n) === 0 ? quiet + 1 : 0;
  }
}

async function bytesOf(link: Link, database: string): Promise<number> {
  const [row] = await link.rows<{ b: string }>(
    "SELECT sum(bytes_on_disk) AS b FROM system.parts WHERE active AND database = {database:String} AND table != 'staging'",
    { parameters: { database }, asWriter: true },
  );
  return Number(row!.b);
}

function rss(pid: number, field = "VmRSS"): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Math.round(Number(new RegExp(`${field}:\\s+(\\d+)`).exec(status)![1]) / 1024);
}

function cpuMs(since: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(since);
  return (user + system) / 1000;
}
