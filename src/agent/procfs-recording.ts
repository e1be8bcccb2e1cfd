import { readFileSync } from "node:fs";
import { cpus } from "node:os";
import type { ProcessRecording, RecordedThread } from "../model/process-recording.ts";
import { StackTableBuilder } from "../model/stack-table-builder.ts";
import type { StackTable } from "../model/stack-table.ts";
import { frameNames, namelessRemarks } from "./frame-names.ts";
import type { RecordOptions } from "./helper-recording.ts";
import { growth, readCounters, threadsOf } from "./process-counters.ts";
import { rootedShare, stackTableOf, type WeightedStack } from "./recorded-stacks.ts";
import { Symboliser } from "./symboliser.ts";
import { RecordError, readProcess, type TargetProcess } from "./target-process.ts";

/** A look at every thread costs some 20 µs each: 50 a second of 100 threads take a tenth of a core. */
const LOOK_EVERY_MS = 20;

/** What was seen of one thread. */
interface ThreadLook {
  readonly firstNs: number;
  lastNs: number;
  name: string;
  readonly before: readonly [number, number];
  after: readonly [number, number];
  /** minor and major page faults */
  readonly faultsBefore: readonly [number, number];
  faultsAfter: readonly [number, number];
  /** looks by what the thread waited for: "number detail function" */
  readonly waits: Map<string, number>;
}

/** Samples of the processor from elsewhere, for where the looks tell only times. */
export interface OtherProfile {
  readonly stacks: StackTable;
  readonly name: "perf";
}

/**
 * Records a process by looking at /proc over and over, which needs no rights on one's own processes: times on and
 * off the processor by the kernel's accounting, kinds of waits by sampling. Functions are not seen, but those of `profile`.
 */
export async function recordByProcfs(
  target: TargetProcess,
  options: RecordOptions,
  why: readonly { readonly what: string; readonly why: string }[],
  profile?: Promise<OtherProfile | undefined>,
): Promise<ProcessRecording> {
  target.begin?.();
  const startUnixNs = BigInt(Date.now()) * 1_000_000n;
  const began = process.hrtime.bigint();
  const sinceStart = (): number => Number(process.hrtime.bigint() - began);
  const before = readCounters(target.pid);
  let after = before;
  const threads = new Map<number, ThreadLook>();
  const until = options.seconds * 1e9;
  let hasEnded = false;
  void target.ended?.then(() => (hasEnded = true));
  while (sinceStart() < until && !options.signal.aborted && !hasEnded) {
    if (readProcess(target.pid)?.startTicks !== target.startTicks && target.startTicks >= 0) break;
    look(target.pid, sinceStart(), threads);
    const now = readCounters(target.pid);
    if (now.minorFaults >= 0) after = now;
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
  const durationNs = sinceStart();
  if (threads.size === 0) throw new RecordError(`process ${target.pid} ended before anything of it was seen`);
  const recorded = [...threads].map(([tid, held]) => threadOf(target.pid, tid, held));
  const at = { startUnixNs, durationNs };
  const namesOfThreads = new Map(recorded.map(({ tid, name }) => [tid, { tgid: target.pid, name }]));
  const quality = { frames: 0, named: 0, namelessCompiled: 0, stacks: 0, rooted: 0 };
  const offCpu = stackTableOf(
    [...threads].flatMap(([tid, held]) => waitsOf(target.pid, tid, held, recorded)),
    [
      ["off-cpu", "nanoseconds"],
      ["waits", "count"],
    ],
    namesOfThreads,
    () => target.name,
    at,
    new Symboliser(),
    quality,
  );
  const found = await profile;
  const names = found === undefined ? undefined : frameNames(found.stacks);
  return {
    collector: found === undefined ? "procfs" : found.name,
    pid: target.pid,
    command: target.command,
    name: target.name,
    ...at,
    processors: cpus().length,
    threads: recorded,
    onCpu: found === undefined ? emptyProfile() : weighted(found.stacks, recorded),
    offCpu,
    faults: emptyProfile(),
    counters: growth(before, after),
    histograms: [],
    preemptedBy: [],
    quality: {
      samples: found?.stacks.samples.rowCount ?? 0,
      rooted: found === undefined ? 1 : rootedShare(found.stacks),
      named: names === undefined || names.frames === 0 ? 1 : names.named / names.frames,
      lostSamples: 0,
      stacksSkipped: 0,
      notObserved: why,
      remarks: names === undefined ? [] : namelessRemarks(names),
      cost: undefined,
    },
  };
}

/** Run and queue time of a thread, nanoseconds; zero where the kernel does not account. */
function schedule(pid: number, tid: number): readonly [number, number] {
  try {
    const [run = 0, wait = 0] = readFileSync(`/proc/${pid}/task/${tid}/schedstat`, "latin1").split(" ").map(Number);
    return [run, wait];
  } catch {
    return [0, 0];
  }
}

/** Fields 10 and 12 of proc(5); the state, which is field 3, is the first behind the name. */
function faultsOf(stat: string): readonly [number, number] {
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return [Number(fields[7] ?? 0), Number(fields[9] ?? 0)];
}

function look(pid: number, nowNs: number, threads: Map<number, ThreadLook>): void {
  for (const tid of threadsOf(pid)) {
    const stat = textOf(`/proc/${pid}/task/${tid}/stat`);
    if (stat === "") continue;
    const times = schedule(pid, tid);
    const faults = faultsOf(stat);
    let held = threads.get(tid);
    if (held === undefined) {
      const at = { firstNs: nowNs, lastNs: nowNs, before: times, after: times };
      held = { ...at, faultsBefore: faults, faultsAfter: faults, name: "", waits: new Map() };
      threads.set(tid, held);
    }
    held.lastNs = nowNs;
    held.after = times;
    held.faultsAfter = faults;
    held.name = stat.slice(stat.indexOf("(") + 1, stat.lastIndexOf(")"));
    const state = stat[stat.lastIndexOf(")") + 2]!;
    if (state === "R") continue;
    // "-1" or "running" outside of a system call; nothing where another user's process is looked at.
    const [number = "-1", , operation = "0", value = "0"] = textOf(`/proc/${pid}/task/${tid}/syscall`).split(" ");
    const syscall = /^\d+$/.test(number) ? Number(number) : -1;
    const futex = (Number(operation) & 0x7f) | (Number(value) === 2 ? 0x80 : 0);
    const detail = (syscall === 202 ? futex : 0) | (state === "D" ? 0x200 : 0) | (/[Tt]/.test(state) ? 0x400 : 0);
    const key = `${syscall} ${detail} ${textOf(`/proc/${pid}/task/${tid}/wchan`)}`;
    held.waits.set(key, (held.waits.get(key) ?? 0) + 1);
  }
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    // Gone since, or not to be looked at: that part of the time stays unexplained.
    return "";
  }
}

