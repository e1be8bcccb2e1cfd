import { labelBytes, type ResourceMetrics } from "../export/metric-points.ts";
import { numberAfter, TICKS_PER_SECOND } from "./host-figures.ts";
import { PROCESS } from "./metrics.ts";
import { PAGE_BYTES } from "./page-size.ts";
import type { PrivateCounts } from "./process-peek.ts";
import type { ProcessStat } from "./process-table.ts";

const USER = labelBytes({ "cpu.mode": "user" });
const SYSTEM_MODE = labelBytes({ "cpu.mode": "system" });
const MINOR = labelBytes({ "system.paging.type": "minor" });
const MAJOR = labelBytes({ "system.paging.type": "major" });
const VOLUNTARY = labelBytes({ "process.context_switch.type": "voluntary" });
const INVOLUNTARY = labelBytes({ "process.context_switch.type": "involuntary" });
const READ = labelBytes({ "disk.io.direction": "read" });
const WRITE = labelBytes({ "disk.io.direction": "write" });

/** What is used of /proc/PID/status; NaN for what it does not say. The switches are those of the first thread. */
export interface StatusFigures {
  readonly residentBytes: number;
  readonly swappedBytes: number;
  readonly voluntarySwitches: number;
  readonly involuntarySwitches: number;
}

export const parseStatus = (text: string): StatusFigures => ({
  residentBytes: numberAfter(text, "VmRSS:") * 1024,
  swappedBytes: numberAfter(text, "VmSwap:") * 1024,
  voluntarySwitches: numberAfter(text, "voluntary_ctxt_switches:"),
  involuntarySwitches: numberAfter(text, "nonvoluntary_ctxt_switches:"),
});

/** What /proc/PID/stat and /proc/PID/status say. */
export function addProcess(into: ResourceMetrics, stat: ProcessStat, status: StatusFigures, uptimeS: number): void {
  into.add(PROCESS.cpuTime, stat.userTicks / TICKS_PER_SECOND, USER);
  into.add(PROCESS.cpuTime, stat.systemTicks / TICKS_PER_SECOND, SYSTEM_MODE);
  into.add(PROCESS.threads, stat.threads);
  into.add(PROCESS.faults, stat.minorFaults, MINOR);
  into.add(PROCESS.faults, stat.majorFaults, MAJOR);
  into.add(PROCESS.memoryVirtual, stat.virtualBytes);
  into.add(PROCESS.uptime, uptimeS);
  const { residentBytes } = status;
  into.add(PROCESS.memoryUsage, Number.isNaN(residentBytes) ? stat.residentPages * PAGE_BYTES : residentBytes);
  into.add(PROCESS.memorySwapped, status.swappedBytes);
  into.add(PROCESS.switches, status.voluntarySwitches, VOLUNTARY);
  into.add(PROCESS.switches, status.involuntarySwitches, INVOLUNTARY);
}

/** Open files and their most, and what only its owner may read: nothing of what is not known. */
export function addPrivate(
  into: ResourceMetrics,
  counts: PrivateCounts | undefined,
  descriptors: number,
  mostDescriptors: number,
): void {
  into.add(PROCESS.descriptors, descriptors);
  into.add(PROCESS.descriptorLimit, mostDescriptors);
  if (counts === undefined) return;
  into.add(PROCESS.diskIo, counts.readBytes, READ);
  into.add(PROCESS.diskIo, counts.writtenBytes, WRITE);
}
