import type { ProcessRecording, ThreadFaults } from "../../model/process-recording.ts";
import type { PageFaultRow } from "../../model/record-report.ts";
import { labelText, type StackTable } from "../../model/stack-table.ts";
import { NS_PER_MS, NS_PER_S } from "../../model/units.ts";
import { programFunction } from "./program-function.ts";

export type FaultType = "minor" | "major";

/** Memory told by name, most first. */
const PLACES = 5;

/**
 * Page faults of a recording by kind: their number, which the kernel's own counter tells where it is known, their time, and
 * what was touched by which function. Undefined of a kind of which nothing is known.
 */
export function pageFaultAccount(recording: ProcessRecording, type: FaultType): PageFaultRow | undefined {
  const { threads, counters, pid, durationNs } = recording;
  const counted = threads.flatMap(({ faults, ...thread }) => (faults === undefined ? [] : [{ thread, faults }]));
  const kernels = type === "minor" ? counters.minorFaults : counters.majorFaults;
  if (counted.length === 0 && kernels < 0) return undefined;
  const sum = (of: typeof counted, pick: (faults: ThreadFaults) => number): number =>
    of.reduce((all, { faults }) => all + pick(faults), 0);
  // The kernel's counter is of the process alone, and has what was before the probes stood or after they were given up.
  const own = counted.filter(({ thread }) => thread.pid === pid);
  const children = counted.filter(({ thread }) => thread.pid !== pid);
  const number = (faults: ThreadFaults): number => faults[type];
  const count = Math.max(kernels, sum(own, number)) + sum(children, number);
  const timed = counted.filter(({ faults }) => nsOf(faults, type) !== undefined);
  const timedCount = sum(timed, number);
  const timedNs = sum(timed, (faults) => nsOf(faults, type) ?? 0);
  const isTimed = timedCount > 0 || (count === 0 && timed.length > 0);
  const ns = isTimed ? (timedCount === 0 ? 0 : (timedNs / timedCount) * count) : undefined;
  return {
    count,
    perSecond: count / (durationNs / NS_PER_S),
    ms: ns === undefined ? null : ns / NS_PER_MS,
    meanMs: ns === undefined || count === 0 ? null : ns / count / NS_PER_MS,
    places: places(recording.faults, type),
  };
}

export const nsOf = (faults: ThreadFaults, type: FaultType): number | undefined =>
  type === "minor" ? faults.minorNs : faults.majorNs;

function places(table: StackTable, type: FaultType): PageFaultRow["places"] {
  const { samples } = table;
  const [counts, times] = [samples.values[0]!, samples.values[1]!];
  const byMemory = new Map<string, { count: number; ns: number }>();
  const memoryOf = (row: number): string => labelText(table, samples.labelSet[row]!, "memory");
  const isOf = (row: number): boolean => labelText(table, samples.labelSet[row]!, "fault") === type;
  for (let row = 0; row < samples.rowCount; row++) {
    if (!isOf(row)) continue;
    const held = byMemory.get(memoryOf(row)) ?? { count: 0, ns: 0 };
    byMemory.set(memoryOf(row), { count: held.count + counts[row]!, ns: held.ns + times[row]! });
  }
  return [...byMemory]
    .sort((a, b) => b[1].ns - a[1].ns || b[1].count - a[1].count || (a[0] < b[0] ? -1 : 1))
    .slice(0, PLACES)
    .map(([memory, { count, ns }]) => ({
      memory,
      frame: programFunction(table, times, (row) => isOf(row) && memoryOf(row) === memory).text,
      count: Math.round(count),
      ms: ns / NS_PER_MS,
    }));
}
