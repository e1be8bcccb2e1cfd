import { cpus } from "node:os";
import type { ProcessRecording, RecordedHistogram, RecordedThread } from "../model/process-recording.ts";
import type { ProbeRecord, RawStack } from "./probe-stream.ts";
import { FaultSightings } from "./fault-sightings.ts";
import { foundStack } from "./found-stack.ts";
import { namelessRemarks } from "./frame-names.ts";
import { growth, readCounters } from "./process-counters.ts";
import { runHelper } from "./probe-helper.ts";
import { stackTableOf, type FoundStack, type FrameQuality, type WeightedStack } from "./recorded-stacks.ts";
import { Symboliser } from "./symboliser.ts";
import { readProcess, type TargetProcess } from "./target-process.ts";
import { weightedSamples, weightedWaits } from "./weighted-stacks.ts";

export interface RecordOptions {
  readonly seconds: number;
  /** samples of the processor per second */
  readonly hz: number;
  /** ends the recording early, with what is known */
  readonly signal: AbortSignal;
}

type Of<T extends ProbeRecord["type"]> = Extract<ProbeRecord, { readonly type: T }>;

/** Once the helper takes more of one core than this, it gives up probes. Ten times what a recording at 49 Hz mostly takes. */
const BUDGET_PERCENT = 10;
/** Libraries that are loaded later have to be seen while they are there. */
const LOOK_EVERY_MS = 250;

/** Records a process by the helper. Throws an Error where it cannot: the caller has the next rung. */
export async function recordByHelper(
  helper: string,
  target: TargetProcess,
  options: RecordOptions,
): Promise<ProcessRecording> {
  const seen = new Sightings(target.pid);
  let before = readCounters(target.pid);
  let after = before;
  let last: ReturnType<typeof readCounters> | undefined;
  const look = setInterval(() => {
    seen.look();
    const now = readCounters(target.pid);
    if (now.minorFaults >= 0) after = now;
  }, LOOK_EVERY_MS);
  const run = runHelper(
    helper,
    {
      pids: [target.pid],
      hz: options.hz,
      seconds: options.seconds,
      budgetPercent: BUDGET_PERCENT,
      atExec: target.begin !== undefined,
    },
    (record) => {
      seen.take(record);
      // As near to the first and the last moment as can be.
      if (record.type === "end") last = readCounters(target.pid);
      if (record.type !== "hello") return;
      before = readCounters(target.pid);
      target.begin?.();
    },
  );
  const stop = (): void => run.stop();
  options.signal.addEventListener("abort", stop, { once: true });
  void target.ended?.then(stop);
  try {
    await run.done;
  } finally {
    clearInterval(look);
    options.signal.removeEventListener("abort", stop);
  }
  return seen.recording(target, growth(before, last !== undefined && last.minorFaults >= 0 ? last : after));
}

/** What the helper has told so far. */
class Sightings {
  private readonly symboliser = new Symboliser();
  private readonly processes = new Set<number>();
  private readonly names = new Map<number, string>();
  private hello: Of<"hello"> | undefined;
  private end: Extract<ProbeRecord, { readonly lostEvents: number }> | undefined;
  private readonly probes: Of<"probe">[] = [];
  private readonly samples: FoundStack[] = [];
  private readonly faults = new FaultSightings();
  /** by thread and number within it */
  private readonly waitStacks = new Map<string, FoundStack>();
  private readonly waitTimes = new Map<string, number>();
  private readonly threads: Of<"thread">[] = [];
  private readonly waits: Of<"wait">[] = [];
  private readonly histograms: Of<"histogram">[] = [];
  private readonly preemptors: Of<"preemptor">[] = [];

  constructor(pid: number) {
    this.processes.add(pid);
    this.look();
  }

  /** What the processes have mapped now, and how they are called. */
  look(): void {
    for (const pid of this.processes) {
      if (!this.symboliser.look(pid)) continue;
      const name = readProcess(pid)?.name;
      if (name !== undefined) this.names.set(pid, name);
    }
  }

  take(record: ProbeRecord): void {
    switch (record.type) {
      case "hello":
        this.hello = record;
        this.faults.begin(record.faultPeriod);
        return;
      case "end":
        this.end = record;
        return;
      case "tick":
      case "peek":
      case "count":
        // Of a helper that serves the agent.
        return;
      case "probe":
        this.probes.push(record);
        return;
      case "exec":
        this.processes.add(record.tgid);
        this.symboliser.look(record.tgid);
        return;
      case "sample":
        this.samples.push(this.found(record.stack));
        return;
      case "fault":
        this.faults.sight(record.stack, this.found(record.stack));
        return;
      case "faults":
        this.faults.count(record);
        return;
      case "wait-stack":
        this.waitStacks.set(`${record.stack.tid} ${record.stack.value}`, this.found(record.stack));
        return;
      case "wait-done":
        this.waitTimes.set(`${record.tid} ${record.value}`, record.ns);
        return;
      case "thread":
        this.threads.push(record);
        return;
      case "wait":
        this.waits.push(record);
        return;
      case "histogram":
        this.histograms.push(record);
        return;
      case "preemptor":
        this.preemptors.push(record);
        return;
    }
  }

  /** Unwound at once: the copies of stacks are large, and the process may be gone in the end. */
  private found(raw: RawStack): FoundStack {
    if (!this.symboliser.knows(raw.tgid)) {
      this.processes.add(raw.tgid);
      this.symboliser.look(raw.tgid);
    }
    return foundStack(raw, this.symboliser);
  }

