import { spawn, type ChildProcess } from "node:child_process";
import { readFileSync } from "node:fs";
import { TICKS_PER_SECOND } from "../counters/host-figures.ts";
import { PAGE_BYTES } from "../counters/page-size.ts";
import type { PrivateCounts, PrivateFacts, ProcessPeek } from "../counters/process-peek.ts";
import { parseStat } from "../counters/process-table.ts";
import { ProbeStreamReader, type ProbeRecord } from "../probe-stream.ts";

export interface ServingOptions {
  /** only looks, and attaches nothing */
  readonly isLooking?: boolean;
  readonly hz: number;
  readonly tickSeconds: number;
  /** what the helper becomes once its probes are attached; undefined: what it is */
  readonly user: { readonly uid: number; readonly gid: number } | undefined;
}

/** An answer that has not come after so long will not come. */
const ANSWER_MS = 5000;
/** Its totals are there at once; one that stands still for so long would keep the agent from its end. */
const STOP_MS = 5000;

/**
 * The helper as the agent's servant: it watches the processes that it is told of, and looks for the agent at what the agent
 * itself may not see. It ends when this process ends, however that happens, and takes its probes with it.
 */
export class ServingHelper implements ProcessPeek {
  /** resolves when its probes are attached, or it has ended */
  readonly ready: Promise<void>;
  /** rejects with its own words where it failed */
  readonly ended: Promise<void>;
  private readonly child: ChildProcess;
  private readonly asked = new Map<number, (body: Buffer | undefined) => void>();
  private next = 1;
  private isOver = false;
  private stopping: NodeJS.Timeout | undefined;

  constructor(helper: string, options: ServingOptions, onRecord: (record: ProbeRecord) => void) {
    const user =
      options.user === undefined ? [] : ["--uid", String(options.user.uid), "--gid", String(options.user.gid)];
    const serving = ["--serve", "--hz", String(options.hz), "--tick", String(options.tickSeconds)];
    const words = [...(options.isLooking === true ? ["--look"] : serving), ...user];
    const child = spawn(helper, words, { stdio: ["pipe", "pipe", "pipe"], env: {} });
    this.child = child;
    let complaint = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => (complaint += text));
    // Broken when it has ended, which `ended` tells.
    child.stdin.on("error", () => {});
    let isReady = (): void => {};
    this.ready = new Promise((resolve) => (isReady = resolve));
    const reader = new ProbeStreamReader((record) => {
      if (record.type === "hello") isReady();
      if (record.type === "peek") this.answer(record.id, record.body);
      else onRecord(record);
    });
    this.ended = new Promise<void>((resolve, reject) => {
      child.stdout.on("data", (piece: Buffer) => {
        try {
          reader.push(piece);
        } catch (error) {
          child.kill("SIGTERM");
          reject(error instanceof Error ? error : new Error(String(error)));
        }
      });
      child.once("error", (error) => {
        this.isOver = true;
        isReady();
        reject(new Error(`the helper cannot be started: ${error.message}`));
      });
      child.once("close", (code, signal) => {
        clearTimeout(this.stopping);
        this.isOver = true;
        isReady();
        for (const id of this.asked.keys()) this.answer(id, undefined);
        if (code === 0) resolve();
        else
          reject(
            new Error(complaint.trim().replace(/^longpole-probe: /, "") || `it ended with ${signal ?? `code ${code}`}`),
          );
      });
    });
    // Whoever asks for it hears of it; until then it is no unhandled rejection.
    this.ended.catch(() => {});
  }

  /** Of its process; undefined where it could not be started. */
  get pid(): number | undefined {
    return this.child.pid;
  }

  /** Counts this process from now on, and those that it starts. */
  target(pid: number): void {
    this.say(`target ${pid}`);
  }

  shed(what: "page-faults" | "kernel-locks" | "tcp" | "block-io" | "wait-stacks" | "on-cpu" | "times"): void {
    this.say(`shed ${what}`);
  }

  /** Asks it to end; it sends its totals first. One that does not is ended, and its probes with it. */
  stop(): void {
    this.child.stdin?.end();
    if (!this.isOver) this.stopping ??= setTimeout(() => this.child.kill("SIGKILL"), STOP_MS);
  }

  /** What it takes, as the kernel counts it: processor time since its start, and memory; nothing of one that has ended. */
  use(): { readonly cpuNs: number; readonly residentBytes: number } {
    try {
      const stat = parseStat(readFileSync(`/proc/${this.child.pid}/stat`));
      if (stat !== undefined && !this.isOver)
        return {
          cpuNs: ((stat.userTicks + stat.systemTicks) * 1e9) / TICKS_PER_SECOND,
          residentBytes: stat.residentPages * PAGE_BYTES,
        };
    } catch {
      // It has ended, which `ended` tells.
    }
    return { cpuNs: 0, residentBytes: 0 };
  }

  async facts(pid: number): Promise<PrivateFacts | undefined> {
    const body = await this.ask("facts", String(pid));
    if (body === undefined || body.length === 0) return undefined;
    const [program = "", folder = "", ...environment] = body.toString("utf8").split("\0");
    return { environment: environment.join("\0"), program, folder };
  }

  async maps(pid: number): Promise<string> {
    return (await this.ask("maps", String(pid)))?.toString("utf8") ?? "";
  }

  async counts(pids: readonly number[]): Promise<ReadonlyMap<number, PrivateCounts>> {
    const found = new Map<number, PrivateCounts>();
    const body = await this.ask("io", pids.join(" "));
    for (let at = 0; body !== undefined && at + 24 <= body.length; at += 24)
      found.set(body.readUInt32LE(at), {
        readBytes: Number(body.readBigUInt64LE(at + 8)),
        writtenBytes: Number(body.readBigUInt64LE(at + 16)),
      });
    return found;
  }

  private say(line: string): void {
    if (!this.isOver) this.child.stdin?.write(`${line}\n`);
  }

  private ask(what: "facts" | "maps" | "io", about: string): Promise<Buffer | undefined> {
    if (this.isOver) return Promise.resolve(undefined);
    const id = this.next++;
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.answer(id, undefined), ANSWER_MS);
      this.asked.set(id, (body) => {
        clearTimeout(timer);
        resolve(body);
      });
      this.say(`${what} ${id} ${about}`);
    });
  }

  private answer(id: number, body: Buffer | undefined): void {
    this.asked.get(id)?.(body);
    this.asked.delete(id);
  }
}
