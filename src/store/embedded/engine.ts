import { type ChildProcess, fork } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { totalmem } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { StoreError } from "../store-error.ts";
import { DataLock, statFields } from "./data-lock.ts";
import { configXml, ENDLESS_QUERY, READER, type RemoteShard, usersXml, WRITER } from "./engine-config.ts";
import { type EngineFiles, findEngine } from "./engine-files.ts";
import { cpuTicks, Heartbeat } from "./heartbeat.ts";

export interface EngineOptions {
  readonly dataDir: string;
  /** what the engine may use; a quarter of the machine's, at least 512 MiB and at most 2 GiB if absent */
  readonly memoryLimitBytes?: number;
  /** told what happened to the engine, a line each */
  readonly log?: (line: string) => void;
  /** 0 or absent: free ones */
  readonly httpPort?: number;
  readonly tcpPort?: number;
  /** shards of the cluster "longpole", for engines that form one */
  readonly shards?: readonly RemoteShard[];
}

/** up: answers; down: being started anew; stopped: on purpose. */
export type EngineState = "up" | "down" | "stopped";

/** Silent and without using the processor for so long, a new engine will not answer: to read its library from a slow disk is work too. */
const IDLE_START_MS = 30_000;
/** Nor will one that was busy for so long: it takes 0.3 s, more on a loaded machine and with many parts. */
const START_MS = 10 * 60_000;
const MiB = 2 ** 20;

/**
 * ClickHouse as a child process: started, watched, started anew when it dies or hangs, until `stop`. It ends with
 * this process, however that ends.
 */
export class Engine {
  readonly dataDir: string;
  readonly httpPort: number;
  readonly tcpPort: number;
  readonly writer: { readonly user: string; readonly password: string };
  readonly reader: { readonly user: string; readonly password: string };
  /** how often it was started anew */
  restarts = 0;
  state: EngineState = "down";
  private child: ChildProcess | undefined;
  private readonly files: EngineFiles;
  private readonly configFile: string;
  private readonly lock: DataLock;
  private readonly log: (line: string) => void;
  private readonly heartbeat: Heartbeat;
  private lastWords = "";

  private constructor(files: EngineFiles, lock: DataLock, settings: Prepared, log: (line: string) => void) {
    this.files = files;
    this.lock = lock;
    this.log = log;
    this.dataDir = settings.dataDir;
    this.httpPort = settings.httpPort;
    this.tcpPort = settings.tcpPort;
    this.configFile = settings.configFile;
    this.writer = { user: WRITER, password: settings.writerPassword };
    this.reader = { user: READER, password: settings.readerPassword };
    this.heartbeat = new Heartbeat(this.url);
  }

  /** Resolves when it answers. Throws StoreError: "not-installed", "locked", "engine-broken". */
  static async start(options: EngineOptions): Promise<Engine> {
    const engine = await Engine.prepare(options);
    try {
      await engine.launch();
    } catch (error) {
      await engine.stop();
      throw error;
    }
    return engine;
  }

  /** An engine that has its folder, ports and passwords, and is not launched yet. Throws StoreError: "not-installed", "locked". */
  static async prepare(options: EngineOptions): Promise<Engine> {
    const files = findEngine();
    const dataDir = resolve(options.dataDir);
    mkdirSync(dataDir, { recursive: true, mode: 0o700 });
    const lock = await DataLock.take(join(dataDir, "engine.lock"));
    try {
      return new Engine(files, lock, await prepare(dataDir, options), options.log ?? (() => {}));
    } catch (error) {
      lock.release();
      throw error;
    }
  }

  get url(): string {
    return `http://127.0.0.1:${this.httpPort}`;
  }

  get pid(): number | undefined {
    return this.child?.pid;
  }

  /** Ends the engine. What was acknowledged is on the disk before this; inserts under way fail. */
  async stop(): Promise<void> {
    if (this.state === "stopped") return;
    this.state = "stopped";
    this.heartbeat.stop();
    const child = this.child;
    // One that could not be started has no process, and will not end.
    if (child?.pid !== undefined && child.exitCode === null && child.signalCode === null) {
      const ended = new Promise<void>((done) => child.once("exit", () => done()));
      child.kill("SIGTERM");
      // A stopped process takes no SIGTERM.
      const timer = setTimeout(() => child.kill("SIGKILL"), 2000);
      await ended;
      clearTimeout(timer);
    }
    this.lock.release();
  }

  /** Resolves when it answers; from then on it is started anew when it ends. Throws StoreError "engine-broken", and where `stop` was called meanwhile. */
  async launch(): Promise<void> {
    this.lastWords = "";
    const child = forkChild([this.files.library, this.configFile, ENDLESS_QUERY]);
    this.child = child;
    if (child.pid !== undefined) this.lock.noteEngine(child.pid);
    child.stderr?.on("data", (chunk: Buffer) => (this.lastWords = (this.lastWords + chunk.toString()).slice(-4096)));
    const ended = new Promise<string>((done) => {
      child.once("error", (error) => done(error.message));
      child.once("exit", (code, signal) =>
        done(signal === null ? `it ended with code ${code}` : `it ended by ${signal}`),
      );
    });
    const how = await Promise.race([ended, this.answers(child)]);
    if (how !== undefined || this.isStopped()) {
      child.kill("SIGKILL");
      if (this.isStopped()) throw new StoreError("unreachable", "the engine was stopped before it answered");
      throw new StoreError(
        "engine-broken",
        `ClickHouse in libchdb.so ${this.files.libraryVersion} did not start: ${how}${this.words()}`,
      );
    }
    this.state = "up";
    void ended.then((reason) => this.revive(reason));
    this.heartbeat.start(child.pid!, (reason) => {
      this.log(`engine ${child.pid} ${reason}: it is killed`);
      child.kill("SIGKILL");
    });
  }

