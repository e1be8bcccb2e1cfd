/**
 * Prometheus remote-write: samples per second of processor time, against Prometheus itself (`apt-get install prometheus`)
 * receiving the same, in turns within one run.
 *
 *   npx tsx bench/remote-write.ts [series = 20000] [samples of each = 25] [turns = 3] [--no-store]
 *
 * Both answer when the sample is in their log; ours also in ClickHouse, whose time is counted, but with --no-store.
 * The first turn of each warms up. What tsx makes of the sources takes some 15 % longer than a build.
 */
import { execFile, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import type { Sink } from "../src/ingest/sink.ts";
import { startIngest } from "../src/ingest/start-ingest.ts";
import { type Embedded, openEmbedded } from "../src/store/embedded/open-embedded.ts";

/** Of /proc: sysconf(_SC_CLK_TCK) is 100 on Linux. */
const TICKS_PER_SECOND = 100;
const numbers = process.argv
  .slice(2)
  .filter((word) => /^\d+$/.test(word))
  .map(Number);
const [series = 20_000, rounds = 25, turns = 3] = numbers;
const dir = mkdtempSync(join(tmpdir(), "longpole-bench-"));
const run = promisify(execFile);

function cpuSecondsOf(pid: number | undefined): number {
  if (pid === undefined) return 0;
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]!.split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function startPrometheus(): Promise<{ pid: number; port: number; stop: () => void }> {
  const port = await freePort();
  const config = join(dir, "prometheus.yml");
  writeFileSync(config, "global: { scrape_interval: 1h }\n");
  const child = spawn("prometheus", [
    `--config.file=${config}`,
    `--storage.tsdb.path=${join(dir, "prometheus")}`,
    `--web.listen-address=127.0.0.1:${port}`,
    "--web.enable-remote-write-receiver",
    "--log.level=error",
  ]);
  child.stderr.pipe(process.stderr);
  for (;;) {
    try {
      if ((await fetch(`http://127.0.0.1:${port}/-/ready`)).status === 200) break;
    } catch {
      // Not yet: it opens its port last.
    }
    await sleep(100);
  }
  return { pid: child.pid!, port, stop: () => child.kill("SIGTERM") };
}

const nowhere: Sink = {
  insertSpans: () => Promise.resolve(),
  insertMetrics: () => Promise.resolve(),
  insertStacks: () => Promise.resolve(),
};
const withStore = !process.argv.includes("--no-store");
const embedded: Embedded | undefined = withStore ? await openEmbedded({ dataDir: join(dir, "store") }) : undefined;
const ingest = await startIngest({
  listen: { http: { host: "127.0.0.1", port: 0 } },
  walDir: join(dir, "wal"),
  sink: embedded?.store ?? nowhere,
  log: (text) => console.error(text),
});
const prometheus = await startPrometheus();

/** The last sample is of now: Prometheus takes none of the future. */
let nextMs = Date.now() - 15_000 * rounds * (turns + 1);

async function turn(port: number, cpu: () => number, settle: () => Promise<void>): Promise<number> {
  const before = cpu();
  const script = join(import.meta.dirname, "remote-write-load.ts");
  await run(process.execPath, ["--import", "tsx", script, ...[port, series, rounds, nextMs].map(String)]);
  await settle();
  return (series * rounds) / (cpu() - before);
}

const receiverCpu = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
};
const engineCpu = (): number => cpuSecondsOf(embedded?.engine.pid);
const ownCpu = (): number => receiverCpu() + engineCpu();
const lastUse = { own: 0, engine: 0 };
const ours: number[] = [];
const theirs: number[] = [];
for (let i = 0; i <= turns; i++) {
  const before = [receiverCpu(), engineCpu()] as const;
  const own = await turn(ingest.ports.http!, ownCpu, () => ingest.flush());
  lastUse.own = (1e6 * (receiverCpu() - before[0])) / (series * rounds);
  lastUse.engine = (1e6 * (engineCpu() - before[1])) / (series * rounds);
  const other = await turn(
    prometheus.port,
    () => cpuSecondsOf(prometheus.pid),
    () => sleep(1000),
  );
  nextMs += 15_000 * rounds;
  if (i === 0) continue;
  ours.push(own);
  theirs.push(other);
}
const median = (values: number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!;
const { metrics } = ingest.ledger().signals;
console.log(
  `${series} series of 8 labels, ${rounds} samples each, 2,000 per request, ${turns} turns; ${metrics.stored} samples stored`,
);
console.log(
  `samples per CPU-second: longpole ${Math.round(median(ours))} (${withStore ? "with ClickHouse" : "log alone"}), Prometheus ${Math.round(median(theirs))}`,
);
console.log(
  `CPU-s per 1M samples, last turn: receiving ${lastUse.own.toFixed(2)}, engine ${lastUse.engine.toFixed(2)}`,
);
console.log(`ratio ${median(ours.map((own, i) => own / theirs[i]!)).toFixed(2)}`);
prometheus.stop();
await ingest.stop();
await embedded?.close();
await sleep(500);
rmSync(dir, { recursive: true, force: true });
