import { codeProfile, type ClassShare } from "../../analysis/code-profile.ts";
import { frameText } from "../../analysis/frame-text.ts";
import { labelText } from "../../model/stack-table.ts";
import { count, ms, percent } from "../wording.ts";
import type { MicroCase, MicroCause } from "./micro-cause.ts";
import { programFunction } from "./program-function.ts";
import type { ThreadTime } from "./time-ledger.ts";

/** A function that takes less of the processor time is no finding: programs that are well made have such, too. */
const MIN_FUNCTION_SHARE = 0.12;
/** Collection that Node and the JVM need in ordinary services. */
const USUAL_GC = 0.05;
const MIN_GC_GAIN = 0.08;
/** Samples below which shares are too uncertain: at 20, one of 90 % is known to ± 11 %. */
const FEWEST_SAMPLES = 20;
/** Of the processor time, in the kernel on behalf of one system call. */
const MIN_CALL_SHARE = 0.08;
/** From so many calls a second on their number is what they cost, and bytes below this would fit a larger one. */
const MANY_CALLS = 500;
const SMALL_BYTES = 2048;

/** What the processor time goes to: a hot function, collection of garbage, system calls in great number. */
export function codeTimeCauses(one: MicroCase): MicroCause[] {
  const { samples, threads } = one.recording.onCpu;
  const values = samples.values[0]!;
  const byThread = new Map<number, number>();
  for (let row = 0; row < samples.rowCount; row++) {
    const tid = threads.tid[samples.thread[row]!]!;
    byThread.set(tid, (byThread.get(tid) ?? 0) + values[row]!);
  }
  const [tid] = [...byThread].sort((a, b) => b[1] - a[1] || a[0] - b[0])[0] ?? [-1];
  const thread = one.ledger.threads.find((held) => held.thread.tid === tid);
  if (thread === undefined) return [];
  const isOf = (row: number): boolean => threads.tid[samples.thread[row]!] === tid && samples.values[1]![row]! > 0;
  const profile = codeProfile(one.recording.onCpu, values, isOf);
  if (profile.busySamples < FEWEST_SAMPLES) return [];
  const causes: MicroCause[] = [];
  const code = profile.classes.find(({ work }) => work === "code");
  const gc = profile.classes.find(({ work }) => work === "gc");
  if (code !== undefined) causes.push(...hotFunction(one, thread, code, profile.busySamples, isOf));
  if (gc !== undefined && gc.share - USUAL_GC >= MIN_GC_GAIN)
    causes.push(collection(one, thread, gc, profile.busySamples));
  return [...causes, ...manyCalls(one, thread, isOf, profile.busySamples)];
}

/** 90 % interval of a share known from so many samples, as far as they are independent. Sums may round it above 1. */
const margin = (share: number, samples: number): number =>
  1.645 * Math.sqrt((share * Math.max(0, 1 - share)) / samples);

/**
 * Work that is gone needs no processor, and does not stand in the queue for one either: the wait goes in proportion to the
 * work, or, at worst, not at all.
 */
function interval(
  share: number,
  samples: number,
  { thread }: ThreadTime,
): Pick<MicroCause, "gainNs" | "lowNs" | "highNs"> {
  const around = margin(share, samples);
  const withQueue = thread.cpuNs + thread.runnableNs;
  return {
    gainNs: share * withQueue,
    lowNs: Math.max(0, share - around) * thread.cpuNs,
    highNs: Math.min(1, share + around) * withQueue,
  };
}

const cpuNs = ({ thread }: ThreadTime): number => thread.cpuNs;

