/**
 * OTLP with gzip over HTTP → durable acknowledgement → queryable: processor time per million spans of the receiving
 * process and of the engine, how long acknowledgements take at half of the highest load, and the memory of both.
 *
 *   npm run bench:ingest -- [thousand spans = 1000] [--no-store]
 *
 * With --no-store blocks go nowhere, which is what receiving costs by itself. Receiver, engine and sender are processes of
 * their own; on a machine of few processors they take them from each other, so how busy each was stands beside.
 */
import { execFile, fork } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";

const SPANS = 500;
const WARM_UP = 800;
const HALF_LOAD_SECONDS = 10;
/** The load at which memory is looked at. */
const STEADY_SPANS = 50_000;
const STEADY_SECONDS = 20;
const IDLE_SECONDS = 30;
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
  readonly p90Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  readonly bytesPerRequest: number;
  readonly cpuSeconds: number;
}

const modes = process.argv.includes("--no-store") ? ["--no-store"] : [];
const server = fork(join(import.meta.dirname, "ingest-server.mjs"), [dir, ...modes], { execArgv: [] });
const next = <Message>(): Promise<Message> => new Promise((resolve) => server.once("message", resolve as () => void));
const { port, engine } = await next<{ port: number; engine?: number }>();
const flush = async (): Promise<void> => {
  const flushed = next();
  server.send("flush");
  await flushed;
};

/** Durations so far by "phase bucket": how many were at most that. */
async function phases(): Promise<Map<string, number>> {
  const told = next<string>();
  server.send("metrics");
  const found = (await told).matchAll(/^longpole_ingest_phase_seconds_bucket\{phase="(.+)",le="(.+)"\} (\d+)$/gm);
  return new Map([...found].map(([, phase, bound, count]) => [`${phase} ${bound}`, Number(count)]));
}

/** Of each phase between two looks: the bounds below which half of the durations are, and 99 of 100. */
function phaseText(before: ReadonlyMap<string, number>, after: ReadonlyMap<string, number>): string {
  const buckets = [...after].map(([key, count]) => {
    const [phase, bound] = key.split(" ") as [string, string];
    return { phase, bound, count: count - (before.get(key) ?? 0) };
  });
  const texts = [...new Set(buckets.map(({ phase }) => phase))].map((phase) => {
    const own = buckets.filter((bucket) => bucket.phase === phase);
    const below = (share: number): string => {
      const { bound } = own.find(({ count }) => count >= share * own.at(-1)!.count)!;
      return bound === "+Inf" ? "more" : `${1000 * Number(bound)}`;
    };
    return `${phase} ${below(0.5)}, ${below(0.99)}`;
  });
  return `phases (p50, p99 at most, ms): ${texts.join("; ")}`;
}

async function send(requests: number, perSecond: number): Promise<Sent> {
  const script = join(import.meta.dirname, "ingest-load.ts");
  const words = [port, Math.ceil(requests), perSecond].map(String);
  const { stdout } = await run(process.execPath, ["--import", "tsx", script, ...words]);
  return JSON.parse(stdout) as Sent;
}

/** User and system time of a process; 0 for none. */
function cpuSecondsOf(pid: number | undefined): number {
  if (pid === undefined) return 0;
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]!.split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/** Resident memory, MiB; of the files a process has mapped, such as the engine's library, with `field` RssFile. 0 for no process. */
function mebibytesOf(pid: number | undefined, field: "VmRSS" | "RssFile" = "VmRSS"): number {
  if (pid === undefined) return 0;
  const found = new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(readFileSync(`/proc/${pid}/status`, "utf8"));
  return Number(found![1]) / 1024;
}

interface Used {
  readonly sent: Sent;
  readonly own: number;
  readonly engine: number;
  /** most memory at a time, MiB */
  readonly ownMemory: number;
  readonly engineMemory: number;
}

/** Sends, waits until all can be queried, and tells what that took. */
async function measure(requests: number, perSecond: number): Promise<Used> {
  const before = [cpuSecondsOf(server.pid), cpuSecondsOf(engine)] as const;
  let [ownMemory, engineMemory] = [0, 0];
  const look = setInterval(() => {
    ownMemory = Math.max(ownMemory, mebibytesOf(server.pid));
    engineMemory = Math.max(engineMemory, mebibytesOf(engine));
  }, 100);
  const sent = await send(requests, perSecond);
  await flush();
  clearInterval(look);
  const after = [cpuSecondsOf(server.pid), cpuSecondsOf(engine)] as const;
  return { sent, own: after[0] - before[0], engine: after[1] - before[1], ownMemory, engineMemory };
}

const ms = ({ p50Ms, p90Ms, p99Ms, maxMs }: Sent): string =>
  `${p50Ms.toFixed(1)} ms (p50), ${p90Ms.toFixed(1)} ms (p90), ${p99Ms.toFixed(1)} ms (p99), ${maxMs.toFixed(1)} ms (longest)`;
const busy = ({ sent, own, engine: others }: Used): string =>
  `processors busy: receiver ${(own / sent.seconds).toFixed(2)}, engine ${(others / sent.seconds).toFixed(2)}, sender ${(sent.cpuSeconds / sent.seconds).toFixed(2)}`;
const memory = (own: number, others: number): string =>
  `${Math.round(own + others)} MiB (receiver ${Math.round(own)}, engine ${Math.round(others)})`;

await send(WARM_UP, 0);
await flush();
const full = await measure((thousands * 1000) / SPANS, 0);
const perSecond = full.sent.acknowledged / full.sent.seconds;
const millions = (full.sent.acknowledged * SPANS) / 1e6;
console.log(
  `${full.sent.acknowledged * SPANS} spans in requests of ${SPANS}, ${(full.sent.bytesPerRequest / SPANS).toFixed(0)} bytes per span as sent; ${full.sent.refused} requests refused`,
);
console.log(
  `CPU-s per 1M spans: ${((full.own + full.engine) / millions).toFixed(2)} (receiving ${(full.own / millions).toFixed(2)}, engine ${(full.engine / millions).toFixed(2)})`,
);
console.log(`${Math.round(perSecond * SPANS)} spans/s with eight connections; acknowledged in ${ms(full.sent)}`);
console.log(busy(full));
const beforeHalf = await phases();
const half = await measure((perSecond / 2) * HALF_LOAD_SECONDS, perSecond / 2);
console.log(
  `at half that load, open loop: ${half.sent.acknowledged * SPANS} spans, ${half.sent.refused} requests refused; ${ms(half.sent)}`,
);
console.log(busy(half));
console.log(phaseText(beforeHalf, await phases()));
const steady = await measure((STEADY_SPANS / SPANS) * STEADY_SECONDS, STEADY_SPANS / SPANS);
console.log(`at ${STEADY_SPANS} spans/s: ${memory(steady.ownMemory, steady.engineMemory)}; ${ms(steady.sent)}`);
console.log(busy(steady));
await sleep(1000 * IDLE_SECONDS);
console.log(
  `idle, ${IDLE_SECONDS} s later: ${memory(mebibytesOf(server.pid), mebibytesOf(engine))}; of that mapped files: ${memory(mebibytesOf(server.pid, "RssFile"), mebibytesOf(engine, "RssFile"))}`,
);
const ended = new Promise((resolve) => server.once("exit", resolve));
server.send("stop");
await ended;
rmSync(dir, { recursive: true, force: true });
