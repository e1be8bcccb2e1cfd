/**
 * A window of 15 minutes that is asked for, moved on by 10 s and asked for again, and again, as `up` answers it: first
 * part, whole answer, and what the later answers cost against the first.
 *
 *   npm run bench:live [-- spans stored, thousands = 2000] [in the window, thousands = 1000] [budget = 250000] [moves = 3]
 *
 * Spans are recordings in examples/, again and again with other ids, spread over the window and, the rest, over the
 * hours before it (copies of the window, made within the engine). Processor time is that of this process, with the engine's beside it. Every answer is held against
 * one from nothing: they have to be equal to the last digit.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Report } from "../src/model/report.ts";
import type { SpanTable } from "../src/model/span-table.ts";
import { BlockCache } from "../src/server/live/block-cache.ts";
import { diagnoseLive, type LiveQuery, type LiveReader } from "../src/server/live/live-diagnosis.ts";
import { openEmbedded } from "../src/store/embedded/open-embedded.ts";
import { readTable } from "./read-table.ts";
import { linkTo, rest } from "./store/engine-figures.ts";
import { multiplySpans } from "./store/multiplied-spans.ts";
import { replayed } from "./store/replayed-spans.ts";

const [stored = 2000, inWindow = 1000, budgetGiven = 250_000, moves = 3] = process.argv.slice(2).map(Number);
const budget = budgetGiven;
const S = 1_000_000_000n;
const WINDOW_NS = 900n * S;
const SOURCES = [
  "examples/healthy/busy",
  "examples/n-plus-one/fault",
  "examples/lab/healthy/before/traces.otlp.pb.zst",
  "examples/missing-index/fault",
];

const folder = mkdtempSync(join(tmpdir(), "longpole-bench-live-"));
const { store, engine, close } = await openEmbedded({ dataDir: folder });
try {
  // The last move ends two minutes before now, as a window that is settled.
  const lastEnd = ((BigInt(Date.now()) * 1_000_000n) / S) * S - 120n * S;
  const firstEnd = lastEnd - BigInt(moves) * 10n * S;
  await load(firstEnd, lastEnd);
  const kept = readerOf();
  for (let move = 0; move <= moves; move++) {
    const toUnixNs = firstEnd + BigInt(move) * 10n * S;
    const query: LiveQuery = {
      range: { fromUnixNs: toUnixNs - WINDOW_NS, toUnixNs },
      baseline: { kind: "none" },
      objectives: [],
    };
    const live = await timed(kept, query);
    const anew = move === 0 ? live : await timed(readerOf(), query);
    const isEqual = JSON.stringify(live.report) === JSON.stringify(anew.report);
    console.log(
      `${move === 0 ? "first answer" : `moved by ${10 * move} s`}: ${told(live)}` +
        (move === 0
          ? ""
          : `; from nothing ${told(anew)}; ratio ${(live.cpu / anew.cpu).toFixed(2)}; ${isEqual ? "equal" : "NOT EQUAL"}`),
    );
    if (!isEqual) process.exitCode = 1;
  }
  console.log(
    `this process: ${(process.memoryUsage.rss() / 2 ** 20).toFixed(0)} MB resident, at most ${(process.resourceUsage().maxRSS / 1024).toFixed(0)} MB`,
  );
} finally {
  await close();
  rmSync(folder, { recursive: true, force: true });
}

function told({ report, wall, cpu, engineCpu, firstPart }: Answer): string {
  return `${report.dataQuality.spans} spans, ${firstPart === undefined ? "" : `first part ${firstPart.toFixed(2)} s, `}whole ${wall.toFixed(2)} s, ${cpu.toFixed(2)} CPU-s (engine ${engineCpu.toFixed(2)})`;
}

function readerOf(): LiveReader {
  return {
    store,
    cache: new BlockCache(3 * budget),
    kept: {},
    rows: {},
    budget,
    operations: [],
    nowUnixNs: () => BigInt(Date.now()) * 1_000_000n,
  };
}

interface Answer {
  readonly report: Report;
  readonly wall: number;
  readonly cpu: number;
  readonly engineCpu: number;
  readonly firstPart: number | undefined;
}

async function timed(reader: LiveReader, query: LiveQuery): Promise<Answer> {
  const engineBefore = engine.cpuSeconds();
  const before = process.cpuUsage();
  const began = performance.now();
  let firstPart: number | undefined;
  const { report } = await diagnoseLive(reader, query, {
    partial: () => (firstPart ??= (performance.now() - began) / 1000),
    ...(process.env["LONGPOLE_BENCH_STAGES"] === undefined
      ? {}
      : { progress: (stage) => console.error(`${((performance.now() - began) / 1000).toFixed(2)} ${stage}`) }),
  });
  const { user, system } = process.cpuUsage(before);
  return {
    report,
    wall: (performance.now() - began) / 1000,
    cpu: (user + system) / 1e6,
    engineCpu: engine.cpuSeconds() - engineBefore,
    firstPart,
  };
}

/** Copies of the recordings, evenly over the window and its moves, and over the hours before. */
async function load(firstEnd: bigint, lastEnd: bigint): Promise<void> {
  const tables: SpanTable[] = [];
  for (const path of SOURCES) tables.push(await readTable([path]));
  const average = tables.reduce((sum, table) => sum + table.rowCount, 0) / tables.length;
  const began = performance.now();
  let spans = 0;
  const spread = async (from: bigint, to: bigint, thousands: number, name: string): Promise<void> => {
    const copies = Math.max(1, Math.round((thousands * 1000) / average));
    for (let copy = 0; copy < copies; copy++) {
      const start = from + ((to - from) * BigInt(copy)) / BigInt(copies);
      const table = replayed(tables[copy % tables.length]!, spans, start);
      await store.insertSpans(table, `${name} ${copy}`);
      spans += table.rowCount;
    }
  };
  const start = firstEnd - WINDOW_NS - 60n * S;
  await spread(start, lastEnd, inWindow, "window");
  const copies = Math.round(stored / inWindow) - 1;
  if (copies > 0) {
    const link = linkTo(engine);
    await multiplySpans(link, { fromUnixNs: start, toUnixNs: lastEnd }, copies);
    await rest(link);
    await link.close();
    spans = (await store.status()).tables.find(({ table }) => table === "spans")!.rows;
  }
  tables.length = 0;
  console.log(`${spans} spans stored in ${((performance.now() - began) / 1000).toFixed(0)} s`);
}
