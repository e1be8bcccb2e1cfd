/** Records scenarios: starts the system, warms it up, records its traces under load, stops it. */
import { fork, type ChildProcess } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { cpus } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { gzipSync } from 'node:zlib';
import { SCENARIOS, type Recording, type Scenario } from './scenarios.js';
import { check } from './check.js';
import { writeTruth } from './truth.js';

const here = __dirname;
const require_ = createRequire(__filename);
const WARM_UP_SECONDS = 12;
const children = new Set<ChildProcess>();
const pause = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));

/** Processor time of the whole machine so far: [busy, total]. */
function processorTime(): [number, number] {
  const sums = cpus().map(({ times }) => [times.user + times.nice + times.sys + times.irq, times.idle] as const);
  const busy = sums.reduce((sum, [b]) => sum + b, 0);
  return [busy, busy + sums.reduce((sum, [, idle]) => sum + idle, 0)];
}

/** OTLP receiver. An export request's protobuf bytes may simply be put one after the other. */
class Sink {
  recording = false;
  requests = 0;
  private bodies: Buffer[] = [];
  private readonly server = createServer((req, res) => {
    const chunks: Buffer[] = [];
    req.on('data', (chunk: Buffer) => chunks.push(chunk)).on('end', () => {
      if (this.recording && req.url === '/v1/traces') {
        this.bodies.push(...chunks);
        if (req.headers['content-type'] === 'application/json') this.bodies.push(Buffer.from('\n'));
        this.requests++;
      }
      res.writeHead(200, { 'content-type': req.headers['content-type'] ?? 'application/x-protobuf' });
      res.end(req.headers['content-type'] === 'application/json' ? '{}' : undefined);
    });
  });
  async start(): Promise<string> {
    this.server.keepAliveTimeout = 120_000;
    await new Promise<void>((done) => this.server.listen(0, '127.0.0.1', done));
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }
  stop(): Buffer {
    this.server.close();
    this.server.closeAllConnections();
    return Buffer.concat(this.bodies);
  }
}

interface Started<T> { child: ChildProcess; message: T; output: () => string }

