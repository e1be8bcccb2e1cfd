import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import { ServingHelper } from "../src/agent/continuous/serving-helper.ts";
import { helperPath } from "../src/agent/probe-helper.ts";
import type { CountRecord, ProbeRecord } from "../src/agent/probe-stream.ts";
import { eventually } from "./running-agent.ts";

/** Undefined where it is not installed. */
export const bpftool: string | undefined = ["bpftool", "/usr/sbin/bpftool"].find(
  (command) => spawnSync(command, ["version"]).status === 0,
);

export type Worker = ChildProcess & { readonly pid: number };

/** Of a test; to wait for one thing it has less. */
export const PATIENCE_MS = 60_000;

/** A helper that tells its totals each half second, what it told, and processes for it to watch. */
export class CountingHelper {
  readonly helper: ServingHelper;
  readonly probes: Extract<ProbeRecord, { readonly type: "probe" }>[] = [];
  /** by process, kind and what it is about */
  readonly counts: Map<string, CountRecord> = new Map();
  /** how often something found no place in a table of the kernel, as the last tick has it */
  lost = 0;
  private ticks = 0;
  private readonly children: ChildProcess[] = [];
  private readonly folder: string;

  /** folder: in which its processes work */
  constructor(folder: string) {
    this.folder = folder;
    const options = { hz: 19, tickSeconds: 0.5, user: undefined };
    this.helper = new ServingHelper(helperPath(process.env), options, (record) => this.take(record));
  }

  async end(): Promise<void> {
    this.helper.stop();
    await this.helper.ended.catch(() => {});
    for (const child of this.children) child.kill("SIGKILL");
  }

  /** All that was counted of a process, or of all that are watched, and kind, whatever it is about. */
  counted(pid: number | "all", kind: number): { count: number; ns: number; bytes: number } {
    const sum = { count: 0, ns: 0, bytes: 0 };
    for (const one of this.counts.values()) {
      // The machine as a whole is process 0.
      if ((pid === "all" ? one.tgid === 0 : one.tgid !== pid) || one.kind !== kind) continue;
      sum.count += one.count;
      sum.ns += one.ns;
      sum.bytes += one.bytes;
    }
    return sum;
  }

  async until(isThere: () => boolean, what: () => string): Promise<void> {
    await eventually(PATIENCE_MS - 10_000, () => (isThere() ? true : undefined), what);
  }

  /** After the totals of now were told. */
  async nextTick(): Promise<void> {
    const before = this.ticks;
    await this.until(
      () => this.ticks >= before + 2,
      () => "a tick",
    );
  }

  keep(child: ChildProcess): void {
    this.children.push(child);
  }

  /** A program that begins when it is told to, and goes on to live unless it ends itself. */
  async unwatched(program: string, ...words: readonly string[]): Promise<Worker> {
    const script = `process.once("message", async () => { ${program} }); setInterval(() => {}, 1e6);`;
    const child = spawn(process.execPath, ["--input-type=module", "-e", script, ...words], {
      stdio: ["ignore", "inherit", "inherit", "ipc"],
      cwd: this.folder,
    });
    this.keep(child);
    await once(child, "spawn");
    return child as Worker;
  }

  async watch({ pid }: Worker): Promise<void> {
    this.helper.target(pid);
    // Lines are taken in order: the answer says that the one before it was.
    await this.helper.counts([pid]);
  }

  /** One that is watched before it begins. */
  async worker(program: string, ...words: readonly string[]): Promise<Worker> {
    const child = await this.unwatched(program, ...words);
    await this.watch(child);
    child.send("go");
    return child;
  }

  private take(record: ProbeRecord): void {
    if (record.type === "probe") this.probes.push(record);
    if (record.type === "tick") {
      this.ticks++;
      this.lost = record.lostCounts;
    }
    if (record.type === "count") this.counts.set(`${record.tgid} ${record.kind} ${record.which}`, record);
  }
}

/** The next thing that a worker says. */
export const said = async <T>(child: ChildProcess): Promise<T> => (await once(child, "message"))[0] as T;

/** Connections, one after the other, each until it is closed. */
export async function callTimes(port: number, times: number): Promise<void> {
  for (let i = 0; i < times; i++) {
    const socket = connect({ port, host: "127.0.0.1" }).on("error", () => {});
    await new Promise((resolve) => socket.once("close", resolve));
  }
}
