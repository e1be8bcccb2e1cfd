import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { HEALTHY, withSettings } from "../src/lab/settings.ts";
import { Child } from "../src/lab/system/child.ts";
import { Keeper } from "../src/lab/system/keeper-client.ts";
import { startSystem, type RunningSystem } from "../src/lab/system/start-system.ts";
import { ROOT } from "./longpole.ts";

/** Small, so that it is there soon. */
const SETTINGS = withSettings(HEALTHY, { postgres: { records: 5000 } });

/** Of the machine, others may have much the greater part. */
const PATIENCE_MS = 180_000;

vi.setConfig({ testTimeout: PATIENCE_MS, hookTimeout: PATIENCE_MS });

/** Receives OTLP and keeps what came, as bytes that can be searched. */
class Sink {
  readonly traces: { readonly service: string; readonly bytes: Buffer }[] = [];
  readonly metrics: { readonly service: string; readonly bytes: Buffer }[] = [];
  readonly #server: Server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const bytes = Buffer.concat(chunks);
      (request.url === "/v1/traces" ? this.traces : this.metrics).push({ service: serviceOf(bytes), bytes });
      response.end();
    });
  });

  async start(): Promise<string> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  stop(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}

/** A protobuf KeyValue: the key, then field 2 with a string in its field 1. The collector sends JSON. */
function serviceOf(bytes: Buffer): string {
  const text = bytes.toString("latin1");
  return /service\.name\x12.\n.([a-z]+)/s.exec(text)?.[1] ?? (text.startsWith("{") ? "collector" : "?");
}

interface Call {
  readonly method: string;
  readonly path: string;
  readonly body?: string | undefined;
  readonly type?: string | undefined;
}

