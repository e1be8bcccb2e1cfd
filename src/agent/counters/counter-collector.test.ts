import { spawn, type ChildProcess } from "node:child_process";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, expect, test } from "vitest";
import { OtlpMetricDecoder } from "../../formats/otlp-metrics-protobuf.ts";
import { attributeText, type AttributeTable } from "../../model/attribute-table.ts";
import { Intake } from "../../model/intake.ts";
import { MetricTableBuilder } from "../../model/metric-table-builder.ts";
import type { MetricTable } from "../../model/metric-table.ts";
import type { MetricBatch } from "../export/metric-batch.ts";
import { CounterCollector } from "./counter-collector.ts";
import { DirectPeek, type PrivateCounts } from "./process-peek.ts";

const SERVICE = "of-the-counters-test";
const HOST = { attributes: { "host.name": "a" }, version: "0" };
/** Some time; the clock of these tests is what they pass. */
const T = 1_790_000_000_000;

const children: ChildProcess[] = [];
const collectors: CounterCollector[] = [];
afterEach(() => {
  for (const collector of collectors.splice(0)) collector.close();
  for (const child of children.splice(0)) child.kill("SIGKILL");
});

/** By its own rights, with note of whom it was asked about last. */
class NotingPeek extends DirectPeek {
  asked: readonly number[] = [];

  override async counts(pids: readonly number[]): Promise<ReadonlyMap<number, PrivateCounts>> {
    this.asked = pids;
    return super.counts(pids);
  }
}

function collectorOf(peek: DirectPeek, quietMs?: number): CounterCollector {
  const collector = new CounterCollector(HOST, peek, quietMs);
  collectors.push(collector);
  return collector;
}

/** Passes on to nobody what it is given; until then it waits. */
function startCat(): ChildProcess {
  const env = { PATH: process.env["PATH"] ?? "", OTEL_SERVICE_NAME: SERVICE };
  const child = spawn("cat", { stdio: ["pipe", "ignore", "inherit"], env });
  children.push(child);
  return child;
}

/** More than a hundredth of a second of the processor's time. */
async function work(child: ChildProcess): Promise<void> {
  const piece = Buffer.alloc(1 << 20);
  for (let i = 0; i < 256; i++) await new Promise((resolve) => child.stdin!.write(piece, resolve));
}

/** Each has begun, is known, and stands still. */
async function settle(collector: CounterCollector, peek: NotingPeek, pids: readonly number[]): Promise<void> {
  for (let quiet = 0, i = 0; quiet < 5; i++) {
    await collector.scrape(T);
    const isKnown = pids.every((pid) => collector.mapped.some(({ process }) => process.pid === pid));
    quiet = isKnown && !pids.some((pid) => peek.asked.includes(pid)) ? quiet + 1 : 0;
    if (i > 200) throw new Error(`they do not settle: ${peek.asked.join(" ")}`);
    await sleep(10);
  }
}

/** What a request tells of a process: "metric{label}" → value. */
function toldOf(batch: MetricBatch, pid: number): Record<string, number> {
  const builder = new MetricTableBuilder();
  const bytes = batch.finish();
  new OtlpMetricDecoder(builder, new Intake(), "batch").request(bytes, 0, bytes.length, 0);
  const { table } = builder.finish();
  const told: Record<string, number> = {};
  for (let row = 0; row < table.points.rowCount; row++) {
    const series = table.points.series[row]!;
    if (!textsOf(table, table.resources, table.resource[series]!).includes(String(pid))) continue;
    const labels = textsOf(table, table.labels, table.labelSet[series]!).join(",");
    told[`${table.strings.get(table.name[series]!)}{${labels}}`] = table.points.value[row]!;
  }
  return told;
}

function textsOf({ strings }: MetricTable, lists: AttributeTable, list: number): string[] {
  const rows: string[] = [];
  for (let row = lists.listStart[list]!; row < lists.listStart[list + 1]!; row++)
    rows.push(attributeText(lists, strings, row));
  return rows;
}

test("what sleeps is read again after nine seconds, and what works at once", async () => {
  const [sleeper, worker] = [startCat(), startCat()];
  const [s, w] = [sleeper.pid!, worker.pid!];
  const peek = new NotingPeek();
  const collector = collectorOf(peek);
  await settle(collector, peek, [s, w]);
  const asked = async (ms: number): Promise<readonly number[]> => {
    await collector.scrape(T + ms);
    return peek.asked.filter((pid) => pid === s || pid === w);
  };
  expect(new Set(await asked(20_000))).toEqual(new Set([s, w]));
  expect(await asked(28_999)).toEqual([]);
  await work(worker);
  expect(await asked(29_000 - 1)).toEqual([w]);
  expect(await asked(29_000)).toEqual([s]);
  // A clock that was set back by an hour keeps nobody unread.
  expect(new Set(await asked(-3_600_000))).toEqual(new Set([s, w]));
});

test("what is told of one that worked is what is told by reading all", async () => {
  const worker = startCat();
  const peek = new NotingPeek();
  const collector = collectorOf(peek);
  await settle(collector, peek, [worker.pid!]);
  // What it waited for a processor is counted from each collector's first look on.
  const toldBy = async (by: CounterCollector, ms: number): Promise<Record<string, number>> =>
    toldOf(await by.scrape(T + ms, { hasTimes: true }), worker.pid!);
  const before = await toldBy(collector, 1000);
  await work(worker);
  // It waits for more when it has read all.
  for (let text = ""; !text.includes("S (sleeping)"); await sleep(5))
    text = readFileSync(`/proc/${worker.pid}/status`, "latin1");
  const all = collectorOf(new DirectPeek(), 0);
  await all.scrape(T + 2000);
  const expected = await toldBy(all, 2000);
  const told = await toldBy(collector, 2000);
  expect(told).toEqual(expected);
  expect(told["process.context_switches{voluntary}"]).toBeGreaterThan(before["process.context_switches{voluntary}"]!);
  expect(told["process.cpu.time{system}"]).toBeGreaterThan(before["process.cpu.time{system}"]!);
  expect(told["process.uptime{}"]! - before["process.uptime{}"]!).toBeCloseTo(1, 3);
});
