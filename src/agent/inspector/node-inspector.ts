import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { RecordError, readProcess, type TargetProcess } from "../target-process.ts";
import { listeningPorts } from "./listening-ports.ts";
import { WebSocketClient } from "./web-socket.ts";

const TIMEOUT_MS = 5_000;
const POLL_MS = 20;
/** The target closes its inspector by itself when it has not heard of us for so long. */
const SILENCE_MS = 3_000;
const HEARTBEAT_MS = 500;
/** SIGUSR1 is signal 10: bit 9 of the mask of caught signals. */
const SIGUSR1_BIT = 1n << 9n;

export interface InspectedProfile {
  /** V8's CPU profile, as .cpuprofile files hold it */
  readonly cpuProfile: Uint8Array;
  readonly startUnixNs: bigint;
  /** what the user has to know */
  readonly remarks: readonly string[];
}

export interface InspectOptions {
  readonly seconds: number;
  readonly hz: number;
  readonly signal: AbortSignal;
}

/**
 * A CPU profile of a Node.js process that was started without preparation. SIGUSR1 makes Node open its inspector at
 * 127.0.0.1, through which anybody who can connect there may run code in the process; so it is closed again in the end, also when
 * this process is killed meanwhile: the target is told to close it by itself after 3 s without a sign of life. What that cannot
 * cover: to be killed in the milliseconds between the signal and that order, a target whose event loop never comes to it, and an
 * inspector that opens and then takes no connection, which the error tells. An inspector that was open before stays open.
 *
 * Throws a RecordError where the target is no Node.js, does not catch SIGUSR1 (which would end it), or opens nothing.
 */
export async function inspectNode(target: TargetProcess, options: InspectOptions): Promise<InspectedProfile> {
  const before = await inspectorOf(listeningPorts(target.pid));
  const wasOpen = before !== undefined;
  const opened = before ?? (await openInspector(target));
  const { session, url } = wasOpen
    ? { session: await Session.connect(opened), url: opened }
    : await connectToOpened(target, opened);
  const remarks: string[] = wasOpen
    ? [`the inspector of ${target.name} was open already (${url.host}) and stays so`]
    : [];
  try {
    if (!wasOpen) await session.guard();
    const beat = setInterval(() => wasOpen || session.heartbeat(), HEARTBEAT_MS);
    let cpuProfile: Uint8Array;
    let startUnixNs: bigint;
    try {
      await session.call("Profiler.enable");
      await session.call("Profiler.setSamplingInterval", { interval: Math.round(1e6 / options.hz) });
      if (!countsCoverage(target.pid)) await session.forgetOptimizedCode();
      await session.call("Profiler.start");
      startUnixNs = BigInt(Date.now()) * 1_000_000n;
      await Promise.race([
        sleep(options.seconds * 1000, undefined, { signal: options.signal }).catch(() => {}),
        session.ended,
      ]);
      const { profile } = await session.call<{ profile: unknown }>("Profiler.stop");
      cpuProfile = Buffer.from(JSON.stringify(profile));
    } finally {
      clearInterval(beat);
    }
    return { cpuProfile, startUnixNs, remarks };
  } finally {
    if (!wasOpen) await closeInspector(session, target, url, remarks);
    session.close();
  }
}

/**
 * Only through a connection can it be closed again: one that fails is tried anew, at the address that the inspector tells then.
 * Throws a RecordError that says that it is left open, and what closes it.
 */
async function connectToOpened(target: TargetProcess, opened: URL): Promise<{ session: Session; url: URL }> {
  const port = Number(opened.port);
  let url = opened;
  let why = "";
  let closed = 0;
  for (const endMs = performance.now() + TIMEOUT_MS; performance.now() < endMs; await sleep(10 * POLL_MS)) {
    try {
      return { session: await Session.connect(url), url };
    } catch (error) {
      why = (error as Error).message;
    }
    // Twice: it may just be closing to open anew.
    closed = listeningPorts(target.pid).includes(port) ? 0 : closed + 1;
    if (closed > 1) throw new RecordError(`${why}, and has closed again`);
    url = (await inspectorOf([port])) ?? url;
  }
  throw new RecordError(
    `${why}. The inspector of ${target.name} (process ${target.pid}) was opened and is left open: who can connect to ${url.host} may run code in that process. ` +
      `It closes with the process, or by: node inspect ${url.host}, and there: exec setTimeout(() => process.getBuiltinModule('node:inspector').close(), 99)`,
  );
}

