import type { WaitClass } from "../../analysis/wait-class.ts";
import type { ProcessRecording } from "../../model/process-recording.ts";
import type { SyscallRow } from "../../model/record-report.ts";
import { FrameKind, labelText, type StackTable } from "../../model/stack-table.ts";
import { NS_PER_MS } from "../../model/units.ts";
import { programFunction } from "./program-function.ts";

/** System calls told one by one; of less than a thousandth of the recording nobody asks. */
const CALLS = 20;
const WORTH_A_ROW = 0.001;

/**
 * What each system call costs a process, all threads together: processor time in the kernel on its behalf, and waits that were
 * not for something to do. Most first. waits: the class per sample of `offCpu`.
 */
export function syscallAccount(recording: ProcessRecording, waits: readonly WaitClass[]): SyscallRow[] {
  const calls = new Map<string, Account>();
  const account = (syscall: string): Account => {
    let held = calls.get(syscall);
    if (held === undefined) calls.set(syscall, (held = { cpuNs: 0, waitNs: 0, waits: 0, onRows: [], offRows: [] }));
    return held;
  };
  const { onCpu, offCpu, durationNs } = recording;
  eachCall(onCpu, (row, syscall, ns) => {
    if (!inKernel(onCpu, onCpu.samples.stack[row]!)) return;
    const held = account(syscall);
    held.cpuNs += ns;
    held.onRows.push(row);
  });
  eachCall(offCpu, (row, syscall, ns) => {
    if (waits[row]!.isIdle) return;
    const held = account(syscall);
    held.waitNs += ns;
    held.waits += offCpu.samples.values[1]?.[row] ?? 0;
    held.offRows.push(row);
  });
  return [...calls]
    .filter(([, { cpuNs, waitNs }]) => cpuNs + waitNs >= WORTH_A_ROW * durationNs)
    .sort(([a, x], [b, y]) => y.cpuNs + y.waitNs - x.cpuNs - x.waitNs || (a < b ? -1 : 1))
    .slice(0, CALLS)
    .map(([syscall, held]) => {
      const [table, rows] = held.cpuNs >= held.waitNs ? [onCpu, held.onRows] : [offCpu, held.offRows];
      const mine = new Set(rows);
      return {
        syscall,
        cpuMs: held.cpuNs / NS_PER_MS,
        waitMs: held.waitNs / NS_PER_MS,
        waits: Math.round(held.waits),
        frame: programFunction(table, table.samples.values[0]!, (row) => mine.has(row)).text,
        kernelPath: kernelPath(table, rows),
      };
    });
}

interface Account {
  cpuNs: number;
  waitNs: number;
  waits: number;
  readonly onRows: number[];
  readonly offRows: number[];
}

function eachCall(table: StackTable, take: (row: number, syscall: string, ns: number) => void): void {
  const names = new Map<number, string>();
  const { samples } = table;
  for (let row = 0; row < samples.rowCount; row++) {
    const set = samples.labelSet[row]!;
    let name = names.get(set);
    if (name === undefined) names.set(set, (name = labelText(table, set, "syscall")));
    if (name !== "") take(row, name, samples.values[0]![row]!);
  }
}

/** A sample carries the number of the last system call also where the thread has left it. */
const inKernel = ({ stacks, frames }: StackTable, stack: number): boolean =>
  stack >= 0 && frames.kind[stacks.frame[stack]!] === FrameKind.kernel;

/** How the kernel enters any call: that says nothing about this one. */
const ENTRY = /^(?:entry_\w+|do_syscall_\w+|x64_sys_call|asm_\w+|ret_from_\w+|__(?:x64|ia32|arm64|se)_sys_\w+)$/;
const LONGEST = 6;

/** Functions of the kernel in the heaviest of the stacks, the outermost first. */
function kernelPath({ samples, stacks, frames, strings }: StackTable, rows: readonly number[]): string[] {
  const sums = new Map<string, number>();
  for (const row of rows) {
    const path: string[] = [];
    for (let at = samples.stack[row]!; at >= 0; at = stacks.parent[at]!) {
      const frame = stacks.frame[at]!;
      if (frames.kind[frame] !== FrameKind.kernel) break;
      const name = strings.get(frames.function[frame]!);
      if (!ENTRY.test(name)) path.unshift(name);
    }
    const key = path.slice(0, LONGEST).join(" ");
    if (key !== "") sums.set(key, (sums.get(key) ?? 0) + samples.values[0]![row]!);
  }
  const [heaviest] = [...sums].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
  return heaviest === undefined ? [] : heaviest[0].split(" ");
}