function hotFunction(
  { recording, again }: MicroCase,
  thread: ThreadTime,
  code: ClassShare,
  samples: number,
  isOf: (row: number) => boolean,
): MicroCause[] {
  const { onCpu } = recording;
  const first = code.functions[0];
  // A program that lives in libraries has no function in an executable: the heaviest outside of the C library then.
  const other = first === undefined ? programFunction(onCpu, onCpu.samples.values[0]!, isOf) : undefined;
  const frame = first === undefined ? other!.text : frameText(onCpu, first.frame);
  const share = first?.share ?? other!.share;
  if (frame === "" || share - margin(share, samples) < MIN_FUNCTION_SHARE) return [];
  const hasInside = first !== undefined && first.inside >= 0 && first.inside !== first.frame;
  const inside = hasInside ? frameText(onCpu, first.inside) : "";
  const within = inside === "" ? "" : `, ${percent(first!.insideShare)} of that in ${inside}`;
  // A place in a file without symbols is nothing that anybody could look up.
  const isNamed = !/^\[|\+0x[\da-f]+/.test(frame);
  return [
    {
      mechanism: "slow-code",
      kind: "code",
      title: `${isCompiled(frame) ? "code compiled at run time" : frame} takes ${percent(share)} of the processor time of thread ${thread.thread.name}`,
      why: `The thread is on the processor for ${percent(cpuNs(thread) / thread.thread.wallNs)} of the time; ${frame} and what it calls of libraries for ${ms(share * cpuNs(thread))}${within}.`,
      subject: { frame },
      thread,
      ...interval(share, samples, thread),
      most: isNamed ? "critical" : "warning",
      confidence: isNamed ? 0.8 : 0.4,
      evidence: [
        {
          kind: "stack",
          text: `${frame}: ${percent(share)} of ${count(samples)} samples${within}`,
          query: isNamed ? `${again("--folded")} | grep ${/^[\w$.]+/.exec(frame)?.[0] ?? "main"}` : again("--folded"),
        },
      ],
      counter: [
        "that it takes much does not say that it can take less: the gain is that without it altogether",
        ...(isNamed ? [] : [whyNameless(frame)]),
      ],
      refutedBy: `${frame} made cheaper, and the program as slow as before`,
      remedy: {
        text: isCompiled(frame)
          ? "Get the names first: start Node with --perf-basic-prof, Python with -X perf (docs/record.md has the others), and record again."
          : `Make ${frame} cheaper${inside === "" ? "" : ` (${inside} above all)`}, call it less often, or let other threads share the work.`,
      },
    },
  ];
}

/** perf calls memory that belongs to no file "[perf-PID.map]": there a runtime puts what it compiles. */
const isCompiled = (frame: string): boolean => /^\[perf-\d+\.map\]/.test(frame);

const whyNameless = (frame: string): string =>
  isCompiled(frame)
    ? "that is all code together which was compiled at run time: no file gives its functions names, so which of them it is, is not known"
    : "the program carries no symbols: which of its functions it is, is not known";

function collection({ recording, again }: MicroCase, thread: ThreadTime, gc: ClassShare, samples: number): MicroCause {
  const top = gc.functions[0];
  const frame = top === undefined ? "" : frameText(recording.onCpu, top.frame);
  return {
    mechanism: "garbage-collection",
    kind: "code",
    title: `garbage collection takes ${percent(gc.share)} of the processor time of thread ${thread.thread.name}`,
    why: `${percent(gc.share)} of ${ms(cpuNs(thread))}${frame === "" ? "" : `; most often it begins in ${frame}, which allocates`}.`,
    subject: frame === "" ? {} : { frame },
    thread,
    ...interval(gc.share - USUAL_GC, samples, thread),
    most: "critical",
    confidence: 0.8,
    evidence: [
      {
        kind: "stack",
        text: `garbage collection: ${percent(gc.share)} of ${count(samples)} samples`,
        query: `${again("--folded")} | grep -i garbage`,
      },
    ],
    counter: [`some collection is always needed: the gain keeps ${percent(USUAL_GC)}`],
    refutedBy: "as much collection after the allocations are gone",
    remedy: {
      text: `Allocate less${frame === "" ? "" : `, in ${frame} first`}, or give the young generation more room.`,
    },
  };
}

/** System calls that cost by their number: time in the kernel, of which the counters tell how little each brings. */
function manyCalls(
  { recording, again }: MicroCase,
  thread: ThreadTime,
  isOf: (row: number) => boolean,
  samples: number,
): MicroCause[] {
  const { onCpu, counters, durationNs } = recording;
  const values = onCpu.samples.values[0]!;
  const bySyscall = new Map<string, number>();
  let total = 0;
  for (let row = 0; row < onCpu.samples.rowCount; row++) {
    if (!isOf(row)) continue;
    total += values[row]!;
    const syscall = labelText(onCpu, onCpu.samples.labelSet[row]!, "syscall");
    if (syscall !== "") bySyscall.set(syscall, (bySyscall.get(syscall) ?? 0) + values[row]!);
  }
  return [...bySyscall].flatMap(([syscall, ns]): MicroCause[] => {
    const share = total === 0 ? 0 : ns / total;
    // Waiting for events is what a loop without work does; syncing has a finding of its own.
    if (
      share - margin(share, samples) < MIN_CALL_SHARE / 2 ||
      /^(?:epoll|poll|select|futex|nanosleep|clock_nanosleep|f(?:data)?sync)/.test(syscall)
    )
      return [];
    const isWrite = /^p?writev?(?:64)?$/.test(syscall);
    const isRead = /^p?readv?(?:64)?$/.test(syscall);
    const calls = isWrite ? counters.writeCalls : isRead ? counters.readCalls : -1;
    const bytes = isWrite ? counters.writtenBytes : counters.readBytes;
    const perSecond = calls < 0 ? -1 : calls / (durationNs / 1e9);
    const each = calls > 0 ? bytes / calls : -1;
    if ((isWrite || isRead) && calls >= 0 && (perSecond < MANY_CALLS || each > SMALL_BYTES)) return [];
    const found = programFunction(
      onCpu,
      values,
      (row) => isOf(row) && labelText(onCpu, onCpu.samples.labelSet[row]!, "syscall") === syscall,
    );
    const frame = found.text;
    const much =
      calls > 0
        ? `${count(Math.round(perSecond))} calls of ${syscall} a second with ${count(Math.round(each))} bytes each`
        : `calls of ${syscall}`;
    return [
      {
        mechanism: "excessive-syscalls",
        kind: "code",
        title: `${frame === "" ? recording.name : frame} spends ${percent(share)} of the processor time of thread ${thread.thread.name} in the system call ${syscall}`,
        why: `${much}: ${ms(share * cpuNs(thread))} in the kernel.`,
        subject: { ...(frame === "" ? {} : { frame }), syscall },
        thread,
        ...interval(share, samples, thread),
        most: calls > 0 ? "critical" : "warning",
        confidence: calls > 0 ? 0.9 : 0.6,
        evidence: [
          {
            kind: "stack",
            text: `${syscall}${frame === "" ? "" : `, called by ${frame}`}: ${percent(share)} of ${count(samples)} samples`,
            query: `${again("--folded")} | grep ${syscall}`,
          },
          ...(calls > 0
            ? [
                {
                  kind: "statistic" as const,
                  text: `${count(calls)} calls, ${count(bytes)} bytes (/proc/${recording.pid}/io)`,
                  query: `cat /proc/${recording.pid}/io`,
                },
              ]
            : []),
        ],
        counter: calls > 0 ? [] : ["a profile tells the time of calls, not their number"],
        refutedBy: `the same processor time with fewer calls of ${syscall}`,
        remedy: {
          text: isWrite
            ? `Gather what is to be written and write it in one call${frame === "" ? "" : ` in ${frame}`}.`
            : isRead
              ? `Read in larger pieces${frame === "" ? "" : ` in ${frame}`}.`
              : `Call ${syscall} less often${frame === "" ? "" : ` in ${frame}`}, or keep its answer.`,
        },
      },
    ];
  });
}