/** Processes that carry `mark` in their environment. */
function processesWith(mark: string): string[] {
  return readdirSync("/proc").filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/environ`, "utf8").includes(mark);
    } catch {
      return false;
    }
  });
}

async function until(condition: () => boolean, seconds: number): Promise<boolean> {
  for (let i = 0; i < seconds * 50 && !condition(); i++) await pause(20);
  return condition();
}

const folders: string[] = [];

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "longpole-lab-test-"));
  folders.push(folder);
  return folder;
}

afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

describe.skipIf(process.platform !== "linux")("the running system", () => {
  const sink = new Sink();
  const folder = newFolder();
  const mark = randomUUID();
  let system: RunningSystem;

  beforeAll(async () => {
    process.env["LAB_TEST_MARK"] = mark;
    system = await startSystem({ settings: SETTINGS, telemetryUrl: await sink.start(), folder });
  });

  afterAll(async () => {
    delete process.env["LAB_TEST_MARK"];
    await system.stop();
    sink.stop();
  });

  /** Sends it as part of a trace that is known, and returns the services whose spans of it arrived. */
  async function servicesOf(
    wanted: readonly string[],
    { method, path, body, type = "application/json" }: Call,
  ): Promise<string[]> {
    const traceId = randomUUID().replaceAll("-", "");
    const headers: Record<string, string> = { traceparent: `00-${traceId}-00f067aa0ba902b7-01` };
    if (body !== undefined) headers["content-type"] = type;
    const response = await fetch(system.gatewayUrl + path, {
      method,
      headers,
      ...(body === undefined ? {} : { body }),
    });
    expect(response.status, await response.text()).toBeLessThan(300);
    const id = Buffer.from(traceId, "hex");
    const found = (): string[] => [
      ...new Set(sink.traces.flatMap(({ service, bytes }) => (bytes.includes(id) ? [service] : []))),
    ];
    // The worker behind the queue may still be at it.
    for (let i = 0; i < 100 && !wanted.every((service) => found().includes(service)); i++) {
      if (i > 0) await pause(100);
      await system.flush();
    }
    return found().sort();
  }

  test("is healthy, and says so in a line", async () => {
    const { ok, line } = await system.health();
    expect(ok).toBe(true);
    expect(line).toMatch(
      /^gateway ok \d+ ms \| zones ok .* \| accounts ok .* \| registrar ok .* \| ingest ok .* \| aggregator ok .* \| postgres ok \d+ ms$/,
    );
    const pids = system.pids();
    expect(Object.keys(pids)).toEqual([...Object.keys(HEALTHY).slice(0, 6), "postgres"]);
    for (const [pid] of Object.values(pids)) expect(existsSync(`/proc/${pid}`)).toBe(true);
  });

  test.each([
    ["GET", "/api/records/host-7.example", undefined, undefined, ["gateway", "zones"]],
    ["GET", "/api/zones/3/records", undefined, undefined, ["accounts", "gateway", "zones"]],
    ["GET", "/api/accounts/3/overview", undefined, undefined, ["accounts", "gateway", "zones"]],
    [
      "POST",
      "/api/zones/3/records",
      JSON.stringify({ name: "new.example", type: "A", content: "192.0.2.1", ttl: 60 }),
      "application/json",
      ["accounts", "gateway", "zones"],
    ],
    [
      "POST",
      "/api/points",
      "cpu,host=a 1 60000\ncpu,host=a 2 60001",
      "text/plain",
      ["aggregator", "gateway", "ingest"],
    ],
  ])("%s %s is one trace over all services that it touches", async (method, path, body, type, services) => {
    expect(await servicesOf(services, { method, path, body, type })).toEqual(services);
  });

  test("what is asked for is what is in the database", async () => {
    const record = await fetch(`${system.gatewayUrl}/api/records/host-7.example`);
    expect(await record.json()).toMatchObject([{ name: "host-7.example", zone_id: 8 }]);
    expect((await fetch(`${system.gatewayUrl}/api/records/missing-1.example`)).status).toBe(404);
    expect((await fetch(`${system.gatewayUrl}/api/zones/99999/records`)).status).toBe(404);
  });

  test("what is written is in the database", async () => {
    const post = async (path: string, body: string, type: string): Promise<void> => {
      const headers = { "content-type": type };
      const response = await fetch(system.gatewayUrl + path, { method: "POST", headers, body });
      expect(response.status, await response.text()).toBeLessThan(300);
    };
    const record = { name: "written.example", type: "A", content: "192.0.2.1", ttl: 60 };
    await post("/api/zones/3/records", JSON.stringify(record), "application/json");
    await post("/api/points", "disk,host=b 1 60000\ndisk,host=b 2 60001", "text/plain");
    const rollups = (): Promise<unknown[]> =>
      system.query("SELECT points, sum FROM rollups WHERE series = 'disk,host=b'");
    // The worker behind the queue.
    await expect.poll(rollups, { timeout: 10_000 }).toEqual([{ points: "2", sum: 3 }]);
    expect(await system.query("SELECT zone_id FROM records WHERE name = 'written.example'")).toEqual([{ zone_id: 3 }]);
  });

  test("metrics of the pools carry the pool's name, and the collector's those of the database and the machine", () => {
    const of = (service: string): string =>
      sink.metrics.flatMap((batch) => (batch.service === service ? [batch.bytes.toString("latin1")] : [])).join();
    expect(of("zones")).toMatch(/db\.client\.connection\.count/);
    expect(of("zones")).toMatch(/127\.0\.0\.1:\d+\/zones_db/);
    expect(of("zones")).toMatch(/nodejs\.eventloop/);
    expect(of("zones")).toMatch(/process\.cpu\.time/);
    expect(of("zones")).toMatch(/host\.name/);
    for (const name of ["postgresql.rows", "public.records", "system.disk.io", "process.executable.name"]) {
      expect(of("collector")).toContain(`"${name}"`);
    }
  });

  test("of a changed setting, just the processes that it concerns start again", async () => {
    const before = system.pids();
    const url = system.gatewayUrl;
    const changed = withSettings(SETTINGS, {
      gateway: { overview: "sequential" },
      zones: { replicas: 2 },
      postgres: { nameIndex: false, records: 6000 },
    });
    await system.apply(changed);
    const after = system.pids();
    expect(after["gateway"]).not.toEqual(before["gateway"]);
    expect(after["zones"]).toHaveLength(2);
    expect(after["zones"]?.[0]).toBe(before["zones"]?.[0]);
    for (const name of ["accounts", "registrar", "ingest", "aggregator", "postgres"]) {
      expect(after[name]).toEqual(before[name]);
    }
    expect(system.gatewayUrl).toBe(url);
    expect(system.settings).toEqual(changed);
    expect(await system.query("SELECT count(*)::int AS n FROM records")).toEqual([{ n: 6000 }]);
    expect(await system.query("SELECT 1 FROM pg_indexes WHERE indexname = 'records_name'")).toEqual([]);
    expect((await fetch(`${url}/api/records/host-5999.example`)).status).toBe(200);
  });

  test("a profile is of the process that was asked for", async () => {
    await system.startProfiles(["zones"]);
    await fetch(`${system.gatewayUrl}/api/zones/3/records`);
    const files = await system.stopProfiles(folder);
    const instances = system.pids()["zones"]?.map((_, n) => join(folder, `zones-${n}.cpuprofile`));
    expect(files).toEqual(instances);
    for (const file of files) expect(JSON.parse(readFileSync(file, "utf8"))).toHaveProperty("samples");
  });

  test("a server of the user's own gets a database, and loses it again", async () => {
    await system.query("CREATE ROLE tester SUPERUSER LOGIN PASSWORD 'p w'");
    const [{ port } = {}] = await system.query("SELECT current_setting('port') AS port");
    process.env["LONGPOLE_LAB_POSTGRES_URL"] = `postgresql://tester:p%20w@127.0.0.1:${String(port)}/postgres`;
    const databases = (): Promise<unknown[]> =>
      system.query(`SELECT datname FROM pg_database WHERE datname LIKE 'longpole%'
        UNION ALL SELECT rolname FROM pg_roles WHERE rolname LIKE 'longpole%'`);
    try {
      const other = await startSystem({ settings: SETTINGS, telemetryUrl: undefined, folder: newFolder() });
      expect((await fetch(`${other.gatewayUrl}/api/records/host-7.example`)).status).toBe(200);
      expect(await databases()).toHaveLength(2);
      expect(other.pids()["postgres"]).toEqual([]);
      await other.stop();
      expect(await databases()).toEqual([]);
    } finally {
      delete process.env["LONGPOLE_LAB_POSTGRES_URL"];
    }
  });

  test("a process that is killed is told of", async () => {
    expect(system.failure.aborted).toBe(false);
    process.kill(system.pids()["ingest"]?.[0] ?? 0, "SIGKILL");
    expect(await until(() => system.failure.aborted, 5)).toBe(true);
    expect(system.failure.reason).toMatchObject({ code: "process-died", message: "ingest-0 ended by SIGKILL" });
    expect((await system.health()).ok).toBe(false);
  });

  test("after its end there are logs and profiles, and nothing else", async () => {
    await system.stop();
    expect(processesWith(mark)).toEqual([]);
    expect(readdirSync(folder).filter((name) => !name.endsWith(".cpuprofile"))).toEqual(["logs"]);
    expect(readdirSync(join(folder, "logs"))).toContain("zones-0.log");
  });
});

