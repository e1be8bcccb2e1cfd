import type { WaitMark } from "../model/process-recording.ts";
import { StackTableBuilder, type Label } from "../model/stack-table-builder.ts";
import { FrameKind, type StackTable } from "../model/stack-table.ts";
import { WaitDetail } from "./probe-stream.ts";
import type { NamedFrame, Symboliser } from "./symboliser.ts";
import { syscallName } from "./syscall-names.ts";

/** A sampled stack whose callers are found, but not named yet. */
export interface FoundStack {
  readonly tgid: number;
  readonly tid: number;
  readonly syscall: number;
  readonly detail: number;
  /** innermost first; of the kernel as signed numbers */
  readonly kernel: readonly number[];
  readonly user: readonly number[];
  readonly isRooted: boolean;
  /** the kernel's function that it waits in, where that is all that is known of its frames */
  readonly place?: string;
  /** of a page fault: whether it waited for a disk, and what was touched, "" where that is not known */
  readonly fault?: { readonly isMajor: boolean; readonly memory: string };
}

/** A stack and what it counts for, in the value types of its table. */
export interface WeightedStack {
  readonly stack: FoundStack;
  readonly values: readonly number[];
}

export interface ThreadName {
  readonly tgid: number;
  readonly name: string;
}

/** What of the sampled frames could be told. */
export interface FrameQuality {
  frames: number;
  named: number;
  /** without a name, in code that a runtime compiled while it ran */
  namelessCompiled: number;
  stacks: number;
  rooted: number;
}

/**
 * Names the frames and puts them into a table. valueTypes: [type, unit] each. processName, serviceName: by process.
 */
export function stackTableOf(
  stacks: readonly WeightedStack[],
  valueTypes: readonly (readonly [string, string])[],
  threads: ReadonlyMap<number, ThreadName>,
  processName: (tgid: number) => string,
  at: { readonly startUnixNs: bigint; readonly durationNs: number },
  symboliser: Symboliser,
  quality: FrameQuality,
  serviceName: (tgid: number) => string = () => "",
): StackTable {
  const builder = new StackTableBuilder();
  const text = (value: string): number => (value === "" ? 0 : builder.strings.intern(value));
  const columns = valueTypes.map(([type, unit]) => builder.valueType(type, unit));
  const processes = new Map<number, number>();
  const rows = new Map<number, number>();
  const threadRow = (tgid: number, tid: number): number => {
    let row = rows.get(tid);
    if (row !== undefined) return row;
    let process = processes.get(tgid);
    if (process === undefined)
      processes.set(
        tgid,
        (process = builder.process({
          name: text(processName(tgid)),
          service: text(serviceName(tgid)),
          pid: tgid,
          ...at,
        })),
      );
    rows.set(tid, (row = builder.thread(process, tid, text(threads.get(tid)?.name ?? ""))));
    return row;
  };
  // The same frames come again and again, as the same objects.
  const frameRows = new Map<NamedFrame, number>();
  const frameRow = (frame: NamedFrame): number => {
    let row = frameRows.get(frame);
    if (row === undefined)
      frameRows.set(frame, (row = builder.frame(text(frame.name), text(frame.file), frame.line, frame.kind)));
    return row;
  };
  const labelSets = new Map<string, number>();
  const labelSetOf = ({ syscall, detail, fault }: FoundStack): number => {
    const key = `${syscall} ${detail}${fault === undefined ? "" : ` ${fault.isMajor} ${fault.memory}`}`;
    let set = labelSets.get(key);
    if (set === undefined) {
      const labels: Label[] = [];
      if (syscall >= 0) labels.push({ key: text("syscall"), value: text(syscallName(syscall)), isText: true });
      const marks = marksOf({ syscall, detail }).join(" ");
      if (marks !== "") labels.push({ key: text("wait"), value: text(marks), isText: true });
      if (fault !== undefined) {
        labels.push({ key: text("fault"), value: text(fault.isMajor ? "major" : "minor"), isText: true });
        if (fault.memory !== "") labels.push({ key: text("memory"), value: text(fault.memory), isText: true });
      }
      labelSets.set(key, (set = builder.labelSet(labels)));
    }
    return set;
  };
  for (const { stack, values } of stacks) {
    const frames = framesOf(stack, symboliser, quality);
    let row = -1;
    for (let at = frames.length - 1; at >= 0; at--) row = builder.stack(row, frameRow(frames[at]!));
    const sample = builder.sample(row, threadRow(stack.tgid, stack.tid), -1, labelSetOf(stack));
    columns.forEach((column, i) => builder.setValue(sample, column, values[i]!));
  }
  return builder.finish();
}

