import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
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

/** Listens on a port that no system gives, says which, and at each line on standard input listens on two more: one of either kind. */
const SERVER = `
const { createServer } = require("node:net");
const listen = (port) => new Promise((resolve, reject) => {
  const one = createServer().once("error", reject).listen(port, "127.0.0.1", () => resolve(one.address().port));
});
const own = () => listen(20_000 + Math.floor(Math.random() * 12_000)).catch(own);
const tell = (ports) => process.stdout.write(ports.join(" ") + "\\n");
own().then((port) => tell([port]));
process.stdin.on("data", () => Promise.all([own(), listen(0)]).then(tell));
`;

async function saidBy(child: ChildProcess): Promise<number[]> {
  return String((await once(child.stdout!, "data"))[0])
    .trim()
    .split(" ")
    .map(Number);
}

async function startServer(): Promise<{ child: ChildProcess; pid: number; port: number }> {
  const env = { PATH: process.env["PATH"] ?? "", OTEL_SERVICE_NAME: SERVICE };
  const child = spawn(process.execPath, ["-e", SERVER], { stdio: ["pipe", "pipe", "inherit"], env });
  children.push(child);
  const [port] = await saidBy(child);
  return { child, pid: child.pid!, port: port! };
}

/** What stands in the resource that a process is told with. */
function resourceOf(batch: MetricBatch, pid: number): string[] {
  const builder = new MetricTableBuilder();
  const bytes = batch.finish();
  new OtlpMetricDecoder(builder, new Intake(), "batch").request(bytes, 0, bytes.length, 0);
  const { table } = builder.finish();
  for (let list = 0; list + 1 < table.resources.listStart.length; list++) {
    const texts = textsOf(table, table.resources, list);
    if (texts.includes(String(pid)) && texts.includes(SERVICE)) return texts;
  }
  return [];
}

test("a process that listens has one resource from its first scrape on, whatever it opens later", async () => {
  // A minute from now: none of them has just begun.
  const soon = Date.now() + 60_000;
  const collector = collectorOf(new DirectPeek());
  const first = await startServer();
  const before = resourceOf(await collector.scrape(soon), first.pid);
  expect(before).toContain(String(first.port));
  // One that comes between two looks at all.
  const second = await startServer();
  const at = resourceOf(await collector.scrape(soon + 1000), second.pid);
  expect(at).toContain(String(second.port));
  first.child.stdin!.write("more\n");
  await saidBy(first.child);
  second.child.stdin!.write("more\n");
  await saidBy(second.child);
  const after = await collector.scrape(soon + 31_000);
  expect(resourceOf(after, first.pid)).toEqual(before);
  expect(resourceOf(after, second.pid)).toEqual(at);
});

test("a port that the system gave is told of no process, and counted", async () => {
  const server = await startServer();
  server.child.stdin!.write("more\n");
  const [other, given] = await saidBy(server.child);
  const batch = await collectorOf(new DirectPeek()).scrape(Date.now() + 60_000);
  const both = [server.port, other!].sort((a, b) => a - b);
  expect(resourceOf(batch, server.pid)).toContain(both.join(","));
  expect(resourceOf(batch, server.pid).join()).not.toContain(String(given));
  const own = toldOf(batch, process.pid);
  expect(own["longpole.agent.ports.left_out{ephemeral}"]).toBeGreaterThanOrEqual(1);
  expect(own["longpole.agent.ports.left_out{more than 16}"]).toBeGreaterThanOrEqual(0);
});

test("of a command line nothing is sent but what names the service and the place of a database", async () => {
  const folder = mkdtempSync(join(tmpdir(), "longpole-words-"));
  try {
    const postgres = join(folder, "postgres");
    copyFileSync("/bin/bash", postgres);
    const words = [
      "-c",
      "read -r _secret_1",
      "_secret_2",
      "-D",
      "/srv/pg/_place",
      "-p",
      "_secret_3",
      "--password=_secret_4",
    ];
    const script = ["-e", "process.stdin.resume()", "--", "_secret_5"];
    const pids = [spawn(postgres, words, { stdio: ["pipe", "ignore", "inherit"] })].concat(
      spawn(process.execPath, script, { stdio: ["pipe", "ignore", "inherit"], env: { OTEL_SERVICE_NAME: SERVICE } }),
    );
    children.push(...pids);
    const collector = collectorOf(new DirectPeek());
    let text = "";
    for (let i = 0; !(text.includes("/srv/pg/_place") && text.includes(SERVICE)); i++) {
      text = Buffer.from((await collector.scrape(Date.now())).finish()).toString("latin1");
      if (i > 200) throw new Error("they are not told of");
      await sleep(10);
    }
    expect(text).not.toContain("_secret_");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
