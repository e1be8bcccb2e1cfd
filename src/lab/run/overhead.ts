import type { Fault } from "../faults/fault.ts";
import { openLab } from "./experiment.ts";

/** What a request costs with and without the SDK, its exporters, the collector and the receiver: medians over pairs. */
export interface Overhead {
  readonly pairs: number;
  /** processor milliseconds of the whole machine per request, the load generator's among them */
  readonly cpuMs: { readonly observed: number; readonly unobserved: number };
  readonly p50Ms: { readonly observed: number; readonly unobserved: number };
}

interface Run {
  readonly cpuMs: number;
  readonly p50Ms: number;
}

/** Runs the fault's system in turn with and without observation; each run starts anew. */
export async function measureOverhead(fault: Fault, pairs: number, signal: AbortSignal): Promise<Overhead> {
  const runs: { observed: Run; unobserved: Run }[] = [];
  for (let i = 0; i < pairs; i++) {
    // In turn first and second: what a machine does after a while (clock, caches) is nobody's advantage.
    const order = i % 2 === 0 ? [true, false] : [false, true];
    const measured = new Map<boolean, Run>();
    for (const observe of order) measured.set(observe, await measure(fault, observe, i, signal));
    runs.push({ observed: measured.get(true)!, unobserved: measured.get(false)! });
  }
  const both = (of: (run: Run) => number): Overhead["cpuMs"] => ({
    observed: median(runs.map(({ observed }) => of(observed))),
    unobserved: median(runs.map(({ unobserved }) => of(unobserved))),
  });
  return { pairs, cpuMs: both((run) => run.cpuMs), p50Ms: both((run) => run.p50Ms) };
}

async function measure(fault: Fault, observe: boolean, seed: number, signal: AbortSignal): Promise<Run> {
  const lab = await openLab(fault, { signal, log: () => {}, observe });
  try {
    const { load, busyMs } = await lab.run(fault, "fault", { seed: seed + 1, profile: false, progress: () => {} });
    return { cpuMs: busyMs / Math.max(1, load.completed), p50Ms: load.all.p50Ms };
  } finally {
    await lab.close();
  }
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1]! + sorted[sorted.length >> 1]!) / 2;
}