function run<T>(file: string, env: Record<string, string>, execArgv: string[] = []): Promise<Started<T>> {
  const inherited = Object.fromEntries(Object.entries(process.env).filter(([key]) => !/^(OTEL_|NODE_OPTIONS|PG)/.test(key)));
  const child = fork(join(here, file), [], {
    env: { ...inherited, ...env },
    execArgv: [...execArgv, '--import', 'tsx'],
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  children.add(child);
  let output = '';
  child.stdout!.on('data', (data) => (output += data));
  child.stderr!.on('data', (data) => (output += data));
  return new Promise((done, failed) => {
    child.once('message', (message) => done({ child, message: message as T, output: () => output }));
    child.once('exit', (code) => {
      children.delete(child);
      failed(new Error(`${file} ended (${code}) before it was ready: ${output}`));
    });
  });
}

async function end(child: ChildProcess, how: () => void): Promise<void> {
  if (child.exitCode !== null) return;
  const exited = new Promise<void>((done) => child.once('exit', () => done()));
  how();
  await exited;
}

async function record(scenario: Scenario, recording: Recording, folder: string): Promise<void> {
  const { system } = recording;
  console.log(`${scenario.name}/${recording.name}: ${recording.rate}/s for ${recording.seconds} s`);
  const sink = new Sink();
  const collector = await sink.start();
  const database = await run<{ url: string; version: string }>('database.ts', { SYSTEM: JSON.stringify(system) });
  const telemetry = (service: string): Record<string, string> => ({
    OTEL_SERVICE_NAME: service,
    OTEL_TRACES_EXPORTER: 'otlp',
    OTEL_METRICS_EXPORTER: 'none',
    OTEL_LOGS_EXPORTER: 'none',
    OTEL_EXPORTER_OTLP_ENDPOINT: collector,
    OTEL_EXPORTER_OTLP_PROTOCOL: recording.protocol,
    OTEL_TRACES_SAMPLER: 'always_on',
    OTEL_BSP_MAX_QUEUE_SIZE: '65536',
    OTEL_BSP_SCHEDULE_DELAY: '1000',
    ...(recording.instrumentations === 'usual'
      ? { OTEL_NODE_ENABLED_INSTRUMENTATIONS: 'http,undici,express,pg' }
      : { OTEL_NODE_DISABLED_INSTRUMENTATIONS: 'fs,net,dns' }),
    OTEL_NODE_RESOURCE_DETECTORS: 'env',
    OTEL_RESOURCE_ATTRIBUTES: 'service.version=1.0.0',
    ...(recording.sdk === 'current' ? { OTEL_LOG_LEVEL: 'warn' } : {}),
    NODE_ENV: 'production',
  });
  const sdk = recording.sdk === 'old' ? 'auto-instrumentations-node-old' : '@opentelemetry/auto-instrumentations-node';
  const instrumented = ['--require', require_.resolve(`${sdk}/register`)];
  const orders = await run<{ port: number }>('orders.ts', {
    ...telemetry('orders'),
    DATABASE_URL: database.message.url,
    POOL_MAX: String(system.poolMax),
    ITEMS_PER_ORDER: system.itemsPerOrder ? 'yes' : 'no',
  }, instrumented);
  const gateway = await run<{ port: number }>('gateway.ts', {
    ...telemetry('gateway'),
    ORDERS_URL: `http://127.0.0.1:${orders.message.port}`,
  }, instrumented);

  const load = (seconds: number, seed: number): Promise<Started<Record<string, any>>> => run('load.ts', {
    LOAD: JSON.stringify({
      url: `http://127.0.0.1:${gateway.message.port}`, rate: recording.rate, seconds, seed,
      mix: scenario.mix, orders: system.orders, customers: system.customers,
    }),
  });
  await load(WARM_UP_SECONDS, recording.seed + 1000);
  await pause(2500); // longer than the exporters' schedule delay: what the warm-up left behind is gone
  sink.recording = true;
  const [busyBefore, totalBefore] = processorTime();
  const { message: result } = await load(recording.seconds, recording.seed);
  const [busyAfter, totalAfter] = processorTime();
  const machineBusy = Math.round(((busyAfter - busyBefore) / (totalAfter - totalBefore)) * 100) / 100;
  await pause(2500);
  await end(gateway.child, () => gateway.child.kill('SIGTERM'));
  await end(orders.child, () => orders.child.kill('SIGTERM'));
  await end(database.child, () => database.child.disconnect());
  const noise = gateway.output() + orders.output();
  if (noise.trim()) console.error(`  services wrote: ${noise.trim().slice(0, 2000)}`);

  const bytes = sink.stop();
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const file = join(folder, recording.protocol === 'http/json' ? 'traces.otlp.jsonl.gz' : 'traces.otlp.pb.gz');
  writeFileSync(file, gzipSync(bytes, { level: 9 }));
  const versions = Object.fromEntries(['pg', 'express', sdk].map((name) => [name, packageVersion(name)]));
  const provenance = {
    node: process.versions.node, postgresql: database.message.version, packages: versions,
    warmUpSeconds: WARM_UP_SECONDS, protocol: recording.protocol, exportRequests: sink.requests,
    machine: { cores: cpus().length, busy: machineBusy }, system,
  };
  writeFileSync(join(folder, 'load.json'), JSON.stringify({ ...result, provenance }, null, 2) + '\n');
  console.log(`  machine busy ${machineBusy}, ${bytes.length} bytes, errors ${result.errors}`);
  check(file, result.completed);
}

function packageVersion(name: string): string {
  // Not every package exports its package.json.
  return JSON.parse(readFileSync(join(here, '..', 'node_modules', name, 'package.json'), 'utf8')).version;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      scenario: { type: 'string' }, recording: { type: 'string' }, all: { type: 'boolean' }, out: { type: 'string' }, seconds: { type: 'string' },
    },
  });
  const wanted = values.all ? SCENARIOS : SCENARIOS.filter((s) => s.name === values.scenario);
  if (wanted.length === 0) throw new Error(`give --all or --scenario ${SCENARIOS.map((s) => s.name).join(' | ')}`);
  const out = values.out ? resolve(values.out) : join(here, '..', '..');
  for (const scenario of wanted) {
    for (const recording of scenario.recordings) {
      if (values.recording && recording.name !== values.recording) continue;
      const timed = values.seconds ? { ...recording, seconds: Number(values.seconds) } : recording;
      await record(scenario, timed, join(out, scenario.name, recording.name));
    }
    writeTruth(scenario, join(out, scenario.name));
  }
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
process.once('exit', () => { for (const child of children) child.kill('SIGTERM'); });
main().catch((error) => {
  console.error(error);
  process.exit(1);
});