/** URL of the inspector that one of these ports is, if one is. */
async function inspectorOf(ports: readonly number[]): Promise<URL | undefined> {
  for (const port of ports) {
    try {
      const signal = AbortSignal.timeout(TIMEOUT_MS);
      const response = await fetch(`http://127.0.0.1:${port}/json/list`, { redirect: "error", signal });
      const targets: unknown = JSON.parse((await response.text()).slice(0, 1 << 20));
      const found = Array.isArray(targets) ? (targets as { webSocketDebuggerUrl?: unknown }[]) : [];
      const address = found[0]?.webSocketDebuggerUrl;
      if (typeof address !== "string" || !URL.canParse(address)) continue;
      const url = new URL(address);
      // Whatever the answer says: the process that was asked.
      if (url.protocol === "ws:") return new URL(`ws://127.0.0.1:${port}${url.pathname}`);
    } catch {
      // Another kind of server.
    }
  }
  return undefined;
}

async function openInspector(target: TargetProcess): Promise<URL> {
  const { pid, name } = target;
  if (!/^(?:node|nodejs)\d*$/.test(executableOf(pid)) && !/\bnode\b/.test(target.command.split(" ")[0]!))
    throw new RecordError(`process ${pid} (${name}) is no Node.js: --inspect is for those`);
  if ((caughtSignals(pid) & SIGUSR1_BIT) === 0n)
    throw new RecordError(
      `process ${pid} (${name}) does not catch SIGUSR1, which would end it (started with --disable-sigusr1, or still starting)`,
    );
  const known = new Set(listeningPorts(pid));
  const present = readProcess(pid);
  if (present?.startTicks !== target.startTicks) throw new RecordError(`process ${pid} (${name}) has ended`);
  // It would open its inspector when it goes on, and nobody would close it.
  if (/^[Tt]$/.test(present.state)) throw new RecordError(`process ${pid} (${name}) is stopped`);
  try {
    process.kill(pid, "SIGUSR1");
  } catch (error) {
    throw new RecordError(`process ${pid} (${name}) cannot be sent SIGUSR1: ${(error as Error).message}`);
  }
  for (const endMs = performance.now() + TIMEOUT_MS; performance.now() < endMs;) {
    const url = await inspectorOf(listeningPorts(pid).filter((port) => !known.has(port)));
    if (url !== undefined) return url;
    await sleep(POLL_MS);
  }
  throw new RecordError(
    `process ${pid} (${name}) opened no inspector in ${TIMEOUT_MS / 1000} s: its port is taken (9229, or --inspect-port), or it has a handler of its own for SIGUSR1, which was called. Should it open one later, it stays open`,
  );
}

function executableOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, "utf8").trim();
  } catch {
    return "";
  }
}

function caughtSignals(pid: number): bigint {
  try {
    const mask = /^SigCgt:\s*([\da-f]+)$/m.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1];
    return mask === undefined ? 0n : BigInt(`0x${mask}`);
  } catch {
    return 0n;
  }
}