function threadOf(pid: number, tid: number, held: ThreadLook): RecordedThread {
  const { firstNs, lastNs, name, before, after, faultsBefore, faultsAfter } = held;
  const wallNs = lastNs - firstNs;
  const cpuNs = Math.min(wallNs, after[0] - before[0]);
  const runnableNs = Math.min(wallNs - cpuNs, after[1] - before[1]);
  const blockedNs = wallNs - cpuNs - runnableNs;
  const faults = { minor: faultsAfter[0] - faultsBefore[0], major: faultsAfter[1] - faultsBefore[1] };
  return { pid, tid, name, wallNs, cpuNs, runnableNs, blockedNs, waits: 0, preemptions: 0, faults };
}

/** The looks share the time that the thread was off the processor. */
function waitsOf(pid: number, tid: number, held: ThreadLook, threads: readonly RecordedThread[]): WeightedStack[] {
  const blockedNs = threads.find((one) => one.tid === tid)!.blockedNs;
  const all = [...held.waits.values()].reduce((sum, count) => sum + count, 0);
  return [...held.waits].map(([key, looks]) => {
    const [syscall, detail] = key.split(" ").map(Number) as [number, number];
    const stack = { tgid: pid, tid, syscall, detail, kernel: [], user: [], isRooted: false };
    const place = key.split(" ")[2] ?? "";
    return {
      stack: place === "" || place === "0" ? stack : { ...stack, place },
      values: [(looks / all) * blockedNs, looks],
    };
  });
}

function emptyProfile(): StackTable {
  const builder = new StackTableBuilder();
  builder.valueType("cpu", "nanoseconds");
  builder.valueType("samples", "count");
  return builder.finish();
}

/** The samples of each thread share its exact processor time. */
function weighted(table: StackTable, threads: readonly RecordedThread[]): StackTable {
  const { samples, threads: columns } = table;
  const counts = new Map<number, number>();
  const tidOf = (row: number): number => columns.tid[samples.thread[row]!]!;
  for (let row = 0; row < samples.rowCount; row++) counts.set(tidOf(row), (counts.get(tidOf(row)) ?? 0) + 1);
  const cpuNs = new Map(threads.map((thread) => [thread.tid, thread.cpuNs]));
  const times = Float64Array.from(
    { length: samples.rowCount },
    (_, row) => (cpuNs.get(tidOf(row)) ?? 0) / counts.get(tidOf(row))!,
  );
  return {
    ...table,
    valueTypes: [
      { type: "cpu", unit: "nanoseconds" },
      { type: "samples", unit: "count" },
    ],
    defaultValue: 0,
    samples: { ...samples, values: [times, new Float64Array(samples.rowCount).fill(1)] },
  };
}
