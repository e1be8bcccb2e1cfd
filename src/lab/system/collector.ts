/**
 * What an OpenTelemetry Collector beside the services is for its users: each
 * second it asks PostgreSQL and the machine for their figures, and sends them.
 */
import { existsSync, readFileSync } from "node:fs";
import { request } from "node:http";
import { hostname, loadavg } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { PAGE_BYTES } from "../../agent/counters/page-size.ts";
import { startPostgresCollector } from "../../agent/postgres/postgres-collector.ts";
import { postgresTarget } from "../../agent/postgres/postgres-target.ts";
import * as host from "./collector/host-figures.ts";
import { otlpMetrics, type ResourceFigures } from "./collector/otlp-metrics.ts";
import { postgresFigures } from "./collector/postgres-figures.ts";
import { CONFIG_VARIABLE, type CollectorConfig } from "./messages.ts";
import { obeyParent } from "./obey-parent.ts";

const INTERVAL_MS = 1000;
const SEND_PATIENCE_MS = 5000;
const HOST = { "host.name": hostname() };

const config = JSON.parse(process.env[CONFIG_VARIABLE] ?? "") as CollectorConfig;
const pool = new pg.Pool({ ...config.observer, max: 1, application_name: "collector" });
// A server that restarts cuts connections that nobody uses at the time; the pool opens others.
pool.on("error", (error) => console.error(error.message));
const within = config.looksWithin ? lookWithin() : undefined;
let round: Promise<void> = Promise.resolve();
let isBusy = false;

const timer = setInterval(() => {
  // A round that takes longer than a second leaves out the next.
  if (!isBusy) void collect();
}, INTERVAL_MS);

obeyParent({
  answer: async (message) => {
    if (message.kind !== "flush") throw new Error(`the collector does not know how to ${message.kind}`);
    await round;
    await collect();
    return undefined;
  },
  end: async () => {
    clearInterval(timer);
    await round;
    await within?.stop();
    await pool.end();
  },
});

function collect(): Promise<void> {
  isBusy = true;
  round = collectAndSend()
    .catch((error: unknown) => console.error(String(error)))
    .finally(() => (isBusy = false));
  return round;
}

async function collectAndSend(): Promise<void> {
  const figures = [...hostFigures(), ...quotaFigures()];
  const client = await pool.connect();
  try {
    figures.push(...(await postgresFigures(client, HOST)));
  } finally {
    client.release();
  }
  await send(JSON.stringify(otlpMetrics(figures, Date.now())));
}

/** A run of the lab is over in half a minute: it reports five times as often as usual, and looks at sessions twice a second. */
function lookWithin(): ReturnType<typeof startPostgresCollector> {
  const { host: name, port, user, password, database } = config.observer;
  const url = `postgres://${user}:${encodeURIComponent(password)}@${name}:${port}/${database}`;
  const target = postgresTarget(url, { intervalMs: 2 * INTERVAL_MS, sampleMs: INTERVAL_MS / 2, plans: true });
  return startPostgresCollector(target, {
    send: async (body) => {
      const headers = { "content-type": "application/x-protobuf" };
      const signal = AbortSignal.timeout(SEND_PATIENCE_MS);
      const request = { method: "POST", headers, body: Buffer.from(body), signal };
      const response = await fetch(`${config.telemetryUrl}/v1/metrics`, request);
      if (response.status !== 200) throw new Error(`the receiver answers with status ${response.status}`);
    },
    tell: (_, text) => console.error(text),
  });
}

function hostFigures(): ResourceFigures[] {
  if (!existsSync("/proc/stat")) return [];
  const stat = readFileSync("/proc/stat", "utf8");
  const startUnixMs = host.bootUnixMs(stat);
  const figures = [
    ...host.cpuFigures(stat),
    ...host.diskFigures(readFileSync("/proc/diskstats", "utf8")),
    ...host.memoryFigures(readFileSync("/proc/meminfo", "utf8")),
    { name: "system.cpu.load_average.1m", unit: "{thread}", kind: "gauge" as const, value: loadavg()[0] ?? 0 },
  ];
  return [{ resource: HOST, scope: "hostmetricsreceiver", startUnixMs, figures }, ...serverProcesses(startUnixMs)];
}

/** The processes of the database server: its first, and one for each connection and each of its own chores. */
function serverProcesses(bootMs: number): ResourceFigures[] {
  const first = config.postmaster;
  if (first === undefined) return [];
  return [first, ...childrenOf(first)].flatMap((pid) => {
    const found = readProcess(pid, bootMs);
    if (found === undefined) return [];
    const resource = {
      ...HOST,
      "service.name": "postgresql",
      "process.pid": String(pid),
      "process.parent_pid": String(found.parent),
      "process.executable.name": "postgres",
    };
    return [{ resource, scope: "hostmetricsreceiver", startUnixMs: found.startUnixMs, figures: found.figures }];
  });
}

function childrenOf(pid: number): number[] {
  const file = `/proc/${pid}/task/${pid}/children`;
  return existsSync(file) ? readFileSync(file, "utf8").trim().split(" ").filter(Boolean).map(Number) : [];
}

/** Undefined where it has ended meanwhile. */
function readProcess(pid: number, bootMs: number): host.ProcessFigures | undefined {
  try {
    return host.processFigures(readFileSync(`/proc/${pid}/stat`, "utf8"), bootMs, PAGE_BYTES);
  } catch {
    return undefined;
  }
}

const startedUnixMs = Date.now();

function quotaFigures(): ResourceFigures[] {
  if (config.cgroup === undefined) return [];
  const { service, path } = config.cgroup;
  const resource = { ...HOST, "container.name": service, "service.name": service };
  const figures = host.throttlingFigures(readFileSync(join(path, "cpu.stat"), "utf8"));
  return [{ resource, scope: "dockerstatsreceiver", startUnixMs: startedUnixMs, figures }];
}

function send(body: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const outgoing = request(`${config.telemetryUrl}/v1/metrics`, {
      method: "POST",
      headers: { "content-type": "application/json", "content-length": Buffer.byteLength(body) },
      signal: AbortSignal.timeout(SEND_PATIENCE_MS),
    });
    outgoing.once("error", reject);
    outgoing.once("response", (response) => {
      response.resume();
      response.once("end", () => {
        if (response.statusCode === 200) resolve();
        else reject(new Error(`the receiver answers with status ${response.statusCode}`));
      });
    });
    outgoing.end(body);
  });
}
