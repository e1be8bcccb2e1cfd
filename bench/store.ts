/**
 * The store against the tables of the OpenTelemetry Collector's ClickHouse exporter, on the same spans, block by
 * block in turn, each in an engine of its own. Queries: bench/store-scale.ts.
 *
 *   npx tsx bench/store.ts [spans, thousands = 1000]
 *
 * Spans are the recordings in examples/, again and again with other ids. Processor time is that of the engines,
 * first of the inserts alone, with merges held back, then with the merges until they rest; the encoder's is of this
 * process. Sizes are of all tables and views of each.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { SpanTable } from "../src/model/span-table.ts";
import { Engine } from "../src/store/embedded/engine.ts";
import { openEmbedded } from "../src/store/embedded/open-embedded.ts";
import { spanBlock } from "../src/store/native/span-block.ts";
import { readTable } from "./read-table.ts";
import { bytesOf, cpuMs, linkTo, rest, rss } from "./store/engine-figures.ts";
import { EXPORTER_TABLES, exporterRows } from "./store/exporter-schema.ts";
import { replayed } from "./store/replayed-spans.ts";

const compared = Number(process.argv[2] ?? 1000) * 1000;

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
    "SELECT column, sum(column_data_compressed_bytes) AS b FROM system.parts_columns WHERE active AND database = 'longpole' AND table = 'spans' GROUP BY column HAVING b > 0 ORDER BY b DESC LIMIT 12",
    { asWriter: true },
  );
  // Parts below 128 MB are one file, whose columns have no sizes of their own.
  if (columns.length > 0)
    console.log(
      `    spans in large parts by column: ${columns.map(({ column, b }) => `${column} ${(Number(b) / spans).toFixed(1)}`).join(", ")}`,
    );
  await link.command("DROP DATABASE otel");
  await Promise.all([mine.close(), link.close()]);
}
