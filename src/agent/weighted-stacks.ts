import { WaitDetail } from "./probe-stream.ts";
import type { FoundStack, WeightedStack } from "./recorded-stacks.ts";

/** A thread and its exact processor time. */
export interface ThreadTime {
  readonly tid: number;
  readonly tgid: number;
  readonly cpuNs: number;
}

/** The exact total of one kind of wait of a thread. */
export interface WaitTime {
  readonly tid: number;
  readonly tgid: number;
  readonly syscall: number;
  readonly detail: number;
  readonly ns: number;
  readonly count: number;
}

/** Samples of a thread share its processor time. leastNs: of a thread without a sample, below which it is left out. Values: [ns, samples]. */
export function weightedSamples(
  samples: readonly FoundStack[],
  threads: readonly ThreadTime[],
  leastNs: number,
): WeightedStack[] {
  const counts = new Map<number, number>();
  for (const { tid } of samples) counts.set(tid, (counts.get(tid) ?? 0) + 1);
  const times = new Map(threads.map(({ tid, cpuNs }) => [tid, cpuNs]));
  const weighted: WeightedStack[] = samples.map((stack) => ({
    stack,
    values: [(times.get(stack.tid) ?? 0) / counts.get(stack.tid)!, 1],
  }));
  for (const { tid, tgid, cpuNs } of threads)
    if (cpuNs >= leastNs && !counts.has(tid)) weighted.push({ stack: unseen(tid, tgid, -1, 0), values: [cpuNs, 0] });
  return weighted;
}

/**
 * Sampled waits of one kind share the exact time and number of all of that kind, each by its own length; a kind of less than
 * leastNs is left out. Values: [ns, waits].
 */
export function weightedWaits(
  sampled: Iterable<{ readonly stack: FoundStack; readonly ns: number }>,
  waits: Iterable<WaitTime>,
  leastNs: number,
): WeightedStack[] {
  const kinds = new Map<
    string,
    { wait: WaitTime; ns: number; count: number; sampled: { stack: FoundStack; ns: number }[] }
  >();
  for (const wait of waits) {
    const key = keyOf(wait);
    const kind = kinds.get(key);
    if (kind === undefined) kinds.set(key, { wait, ns: wait.ns, count: wait.count, sampled: [] });
    else {
      kind.ns += wait.ns;
      kind.count += wait.count;
    }
  }
  for (const one of sampled) kinds.get(keyOf(one.stack))?.sampled.push(one);
  return [...kinds.values()].flatMap(({ wait, ns, count, sampled: of }) => {
    if (ns < leastNs) return [];
    const seen = of.reduce((sum, one) => sum + one.ns, 0);
    if (seen > 0) return of.map((one) => ({ stack: one.stack, values: [(one.ns / seen) * ns, count / of.length] }));
    const { tid, tgid, syscall, detail } = wait;
    return [{ stack: unseen(tid, tgid, syscall, detail & ~WaitDetail.before), values: [ns, count] }];
  });
}

/** One that was begun before the recording is of the same kind as those after it. */
const keyOf = ({ tid, syscall, detail }: { readonly tid: number; readonly syscall: number; readonly detail: number }) =>
  `${tid} ${syscall} ${detail & ~WaitDetail.before}`;

const NOTHING: readonly number[] = [];

const unseen = (tid: number, tgid: number, syscall: number, detail: number): FoundStack => ({
  tid,
  tgid,
  syscall,
  detail,
  kernel: NOTHING,
  user: NOTHING,
  isRooted: false,
});