  /** Nothing when the engine answers; else why not. */
  private async answers(child: ChildProcess): Promise<string | undefined> {
    const began = Date.now();
    let lastBusy = began;
    for (let ticks = 0; ; await delay(20)) {
      if (child.exitCode !== null || child.signalCode !== null) return "it ended";
      if (await this.heartbeat.answers(1000)) return undefined;
      const [now, seen] = [Date.now(), cpuTicks(child.pid!)];
      if (seen > ticks) [ticks, lastBusy] = [seen, now];
      if (now - lastBusy >= IDLE_START_MS || now - began >= START_MS)
        return `it did not answer within ${Math.round((now - began) / 1000)} s`;
    }
  }

  private words(): string {
    const lines = this.lastWords.split("\n").filter((line) => line !== "" && !line.startsWith("Logging "));
    return lines.length === 0 ? "" : `; it said: ${lines.slice(0, 12).join(" | ")}`;
  }

  private async revive(reason: string): Promise<void> {
    this.heartbeat.stop();
    for (let pause = 0; this.state !== "stopped"; pause = Math.min(10_000, pause * 2 + 250)) {
      this.state = "down";
      this.log(`the engine is gone (${reason})${this.words()}; it is started anew`);
      await delay(pause);
      if (this.isStopped()) return;
      try {
        await this.launch();
        this.restarts++;
        this.log(`the engine answers again, process ${this.pid}`);
        return;
      } catch (error) {
        reason = (error as Error).message;
      }
    }
  }

  /** A method, as `stop` may have been called during an await, which the compiler does not see. */
  private isStopped(): boolean {
    return this.state === "stopped";
  }

  /** Processor time of the engine so far, seconds, user and system; for measurements and status. */
  cpuSeconds(): number {
    const fields = this.pid === undefined ? undefined : statFields(this.pid);
    // Fields 14 and 15, counted from the third; 100 ticks a second on every Linux.
    return fields === undefined ? 0 : (Number(fields[11]) + Number(fields[12])) / 100;
  }
}

interface Prepared {
  readonly dataDir: string;
  readonly httpPort: number;
  readonly tcpPort: number;
  readonly configFile: string;
  readonly writerPassword: string;
  readonly readerPassword: string;
}

async function prepare(dataDir: string, options: EngineOptions): Promise<Prepared> {
  const writerPassword = passwordOf(join(dataDir, "engine.password"));
  const readerPassword = passwordOf(join(dataDir, "engine.reader-password"));
  const [httpPort, tcpPort] = [options.httpPort || (await freePort()), options.tcpPort || (await freePort())];
  const configFile = join(dataDir, "engine-config.xml");
  const settings = {
    dataDir: join(dataDir, "clickhouse"),
    httpPort,
    tcpPort,
    writerPassword,
    readerPassword,
    memoryLimitBytes: options.memoryLimitBytes ?? Math.min(2048 * MiB, Math.max(512 * MiB, Math.floor(totalmem() / 4))),
    usersFile: join(dataDir, "engine-users.xml"),
    logFile: join(dataDir, "engine.log"),
    ...(options.shards === undefined ? {} : { shards: options.shards }),
  };
  mkdirSync(join(settings.dataDir, "tmp"), { recursive: true, mode: 0o700 });
  writeFileSync(configFile, configXml(settings), { mode: 0o600 });
  writeFileSync(settings.usersFile, usersXml(settings), { mode: 0o600 });
  return { dataDir, httpPort, tcpPort, configFile, writerPassword, readerPassword };
}

/** The password in the file, which is made with one of 192 random bits when there is none. */
function passwordOf(file: string): string {
  try {
    const password = readFileSync(file, "utf8").trim();
    if (password !== "") return password;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
  const password = randomBytes(24).toString("base64url");
  writeFileSync(file, password, { mode: 0o600 });
  return password;
}

function freePort(): Promise<number> {
  return new Promise((found, failed) => {
    const server = createServer();
    server.once("error", failed);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => found(port));
    });
  });
}

function forkChild(argv: readonly string[]): ChildProcess {
  const isSource = import.meta.url.endsWith(".ts");
  const file = fileURLToPath(new URL(isSource ? "engine-child.ts" : "engine-child.js", import.meta.url));
  // Sources, as in tests, need their loader. No other option of this process is for the engine.
  const execArgv = isSource ? ["--import", "tsx"] : [];
  return fork(file, argv, { execArgv, stdio: ["ignore", "ignore", "pipe", "ipc"], serialization: "json" });
}
