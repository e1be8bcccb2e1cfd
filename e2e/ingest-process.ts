/**
 * Ingest as a process of its own, to be killed: what it stores are files, one per block, named by token.
 *
 *   npx tsx e2e/ingest-process.ts FOLDER
 *
 * Prints `ready PORT`, and at SIGTERM, when all is stored, its ledger as JSON.
 */
import { existsSync, mkdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Sink } from "../src/ingest/sink.ts";
import { startIngest } from "../src/ingest/start-ingest.ts";
import { type SpanTable, spanIdHex } from "../src/model/span-table.ts";

const folder = process.argv[2]!;
const blocks = join(folder, "blocks");
mkdirSync(blocks, { recursive: true });

/** Whole or not at all, and once, as the store promises. It survives the process, whose death is what is tested. */
async function insertSpans(table: SpanTable, token: string): Promise<void> {
  await sleep(Math.random() * 20);
  const path = join(blocks, token);
  if (!existsSync(path)) {
    writeFileSync(`${path}.part`, Array.from({ length: table.rowCount }, (_, row) => spanIdHex(table, row)).join("\n"));
    renameSync(`${path}.part`, path);
  }
  await sleep(Math.random() * 20);
}

const refuse = (): Promise<void> => Promise.reject(new Error("only spans are sent here"));
const sink: Sink = { insertSpans, insertMetrics: refuse, insertStacks: refuse };
const ingest = await startIngest({
  listen: { http: { host: "127.0.0.1", port: 0 } },
  walDir: join(folder, "wal"),
  sink,
  // Small, so that in a second there are many blocks and segments, and a kill meets all steps of their lives.
  limits: { minFreeBytes: 0, blockRows: 60, blockAgeMs: 40, segmentBytes: 20_000, blocksInMemory: 2 },
  log: (text) => process.stderr.write(`${text}\n`),
});
// Before it says that it is ready: whoever reads that may end it at once.
process.once("SIGTERM", () => {
  void finish();
});
process.stdout.write(`ready ${ingest.ports.http}\n`);

async function finish(): Promise<void> {
  await ingest.flush();
  await ingest.stop();
  process.stdout.write(`${JSON.stringify(ingest.ledger())}\n`, () => process.exit(0));
}
