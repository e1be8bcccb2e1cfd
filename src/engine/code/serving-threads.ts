import { mapToFloats, mapToInts } from "../../model/map-column.ts";
import type { StackTable } from "../../model/stack-table.ts";
import { namesSpan } from "../sample-spans.ts";

/**
 * The profile without the wall time of threads that serve no requests. In an event loop's process one thread serves them, whose
 * number is the process's own; workers beside it keep nobody waiting by being busy, and which request one works for is told
 * by the span that a sample names or not at all. A process that has other threads alone was not looked at (its length is -1).
 * The same table where there is nothing to leave out.
 */
export function ofServingThreads(stacks: StackTable): StackTable {
  const { samples, threads, processes } = stacks;
  const wall = stacks.valueTypes.findIndex(({ type, unit }) => type === "wall" && unit === "nanoseconds");
  const isBeside = Array.from(threads.tid, (tid, thread) => {
    const pid = processes.pid[threads.process[thread]!]!;
    return tid >= 0 && pid >= 0 && tid !== pid;
  });
  if (wall < 0 || !isBeside.includes(true)) return stacks;
  const rows = [...samples.stack.keys()].filter(
    (row) =>
      isBeside[samples.thread[row]!] !== true ||
      samples.values[wall]![row] === 0 ||
      namesSpan(stacks, samples.labelSet[row]!),
  );
  const served = new Set(rows.map((row) => threads.process[samples.thread[row]!]!));
  const floats = (column: Float64Array): Float64Array => mapToFloats(rows, (row) => column[row]!);
  return {
    ...stacks,
    samples: {
      rowCount: rows.length,
      stack: mapToInts(rows, (row) => samples.stack[row]!),
      values: samples.values.map(floats),
      timeOffsetNs: floats(samples.timeOffsetNs),
      thread: mapToInts(rows, (row) => samples.thread[row]!),
      labelSet: mapToInts(rows, (row) => samples.labelSet[row]!),
    },
    processes: {
      ...processes,
      durationNs: processes.durationNs.map((ns, process) => (served.has(process) ? ns : -1)),
    },
  };
}
