import { readdirSync, readFileSync } from "node:fs";
import type { ProcessCounters } from "../model/process-recording.ts";

type Counts = { -readonly [name in keyof ProcessCounters]: number };

/** Those that are states, not sums: the later reading holds. */
const STATES: readonly (keyof ProcessCounters)[] = ["quotaCores", "residentBytes", "swappedBytes"];

/** Reads the counters of a process; -1 for those that cannot be read. */
export function readCounters(pid: number): ProcessCounters {
  const io = fieldsOf(`/proc/${pid}/io`);
  const status = fieldsOf(`/proc/${pid}/status`);
  const stat = textOf(`/proc/${pid}/stat`)
    .replace(/^.*\) /s, "")
    .split(" ");
  const threads = threadsOf(pid).map((tid) => fieldsOf(`/proc/${pid}/task/${tid}/status`));
  const schedule = threadsOf(pid).map((tid) => textOf(`/proc/${pid}/task/${tid}/schedstat`).trim().split(" "));
  const sum = (pick: (one: ReadonlyMap<string, number>) => number | undefined): number =>
    threads.length === 0 ? -1 : threads.reduce((all, one) => all + (pick(one) ?? 0), 0);
  const scheduled = (column: number): number =>
    schedule.length === 0 || schedule[0]!.length < 3
      ? -1
      : schedule.reduce((all, one) => all + Number(one[column] ?? 0), 0);
  return {
    readCalls: io.get("syscr") ?? -1,
    writeCalls: io.get("syscw") ?? -1,
    readBytes: io.get("rchar") ?? -1,
    writtenBytes: io.get("wchar") ?? -1,
    diskReadBytes: io.get("read_bytes") ?? -1,
    diskWrittenBytes: io.get("write_bytes") ?? -1,
    // Fields 10 and 12 of proc(5); the state, which is field 3, is the first behind the name.
    minorFaults: Number(stat[7] ?? -1),
    majorFaults: Number(stat[9] ?? -1),
    voluntarySwitches: sum((one) => one.get("voluntary_ctxt_switches")),
    involuntarySwitches: sum((one) => one.get("nonvoluntary_ctxt_switches")),
    schedRunNs: scheduled(0),
    schedWaitNs: scheduled(1),
    ...throttling(pid),
    residentBytes: (status.get("VmRSS") ?? -1 / 1024) * 1024,
    swappedBytes: (status.get("VmSwap") ?? -1 / 1024) * 1024,
  };
}

/** What the counters grew by. Those of a process that ended meanwhile are not known, and one that restarted begins anew. */
export function growth(before: ProcessCounters, after: ProcessCounters): ProcessCounters {
  const grown: Partial<Counts> = {};
  for (const name of Object.keys(before) as (keyof ProcessCounters)[]) {
    const [was, is] = [before[name], after[name]];
    grown[name] = STATES.includes(name) ? is : was < 0 || is < was ? -1 : is - was;
  }
  return grown as ProcessCounters;
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    // Gone, or not to be looked at: its fields are told as unknown.
    return "";
  }
}

/** `name: 123 kB` and `name 123` → numbers by name. */
function fieldsOf(path: string): ReadonlyMap<string, number> {
  const fields = new Map<string, number>();
  for (const [, name, value] of textOf(path).matchAll(/^(\w+):?\s+(\d+)/gm)) fields.set(name!, Number(value));
  return fields;
}

export function threadsOf(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).map(Number);
  } catch {
    return [];
  }
}

type Throttling = Pick<ProcessCounters, "throttledPeriods" | "throttledNs" | "quotaCores">;

/** Of the process's control group of the processor: version 2 where it is there, else version 1. */
function throttling(pid: number): Throttling {
  const none = { throttledPeriods: -1, throttledNs: -1, quotaCores: -1 };
  for (const line of textOf(`/proc/${pid}/cgroup`).split("\n")) {
    const [number, controllers, ...rest] = line.split(":");
    const path = rest.join(":");
    if (number === undefined || controllers === undefined || rest.length === 0) continue;
    if (controllers.split(",").includes("cpu")) {
      for (const root of ["/sys/fs/cgroup/cpu", "/sys/fs/cgroup/cpu,cpuacct"]) {
        const found = fieldsOf(`${root}${path}/cpu.stat`);
        if (!found.has("throttled_time")) continue;
        const quota = Number(textOf(`${root}${path}/cpu.cfs_quota_us`) || -1);
        const period = Number(textOf(`${root}${path}/cpu.cfs_period_us`) || -1);
        return {
          throttledPeriods: found.get("nr_throttled")!,
          throttledNs: found.get("throttled_time")!,
          quotaCores: quota > 0 && period > 0 ? quota / period : -1,
        };
      }
    }
    const second = fieldsOf(`/sys/fs/cgroup${path}/cpu.stat`);
    if (number !== "0" || !second.has("throttled_usec")) continue;
    const [quota, period] = textOf(`/sys/fs/cgroup${path}/cpu.max`).trim().split(" ").map(Number);
    return {
      throttledPeriods: second.get("nr_throttled")!,
      throttledNs: second.get("throttled_usec")! * 1000,
      quotaCores: quota! > 0 && period! > 0 ? quota! / period! : -1,
    };
  }
  return none;
}
