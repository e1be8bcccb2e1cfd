/**
 * OTLP with gzip over HTTP → durable acknowledgement → queryable: processor time per million spans of the receiving
 * process and of the engine, and how long acknowledgements take at half of the highest load.
 *
 *   npx tsx bench/ingest.ts [thousand spans = 1000] [--no-store]
 *
 * With --no-store blocks go nowhere, which is what receiving costs by itself. The sender is a process of its own.
 * What tsx makes of the sources takes some 15 % longer than what `npm run build` makes of them.
 */
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Sink } from "../src/ingest/sink.ts";
import { startIngest } from "../src/ingest/start-ingest.ts";
import { type Embedded, openEmbedded } from "../src/store/embedded/open-embedded.ts";

const SPANS = 500;
const WARM_UP = 400;
const HALF_LOAD_SECONDS = 10;
/** Of /proc: sysconf(_SC_CLK_TCK) is 100 on Linux. */
const TICKS_PER_SECOND = 100;

const thousands = Number(process.argv.find((word) => /^\d+$/.test(word)) ?? 1000);
const dir = mkdtempSync(join(tmpdir(), "longpole-bench-"));
const run = promisify(execFile);

interface Sent {
  readonly acknowledged: number;
  readonly refused: number;
  readonly seconds: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly bytesPerRequest: number;
}

async function send(port: number, requests: number, perSecond: number): Promise<Sent> {
  const script = join(import.meta.dirname, "ingest-load.ts");
  const { stdout } = await run(process.execPath, [
    "--import",
    "tsx",
    script,
    ...[port, requests, perSecond].map(String),
  ]);
  return JSON.parse(stdout) as Sent;
}

/** User and system time of a process; 0 for none. */
function cpuSecondsOf(pid: number | undefined): number {
  if (pid === undefined) return 0;
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]!.split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

const nowhere: Sink = {
  insertSpans: () => Promise.resolve(),
  insertMetrics: () => Promise.resolve(),
  insertStacks: () => Promise.resolve(),
};

const withStore = !process.argv.includes("--no-store");
/** The samples are of one time, which may be any: nothing of them is too old. */
const retention = { spanDays: 36_500, metricDays: 36_500 };
const embedded: Embedded | undefined = withStore
  ? await openEmbedded({ dataDir: join(dir, "store"), retention })
  : undefined;
const enginePid = (): number | undefined => embedded?.engine.pid;
const ingest = await startIngest({
  listen: { http: { host: "127.0.0.1", port: 0 } },
  walDir: join(dir, "wal"),
  sink: embedded?.store ?? nowhere,
  log: (text) => console.error(text),
});
const port = ingest.ports.http!;
await send(port, WARM_UP, 0);
await ingest.flush();

const requests = (thousands * 1000) / SPANS;
const before = { own: process.cpuUsage(), engine: cpuSecondsOf(enginePid()) };
const sent = await send(port, requests, 0);
await ingest.flush();
const used = process.cpuUsage(before.own);
const millions = (sent.acknowledged * SPANS) / 1e6;
const own = (used.user + used.system) / 1e6 / millions;
const engine = (cpuSecondsOf(enginePid()) - before.engine) / millions;
const perSecond = sent.acknowledged / sent.seconds;
const half = await send(port, Math.ceil((perSecond / 2) * HALF_LOAD_SECONDS), perSecond / 2);

console.log(
  `${sent.acknowledged * SPANS} spans in requests of ${SPANS}, ${(sent.bytesPerRequest / SPANS).toFixed(0)} bytes per span as sent; ${sent.refused} requests refused`,
);
console.log(
  `CPU-s per 1M spans: ${(own + engine).toFixed(2)} (receiving ${own.toFixed(2)}, engine ${engine.toFixed(2)})`,
);
console.log(
  `${Math.round(perSecond * SPANS)} spans/s from ${sent.seconds.toFixed(1)} s with eight connections; acknowledged in ${sent.p50Ms.toFixed(1)} ms (p50), ${sent.p99Ms.toFixed(1)} ms (p99)`,
);
console.log(
  `at half that load, open loop: ${half.p50Ms.toFixed(1)} ms (p50), ${half.p99Ms.toFixed(1)} ms (p99), ${half.refused} refused`,
);
console.log(`memory of the receiving process: ${Math.round(process.memoryUsage.rss() / 2 ** 20)} MiB`);
await ingest.stop();
await embedded?.close();
rmSync(dir, { recursive: true, force: true });