  recording(target: TargetProcess, counters: ProcessRecording["counters"]): ProcessRecording {
    const { hello, end } = this;
    if (hello === undefined || end === undefined) throw new Error("the helper ended before it had told its totals");
    const durationNs = end.endedNs - end.startedNs;
    const startUnixNs = hello.startedUnixNs + BigInt(end.startedNs - hello.startedNs);
    const at = { startUnixNs, durationNs };
    const names = new Map(this.threads.map(({ tid, tgid, comm }) => [tid, { tgid, name: comm }]));
    const processName = (tgid: number): string =>
      tgid === target.pid ? target.name : (this.names.get(tgid) ?? names.get(tgid)?.name ?? `process ${tgid}`);
    const quality: FrameQuality = { frames: 0, named: 0, namelessCompiled: 0, stacks: 0, rooted: 0 };
    const table = (stacks: readonly WeightedStack[], types: readonly (readonly [string, string])[]) =>
      stackTableOf(stacks, types, names, processName, at, this.symboliser, quality);
    const tgids = new Map(this.threads.map(({ tid, tgid }) => [tid, tgid]));
    const waits = this.waits.map((wait) => ({ ...wait, tgid: tgids.get(wait.tid) ?? wait.tid }));
    const sampled = [...this.waitStacks].map(([key, stack]) => ({ stack, ns: this.waitTimes.get(key) ?? 0 }));
    // Nothing is too short for a recording.
    const onCpu = table(weightedSamples(this.samples, this.threads, 1), [
      ["cpu", "nanoseconds"],
      ["samples", "count"],
    ]);
    const offCpu = table(weightedWaits(sampled, waits, 1), [
      ["off-cpu", "nanoseconds"],
      ["waits", "count"],
    ]);
    const faults = table(this.faults.weighted(), [
      ["page-faults", "count"],
      ["page-fault-time", "nanoseconds"],
    ]);
    const areFaultsTimed = this.probes.some(({ name, rung }) => name === "page-fault-major" && rung !== "none");
    return {
      collector: "helper",
      pid: target.pid,
      command: target.command,
      name: target.name,
      ...at,
      processors: cpus().length,
      threads: this.threads.map((thread) => ({
        ...threadOf(thread, end.endedNs),
        ...(areFaultsTimed ? { faults: this.faults.of(thread.tid) } : {}),
      })),
      onCpu,
      offCpu,
      faults,
      counters,
      histograms: this.histograms.map(histogramOf),
      preemptedBy: this.preemptors
        .map(({ tgid, comm, count }) => ({ pid: tgid, name: comm, count }))
        .sort((a, b) => b.count - a.count),
      quality: {
        samples: this.samples.length,
        rooted: quality.stacks === 0 ? 1 : quality.rooted / quality.stacks,
        named: quality.frames === 0 ? 1 : quality.named / quality.frames,
        lostSamples: end.lostEvents,
        stacksSkipped: end.stacksSkipped,
        notObserved: this.probes
          .filter(({ rung }) => rung === "none" || rung === "shed")
          .map(({ name, reason }) => ({ what: name, why: reason })),
        remarks: [...namelessRemarks(quality), ...this.symboliser.remarks, ...overflowRemarks(end)],
        cost: {
          attachMs: hello.attachNs / 1e6,
          cpuNs: end.ownNs + end.programsNs,
          residentBytes: end.residentKb * 1024,
        },
      },
    };
  }
}

const threadOf = (thread: Of<"thread">, endedNs: number): RecordedThread => ({
  pid: thread.tgid,
  tid: thread.tid,
  name: thread.comm,
  wallNs: (thread.endedNs || endedNs) - thread.firstNs,
  cpuNs: thread.cpuNs,
  runnableNs: thread.runnableNs,
  blockedNs: thread.blockedNs,
  waits: thread.waits,
  preemptions: thread.preemptions,
});

const OPERATIONS: Readonly<Record<number, string>> = { 0: "read", 1: "write", 2: "flush", 3: "discard" };

function histogramOf({ kind, which, operation, count, sumNs, slots }: Of<"histogram">): RecordedHistogram {
  const filled = Array.from(slots.keys()).filter((slot) => slots[slot]! > 0);
  const names = [
    "",
    "run-queue",
    "block-io",
    which === 0 ? "tcp-connect" : "tcp-connect-failed",
    "kernel-lock",
    "tcp-retransmit",
  ] as const;
  const device = `${which >>> 20}:${which & 0xfffff}`;
  return {
    what: names[kind] as RecordedHistogram["what"],
    which: kind === 2 ? `${device} ${OPERATIONS[operation] ?? `operation ${operation}`}` : "",
    count,
    sumNs,
    // Slot 4·e + m ends at 2^e·(1 + (m + 1)/4).
    edgesNs: filled.map((slot) => 2 ** Math.floor(slot / 4) * (1 + ((slot % 4) + 1) / 4)),
    counts: filled.map((slot) => slots[slot]!),
  };
}

function overflowRemarks({
  lostThreads,
  lostWaits,
}: {
  readonly lostThreads: number;
  readonly lostWaits: number;
}): string[] {
  const remarks: string[] = [];
  if (lostThreads > 0) remarks.push(`${lostThreads} times a thread was not counted: more than 16,384 at a time`);
  if (lostWaits > 0) remarks.push(`${lostWaits} waits were not counted: more than 65,536 kinds of them`);
  return remarks;
}
