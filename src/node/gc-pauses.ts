import { constants, PerformanceObserver } from "node:perf_hooks";

/** Bounds of the buckets in seconds, as the semantic conventions of V8 advise them; behind the last one is a bucket more. */
export const GC_BOUNDS: readonly number[] = [0.01, 0.1, 1, 10];

const GC_TYPES: ReadonlyMap<number, string> = new Map([
  [constants.NODE_PERFORMANCE_GC_MINOR, "minor"],
  [constants.NODE_PERFORMANCE_GC_MAJOR, "major"],
  [constants.NODE_PERFORMANCE_GC_INCREMENTAL, "incremental"],
  [constants.NODE_PERFORMANCE_GC_WEAKCB, "weakcb"],
]);

/** Collections of one type; times in seconds. */
export interface Pauses {
  count: number;
  sum: number;
  min: number;
  max: number;
  readonly buckets: number[];
}

/** Adds collections to those of the same type. */
export function addPauses(totals: Map<string, Pauses>, type: string, more: Pauses): void {
  const held = totals.get(type);
  if (held === undefined) {
    totals.set(type, { ...more, buckets: [...more.buckets] });
    return;
  }
  held.count += more.count;
  held.sum += more.sum;
  held.min = Math.min(held.min, more.min);
  held.max = Math.max(held.max, more.max);
  for (const [i, count] of more.buckets.entries()) held.buckets[i]! += count;
}

/** The collections of this thread's heap, as Node tells them. */
export class GcPauses {
  private pauses = new Map<string, Pauses>();
  private readonly observer = new PerformanceObserver((list) => this.add(list.getEntries()));

  start(): void {
    this.observer.observe({ entryTypes: ["gc"] });
  }

  stop(): void {
    this.observer.disconnect();
  }

  /** Collections since the last call, by type. */
  take(): Map<string, Pauses> {
    this.add(this.observer.takeRecords());
    const { pauses } = this;
    this.pauses = new Map();
    return pauses;
  }

  private add(entries: readonly { readonly duration: number; readonly detail?: unknown }[]): void {
    for (const { duration, detail } of entries) {
      const type = GC_TYPES.get((detail as { readonly kind?: number } | undefined)?.kind ?? -1);
      if (type !== undefined) addPauses(this.pauses, type, onePause(duration / 1e3));
    }
  }
}

function onePause(seconds: number): Pauses {
  const buckets = Array.from({ length: GC_BOUNDS.length + 1 }, () => 0);
  // Upper bounds belong to their bucket.
  const bucket = GC_BOUNDS.findIndex((bound) => seconds <= bound);
  buckets[bucket < 0 ? GC_BOUNDS.length : bucket] = 1;
  return { count: 1, sum: seconds, min: seconds, max: seconds, buckets };
}
