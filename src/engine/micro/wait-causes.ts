import type { WaitClass } from "../../analysis/wait-class.ts";
import { labelText } from "../../model/stack-table.ts";
import type { Mechanism, Severity } from "../../model/report.ts";
import { count, ms, percent } from "../wording.ts";
import { busyNs, type MicroCase, type MicroCause } from "./micro-cause.ts";
import { programFunction } from "./program-function.ts";
import type { ThreadTime } from "./time-ledger.ts";

/** A kind of wait that has a reason and a remedy of its own. */
interface WaitRule {
  readonly mechanism: Mechanism;
  readonly kind: MicroCause["kind"];
  readonly holds: (wait: WaitClass, syscall: string) => boolean;
  /** in a sentence: "FRAME waits for the disk in SYSCALL" */
  readonly doing: string;
  readonly remedy: (frame: string, syscall: string) => string;
  readonly refutedBy: (frame: string, syscall: string) => string;
  readonly counter: string;
  readonly most: (thread: ThreadTime) => Severity;
  /** that it is in anybody's way, where the function is known */
  readonly confidence: number;
}

const SYNC = /^(?:fsync|fdatasync|sync_file_range|msync|syncfs|sync)$/;

const RULES: readonly WaitRule[] = [
  {
    mechanism: "fsync",
    kind: "latency",
    holds: ({ kind }, syscall) => kind === "disk" && SYNC.test(syscall),
    doing: "waits for the disk in",
    remedy: (frame, syscall) =>
      `Call ${syscall} once per batch or at an interval rather than each time${within(frame)}, and off the thread that others wait for.`,
    refutedBy: (_, syscall) => `the same time with fewer calls of ${syscall}`,
    counter: "what is not synced is lost when the machine fails: how much may be, is a decision",
    most: () => "critical",
    confidence: 0.9,
  },
  {
    mechanism: "lock-contention",
    kind: "latency",
    holds: ({ kind, isIdle }) => kind === "lock" && !isIdle,
    doing: "waits for a lock in",
    remedy: (frame) =>
      `Hold the lock for less${within(frame)}: move work out of it, split it, or give each thread its own part.`,
    refutedBy: () => "fewer threads, and the same throughput is lost",
    counter: "who holds the lock meanwhile is not told by who waits for it",
    most: () => "critical",
    confidence: 0.9,
  },
  {
    mechanism: "memory-pressure",
    kind: "resource",
    holds: ({ kind }, syscall) => kind === "disk" && syscall === "",
    doing: "waits for memory to be read from the disk:",
    remedy: () => "Give the process more memory, or let it touch less of it: its pages are read back from the disk.",
    refutedBy: () => "no major page faults while it is as slow",
    counter: "the first touch of a mapped file reads it, too",
    most: () => "critical",
    confidence: 0.9,
  },
  {
    mechanism: "disk-saturated",
    kind: "latency",
    holds: ({ kind }, syscall) => kind === "disk" && syscall !== "" && !SYNC.test(syscall),
    doing: "waits for the disk in",
    remedy: (frame) => `Keep what was read, read ahead, or read in larger pieces${within(frame)}; else a faster disk.`,
    refutedBy: () => "the same time with the data in the page cache",
    counter: "whether the disk is busy with others is not told by who waits for it",
    most: () => "warning",
    confidence: 0.7,
  },
  {
    mechanism: "network-latency",
    kind: "latency",
    holds: ({ kind, isIdle }) => kind === "network" && !isIdle,
    doing: "waits for the network in",
    remedy: (frame) =>
      `Ask for less or at the same time${within(frame)}, or make the other side answer faster: its own recording tells where.`,
    refutedBy: () => "the other side answers at once, and the wait stays",
    counter: "what the other side does meanwhile is not seen from here",
    most: () => "warning",
    confidence: 0.7,
  },
  {
    mechanism: "external-dependency",
    kind: "latency",
    holds: ({ kind }) => kind === "callee",
    doing: "waits for another process in",
    remedy: () => "Record the other process: this one only waits for it.",
    refutedBy: () => "the other process answers at once, and the wait stays",
    counter: "a process that has nothing to do waits in the same way",
    most: () => "note",
    confidence: 0.4,
  },
  {
    mechanism: "fixed-delay",
    kind: "code",
    holds: ({ kind, isIdle }, syscall) => kind === "sleep" && !isIdle && /nanosleep/.test(syscall),
    doing: "sleeps in",
    remedy: (frame) => `Wait for what is awaited (a condition, an event) instead of sleeping${within(frame)}.`,
    refutedBy: () => "nobody waits for this thread while it sleeps",
    counter: "a thread that does something at an interval sleeps in between: then nobody waits for it",
    // One that mostly sleeps is a timer; one that works in turns is held up.
    most: (thread) => (busyNs(thread) >= 0.2 * thread.thread.wallNs ? "warning" : "note"),
    confidence: 0.4,
  },
];