describe.skipIf(process.platform !== "linux")("the end of the system", () => {
  const SCRIPT = `
    const { startSystem } = await import(${JSON.stringify(join(ROOT, "dist/lab/system/start-system.js"))});
    const settings = ${JSON.stringify(SETTINGS)};
    await startSystem({ settings, telemetryUrl: "http://127.0.0.1:9", folder: process.argv[1], removeAtEnd: process.argv.slice(2) });
    console.log("started");
    setInterval(() => {}, 1000);`;

  test.each([
    ["when its first process is there", 2, true],
    ["in the middle of its start", 6, true],
    ["when it runs", undefined, true],
    ["and wants to keep its folder", undefined, false],
  ])("a parent that is killed %s leaves nothing", async (_, processes, isGiven) => {
    const folder = newFolder();
    const recording = newFolder();
    const given = isGiven ? [folder, recording] : [];
    const mark = randomUUID();
    const env = { ...process.env, LAB_TEST_MARK: mark };
    const parent = spawn(process.execPath, ["--input-type=module", "-e", SCRIPT, folder, ...given], {
      env,
      detached: true,
    });
    try {
      if (processes === undefined) await once(parent.stdout, "data");
      else expect(await until(() => processesWith(mark).length >= processes, 30)).toBe(true);
    } finally {
      // With its whole process group, as a shell does.
      process.kill(-(parent.pid ?? 0), "SIGKILL");
    }
    expect(await until(() => processesWith(mark).length === 0, 15)).toBe(true);
    if (isGiven) expect(await until(() => !existsSync(folder) && !existsSync(recording), 5)).toBe(true);
    else expect(await until(() => readdirSync(folder).join() === "logs", 5)).toBe(true);
    expect(existsSync(recording)).toBe(!isGiven);
  });
});