/** Its frames with names, innermost first; at least one. */
function framesOf(stack: FoundStack, symboliser: Symboliser, quality: FrameQuality): NamedFrame[] {
  // Callers' addresses lie behind their calls, perhaps in another function.
  const outside = stack.user.map((address, i) => symboliser.user(stack.tgid, i === 0 ? address : address - 1));
  const inside = withoutScheduler(stack.kernel.map((address) => symboliser.kernel(address)));
  const frames = [...inside, ...outside];
  quality.frames += frames.length;
  for (const { isNamed, kind } of frames) {
    if (isNamed) quality.named++;
    else if (kind === FrameKind.jit) quality.namelessCompiled++;
  }
  if (stack.user.length > 0) quality.stacks++;
  if (stack.user.length > 0 && (stack.isRooted || ROOTS.test(outside.at(-1)!.name))) quality.rooted++;
  // Without the kernel's frames its system call stands for them.
  if (inside.length === 0 && stack.syscall >= 0) frames.unshift(kernelFrame(syscallName(stack.syscall)));
  if (stack.place !== undefined) frames.unshift(kernelFrame(stack.place));
  if (frames.length === 0) frames.push(NOT_SEEN);
  return frames;
}

/** Where threads begin: the C library's start and that of its threads, Go's, and the kernel's. */
const ROOTS =
  /^(?:_start|__libc_start_main.*|__libc_start_call_main|(?:__)?clone3?|start_thread|runtime\.(?:goexit|mstart|rt0_go|mcall|systemstack|morestack)(?:\.abi0)?|_rt0_amd64.*)$/;

/** Share of the samples that reach where their thread begins, of those with frames outside of the kernel; 1 where there are none. */
export function rootedShare({ samples, stacks, frames, strings }: StackTable): number {
  let [all, rooted] = [0, 0];
  for (let row = 0; row < samples.rowCount; row++) {
    let at = samples.stack[row]!;
    if (at < 0) continue;
    while (stacks.parent[at]! >= 0) at = stacks.parent[at]!;
    const frame = stacks.frame[at]!;
    if (frames.kind[frame] === FrameKind.kernel) continue;
    all++;
    if (ROOTS.test(strings.get(frames.function[frame]!))) rooted++;
  }
  return all === 0 ? 1 : rooted / all;
}

const NOT_SEEN: NamedFrame = { name: "[stack not seen]", file: "", line: -1, kind: FrameKind.native, isNamed: false };

const kernelFrames = new Map<string, NamedFrame>();

/** The same object each time. */
function kernelFrame(name: string): NamedFrame {
  let frame = kernelFrames.get(name);
  if (frame === undefined) {
    frame = { name, file: "[kernel.kallsyms]", line: -1, kind: FrameKind.kernel, isNamed: true };
    kernelFrames.set(name, frame);
  }
  return frame;
}

/** The frames of the probe itself and of the switch to another thread stand in every wait and say nothing. */
function withoutScheduler(kernel: readonly NamedFrame[]): readonly NamedFrame[] {
  let first = 0;
  for (let at = 0; at < Math.min(kernel.length, 12); at++) if (isOfScheduler(kernel[at]!)) first = at + 1;
  return kernel.slice(first);
}

const ofScheduler = new WeakMap<NamedFrame, boolean>();

function isOfScheduler(frame: NamedFrame): boolean {
  let is = ofScheduler.get(frame);
  if (is === undefined) {
    is = /^(?:__schedule|schedule|preempt_schedule\w*|bpf_\w+|__bpf_\w+|__traceiter_\w+)$/.test(frame.name);
    ofScheduler.set(frame, is);
  }
  return is;
}

const FUTEX_WAIT_BITSET = 9;
const FUTEX = 202;

export function marksOf({ syscall, detail }: Pick<FoundStack, "syscall" | "detail">): WaitMark[] {
  const marks: WaitMark[] = [];
  const operation = detail & WaitDetail.futexOperation;
  if (syscall === FUTEX && (detail & WaitDetail.futexHeld) !== 0) marks.push("lock-held");
  else if (syscall === FUTEX && operation === FUTEX_WAIT_BITSET) marks.push("condition");
  if ((detail & WaitDetail.iowait) !== 0) marks.push("io");
  if ((detail & WaitDetail.uninterruptible) !== 0) marks.push("uninterruptible");
  if ((detail & WaitDetail.stopped) !== 0) marks.push("stopped");
  return marks;
}