const within = (frame: string): string => (frame === "" ? "" : ` in ${frame}`);

/** What threads wait for, by rule: the thread that waits most stands for the rule. */
export function waitCauses(one: MicroCase): MicroCause[] {
  const { samples, threads } = one.recording.offCpu;
  const syscalls = Array.from(samples.labelSet, (set) => labelText(one.recording.offCpu, set, "syscall"));
  const rules = Array.from(one.waits, (wait, row) => RULES.findIndex((rule) => rule.holds(wait, syscalls[row]!)));
  return RULES.flatMap((rule, number) => {
    const times = new Map<number, number>();
    for (let row = 0; row < samples.rowCount; row++) {
      if (rules[row] !== number) continue;
      const tid = threads.tid[samples.thread[row]!]!;
      times.set(tid, (times.get(tid) ?? 0) + samples.values[0]![row]!);
    }
    const [tid, gainNs] = [...times].sort((a, b) => b[1] - a[1] || a[0] - b[0])[0] ?? [-1, 0];
    const thread = one.ledger.threads.find((held) => held.thread.tid === tid);
    if (thread === undefined || gainNs === 0) return [];
    const isOf = (row: number): boolean => rules[row] === number && threads.tid[samples.thread[row]!] === tid;
    return [causeOf(one, rule, thread, gainNs, times.size, isOf, syscalls)];
  });
}

function causeOf(
  { recording, again }: MicroCase,
  rule: WaitRule,
  thread: ThreadTime,
  gainNs: number,
  threads: number,
  isOf: (row: number) => boolean,
  syscalls: readonly string[],
): MicroCause {
  const { offCpu } = recording;
  const [times, counts] = [offCpu.samples.values[0]!, offCpu.samples.values[1]!];
  const bySyscall = new Map<string, { ns: number; count: number }>();
  for (let row = 0; row < offCpu.samples.rowCount; row++) {
    if (!isOf(row)) continue;
    const held = bySyscall.get(syscalls[row]!) ?? { ns: 0, count: 0 };
    bySyscall.set(syscalls[row]!, { ns: held.ns + times[row]!, count: held.count + counts[row]! });
  }
  const [syscall, most] = [...bySyscall].sort((a, b) => b[1].ns - a[1].ns)[0]!;
  const found = programFunction(offCpu, times, (row) => isOf(row) && syscalls[row] === syscall);
  const frame = found.text;
  const call = syscall === "" ? "page faults" : syscall;
  const share = percent(gainNs / thread.thread.wallNs);
  const each = ms(most.ns / Math.max(1, most.count));
  const others = threads > 1 ? `; ${threads - 1} other thread${threads > 2 ? "s wait" : " waits"} in the same way` : "";
  return {
    mechanism: rule.mechanism,
    kind: rule.kind,
    title: `${frame === "" ? recording.name : frame} ${rule.doing} ${call}: ${share} of the time of thread ${thread.thread.name}`,
    why: `${count(Math.round(most.count))} waits in ${call} of ${each} on average, ${ms(most.ns)} of ${ms(thread.thread.wallNs)}${others}.`,
    subject: { ...(frame === "" ? {} : { frame }), ...(syscall === "" ? {} : { syscall }) },
    thread,
    gainNs,
    lowNs: gainNs,
    highNs: gainNs,
    most: rule.most(thread),
    confidence: rule.confidence * (recording.collector === "helper" && frame !== "" ? 1 : 0.7),
    evidence: [
      {
        kind: "stack",
        text: `${call}${frame === "" ? "" : `, called by ${frame} (${percent(found.share)} of that time)`}: ${ms(most.ns)} in ${count(Math.round(most.count))} waits, ${count(found.samples)} stacks`,
        query: `${again("--off-cpu --folded")} | grep ${call.split(" ")[0]!}`,
      },
    ],
    counter: [rule.counter],
    refutedBy: rule.refutedBy(frame, call),
    remedy: { text: rule.remedy(frame, call) },
  };
}