/** Whether Node writes the coverage of this process at its end: counting calls anew would take that from it. */
function countsCoverage(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/environ`, "latin1").includes("NODE_V8_COVERAGE=");
  } catch {
    return false;
  }
}

/** Has the target close its inspector, and waits until its port is. */
async function closeInspector(session: Session, target: TargetProcess, url: URL, remarks: string[]): Promise<void> {
  await session.orderToClose();
  session.close();
  const port = Number(url.port);
  for (const endMs = performance.now() + TIMEOUT_MS; performance.now() < endMs;) {
    if (!listeningPorts(target.pid).includes(port)) return;
    await sleep(POLL_MS);
  }
  remarks.push(
    `the inspector of ${target.name} (process ${target.pid}) is still open at ${url.host}: its event loop is busy; it closes when that comes to it`,
  );
}

/** Node's module, by whatever way there is to it from an evaluated text. */
const INSPECTOR = `(process.getBuiltinModule ? process.getBuiltinModule("node:inspector") : require("node:inspector"))`;
/** In the target: when we were heard of last, and how it closes its inspector. */
const SEEN = `globalThis[Symbol.for("longpole.inspector.seen")]`;
const CLOSE = `globalThis[Symbol.for("longpole.inspector.close")]`;

/** Commands of the inspector's protocol, and their answers. */
class Session {
  /** Resolves when the connection has ended. */
  readonly ended: Promise<void>;
  private readonly socket: WebSocketClient;
  private readonly waiting = new Map<number, { resolve(result: unknown): void; reject(error: Error): void }>();
  private number = 0;
  private isOver = false;

  private constructor(socket: WebSocketClient) {
    this.socket = socket;
    this.ended = new Promise((resolve) => {
      socket.onMessage = (text) => {
        if (text !== undefined) return this.take(text);
        this.isOver = true;
        for (const { reject } of this.waiting.values()) reject(ENDED);
        this.waiting.clear();
        resolve();
      };
    });
  }

  static async connect(url: URL): Promise<Session> {
    try {
      return new Session(await WebSocketClient.connect(url, TIMEOUT_MS));
    } catch (error) {
      throw new RecordError(`the inspector at ${url.host} cannot be reached: ${(error as Error).message}`);
    }
  }

  async call<T>(method: string, params: object = {}): Promise<T> {
    if (this.isOver) throw ENDED;
    const id = ++this.number;
    const answer = new Promise<unknown>((resolve, reject) => this.waiting.set(id, { resolve, reject }));
    this.socket.send(JSON.stringify({ id, method, params }));
    return (await answer) as T;
  }

  /** From now on the target closes its inspector when no heartbeat comes. */
  async guard(): Promise<void> {
    await this.evaluate(`(() => {
      const inspector = ${INSPECTOR};
      ${SEEN} = Date.now();
      const close = () => { clearInterval(watch); delete ${SEEN}; delete ${CLOSE}; inspector.close(); };
      // Twice: behind a long stretch of work the signs of life are read after the timer.
      let silent = 0;
      const watch = setInterval(() => {
        silent = Date.now() - ${SEEN} > ${SILENCE_MS} ? silent + 1 : 0;
        if (silent > 1) close();
      }, ${HEARTBEAT_MS});
      watch.unref();
      ${CLOSE} = close;
    })()`);
  }

  /**
   * Of code that was optimized before a profiler ran, V8 may not know which functions it had built into which, and counts them as
   * their caller's own (a handler as Node's listOnTimeout in 2 of 14 recordings; in none of 15 after this). Starting to count
   * calls throws all optimized code away; what is hot is optimized again within milliseconds, under the profiler's eyes.
   */
  async forgetOptimizedCode(): Promise<void> {
    await this.call("Profiler.startPreciseCoverage", { callCount: true, detailed: false });
    await this.call("Profiler.stopPreciseCoverage");
  }

  heartbeat(): void {
    // Without an answer the connection has ended, which others notice.
    this.evaluate(`void (${SEEN} = Date.now())`).catch(() => {});
  }

  /** Closing waits for all connections to end: the target does it when this one has. Also where it could not be guarded. */
  async orderToClose(): Promise<void> {
    try {
      await this.evaluate(`void setTimeout(() => ${CLOSE} ? ${CLOSE}() : ${INSPECTOR}.close(), 50)`);
    } catch {
      // The connection has ended: the target closes it by itself.
    }
  }

  close(): void {
    this.socket.close();
  }

  private async evaluate(expression: string): Promise<void> {
    const params = { expression, includeCommandLineAPI: true, returnByValue: true };
    const { exceptionDetails } = await this.call<{ exceptionDetails?: { text?: string } }>("Runtime.evaluate", params);
    if (exceptionDetails !== undefined)
      throw new RecordError(
        `the target could not be told to close its inspector: ${exceptionDetails.text ?? "an exception"}`,
      );
  }

  private take(text: string): void {
    const { id, result, error } = JSON.parse(text) as { id?: number; result?: unknown; error?: { message: string } };
    if (id === undefined) return;
    const waiting = this.waiting.get(id);
    this.waiting.delete(id);
    if (error === undefined) waiting?.resolve(result);
    else waiting?.reject(new RecordError(`the inspector refused: ${error.message}`));
  }
}

const ENDED = new RecordError("the target has ended, or closed its inspector");
