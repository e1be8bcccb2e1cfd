import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Link } from "../connection.ts";
import { statFields } from "./data-lock.ts";
import { Engine } from "./engine.ts";
import { findEngine } from "./engine-files.ts";

let dataDir = "";
const engines: Engine[] = [];

beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), "longpole-engine-"));
});

afterEach(async () => {
  await Promise.all(engines.splice(0).map((engine) => engine.stop()));
  rmSync(dataDir, { recursive: true, force: true });
});

async function start(log?: (line: string) => void): Promise<Engine> {
  const engine = await Engine.start({ dataDir, ...(log === undefined ? {} : { log }) });
  engines.push(engine);
  return engine;
}

function linkAs(engine: Engine, user: string, password: string): Link {
  return new Link({ urls: [engine.url], user, password, database: "longpole" });
}

/** A zombie is gone: nobody has looked yet. */
function isGone(pid: number): boolean {
  return [undefined, "Z"].includes(statFields(pid)?.[0]);
}

async function eventually(what: () => boolean | Promise<boolean>): Promise<void> {
  for (const until = Date.now() + 30_000; !(await what()); await delay(20)) {
    if (Date.now() > until) throw new Error(`never came true: ${what.toString()}`);
  }
}

test("the engine's passwords are read by its owner alone, and by no configuration", async () => {
  const engine = await start();
  for (const file of ["engine.password", "engine.reader-password", "engine-config.xml", "engine-users.xml"]) {
    expect(statSync(join(dataDir, file)).mode & 0o777, file).toBe(0o600);
  }
  const users = readFileSync(join(dataDir, "engine-users.xml"), "utf8");
  expect(users).not.toContain(engine.writer.password);
  expect(engine.writer.password).toHaveLength(32);
  expect(engine.writer.password).not.toBe(engine.reader.password);
});

test("who may do what: nobody without a password, nobody as the endless query's user, the reader reads", async () => {
  const engine = await start();
  for (const [user, password, query] of [
    ["longpole", "", "SELECT 1"],
    ["default", "", "SELECT 1"],
    ["default", "", "SYSTEM STOP LISTEN HTTP"],
  ] as const) {
    const link = linkAs(engine, user, password);
    await expect(link.command(query), user).rejects.toThrow(/Authentication failed|overflown session count/);
    await link.close();
  }
  const writer = linkAs(engine, engine.writer.user, engine.writer.password);
  await writer.command("CREATE DATABASE longpole");
  await writer.command("CREATE TABLE longpole.t (x UInt8) ENGINE = MergeTree ORDER BY x");
  await writer.command("INSERT INTO longpole.t VALUES (7)");
  const reader = linkAs(engine, engine.reader.user, engine.reader.password);
  expect(await reader.rows("SELECT x FROM longpole.t")).toEqual([{ x: 7 }]);
  for (const query of [
    "SELECT * FROM file('/etc/passwd', 'LineAsString')",
    "SELECT * FROM url('http://127.0.0.1:1/', 'LineAsString')",
    "SELECT * FROM remote('127.0.0.1', system.one)",
    "SELECT * FROM executable('a', 'TSV', 'x String')",
    "SELECT * FROM system.users",
    "INSERT INTO longpole.t VALUES (8)",
    "DROP TABLE longpole.t",
    "SET readonly = 0",
  ]) {
    await expect(reader.command(query), query).rejects.toMatchObject({ code: "denied" });
  }
  await expect(reader.rows("SELECT 1 SETTINGS max_memory_usage = 0")).rejects.toThrow(/max_memory_usage/);
  // Nor is there a table that logs queries, which would fill the disk in time.
  const logs = "SELECT name FROM system.tables WHERE database = 'system' AND name LIKE '%\\_log'";
  expect(await writer.rows(logs, { asWriter: true })).toEqual([]);
  await Promise.all([writer.close(), reader.close()]);
});

test("a killed engine is back on the same port, with what was acknowledged", async () => {
  const told: string[] = [];
  const engine = await start((line) => told.push(line));
  const link = linkAs(engine, engine.writer.user, engine.writer.password);
  await link.command("CREATE DATABASE longpole");
  await link.command("CREATE TABLE longpole.t (x UInt8) ENGINE = MergeTree ORDER BY x SETTINGS fsync_after_insert = 1");
  await link.command("INSERT INTO longpole.t VALUES (7)");
  const killed = engine.pid!;
  process.kill(killed, "SIGKILL");
  await eventually(() => engine.restarts === 1);
  expect(engine.state).toBe("up");
  expect(engine.pid).not.toBe(killed);
  expect(await link.rows("SELECT x FROM longpole.t", { asWriter: true })).toEqual([{ x: 7 }]);
  expect(told[0]).toContain("SIGKILL");
  await link.close();
});

test("an engine that hangs is killed and started anew", async () => {
  const told: string[] = [];
  const engine = await start((line) => told.push(line));
  process.kill(engine.pid!, "SIGSTOP");
  await eventually(() => engine.restarts === 1);
  expect(engine.state).toBe("up");
  expect(told[0]).toMatch(/has not answered for \d/);
});

test("a second engine on the same folder is refused by name of the first one's process", async () => {
  await start();
  await expect(start()).rejects.toMatchObject({
    code: "locked",
    message: expect.stringContaining(`process ${process.pid} `),
  });
});

test("the lock of a process that is gone does not count", async () => {
  // This process's number, but started at another time: a number that was used again.
  writeFileSync(join(dataDir, "engine.lock"), JSON.stringify({ owner: { pid: process.pid, startTicks: "1" } }));
  expect((await start()).state).toBe("up");
});

test.each([
  ["running", false],
  ["stopped", true],
])(
  "an engine (%s) ends with its parent, also when that is killed, and leaves the folder to the next",
  async (_, isStopped) => {
    const program = `
    import { Engine } from ${JSON.stringify(new URL("engine.ts", import.meta.url).href)};
    const engine = await Engine.start({ dataDir: process.argv[1] });
    console.log(engine.pid);
    setInterval(() => {}, 1000);`;
    const parent = spawn(process.execPath, ["--import", "tsx", "--input-type=module", "--eval", program, dataDir], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const pid = await new Promise<number>((told) =>
      parent.stdout.once("data", (line: Buffer) => told(Number(line.toString()))),
    );
    if (isStopped) process.kill(pid, "SIGSTOP");
    const parentEnded = new Promise((done) => parent.once("exit", done));
    parent.kill("SIGKILL");
    await parentEnded;
    if (!isStopped) await eventually(() => isGone(pid));
    const engine = await start();
    expect(engine.state).toBe("up");
    expect(isGone(pid)).toBe(true);
  },
);

test("an engine that cannot start says what it said", async () => {
  writeFileSync(join(dataDir, "clickhouse"), "a file where a folder is needed");
  await expect(start()).rejects.toThrow(/EEXIST|clickhouse/);
});

test("where there is no engine for the platform, that is said", () => {
  expect(() => findEngine("darwin", "arm64")).toThrow(/linux x64 with glibc, this is darwin arm64/);
});