describe.skipIf(process.platform !== "linux")("the keeper", () => {
  test("of a keeper that is killed, all is taken away but what cannot be, and that is told", async () => {
    const folder = newFolder();
    const [first, stuck, last] = ["first", "stuck", "last"].map((name) => join(folder, name));
    mkdirSync(join(folder, "logs"));
    const told: string[] = [];
    const keeper = await Keeper.start({
      systemId: randomUUID(),
      folder,
      removeAtEnd: [folder],
      log: (line) => told.push(line),
    });
    await keeper.remember({ kind: "folder", path: first ?? "" });
    // No cgroup: a folder that is not empty cannot be removed as one.
    await keeper.remember({ kind: "cgroup", path: stuck ?? "" });
    await keeper.remember({ kind: "folder", path: last ?? "" });
    for (const path of [first, stuck, last]) mkdirSync(join(path ?? "", "inside"), { recursive: true });
    process.kill(keeper.child.pid, "SIGKILL");
    await keeper.child.ended;
    await keeper.stop();
    expect(readdirSync(folder).sort()).toEqual(["logs", "stuck"]);
    expect(told).toEqual([expect.stringContaining(`left behind: ${stuck}: `)]);
  });
});

test("a process that does not answer is named", async () => {
  const folder = newFolder();
  const hung = await Child.start({
    name: "zones-0",
    module: "host/busy-neighbour",
    logFile: join(folder, "log"),
    env: { LONGPOLE_LAB_CONFIG: JSON.stringify({ nice: 10 }) },
    execArgv: [],
    prefix: [],
    diesWithParent: true,
  });
  process.kill(hung.pid, "SIGSTOP");
  try {
    const message = "zones-0 did not answer to flush within 0.05 s";
    await expect(hung.ask({ kind: "flush" }, 50)).rejects.toMatchObject({ code: "unhealthy", message });
  } finally {
    await hung.stop(0);
  }
});

describe("a system that cannot start", () => {
  const mark = randomUUID();

  beforeEach(() => void (process.env["LAB_TEST_MARK"] = mark));

  afterEach(() => {
    delete process.env["LAB_TEST_MARK"];
    delete process.env["LONGPOLE_LAB_POSTGRES_URL"];
  });

  test("PostgreSQL refuses its settings: the end of its log is in the error", async () => {
    const folder = newFolder();
    // More than any machine has.
    const settings = withSettings(SETTINGS, { postgres: { sharedBuffersMb: 1_000_000_000 } });
    const started = startSystem({ settings, telemetryUrl: undefined, folder });
    await expect(started).rejects.toMatchObject({
      code: "postgres-failed",
      message: expect.stringContaining("shared_buffers"),
    });
    expect(readdirSync(folder)).toEqual(["logs"]);
  });

  test.each([
    ["nonsense", "postgres-url", /is no URL/],
    ["postgresql://nobody:secret@127.0.0.1:1/none", "postgres-failed", /127\.0\.0\.1:1.*ECONNREFUSED/],
  ])("the URL of a server that is none: %s", async (url, code, message) => {
    process.env["LONGPOLE_LAB_POSTGRES_URL"] = url;
    const started = startSystem({ settings: SETTINGS, telemetryUrl: undefined, folder: newFolder() });
    const error: unknown = await started.catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code, message: expect.stringMatching(message) });
    expect(String(error)).not.toContain("secret");
  });

  test("a folder that is not there", async () => {
    const started = startSystem({ settings: SETTINGS, telemetryUrl: undefined, folder: "/nowhere/at/all" });
    await expect(started).rejects.toMatchObject({ code: "folder" });
  });

  test("an interruption in the middle of the start leaves nothing", async () => {
    const folder = newFolder();
    const interruption = new AbortController();
    const started = startSystem({ settings: SETTINGS, telemetryUrl: undefined, folder, signal: interruption.signal });
    setTimeout(() => interruption.abort(new Error("interrupted")), 600);
    await expect(started).rejects.toThrow("interrupted");
    expect(readdirSync(folder)).toEqual(["logs"]);
  });

  test.skipIf(process.platform !== "linux")("none of these has left a process", () => {
    expect(processesWith(mark)).toEqual([]);
  });
});
