import { type IntervalHistogram, monitorEventLoopDelay } from "node:perf_hooks";

const RESOLUTION_MS = 20;
const NS_PER_S = 1e9;

/** How late timers of this thread's event loop came; times in seconds. */
export interface Lateness {
  readonly min: number;
  readonly max: number;
  readonly mean: number;
  readonly stddev: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
}

/**
 * How late a timer of 20 ms comes. Node's histogram holds the time from one to the next, which is 20 ms in a loop that does
 * nothing; what is above them is the delay. A loop that stands still for B is told with B - 20 ms to B, by when the timer was due.
 */
export class LoopLateness {
  private readonly histogram: IntervalHistogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });

  start(): void {
    this.histogram.enable();
  }

  stop(): void {
    this.histogram.disable();
  }

  /** Since the last call; undefined where no timer came meanwhile. */
  take(): Lateness | undefined {
    const { histogram } = this;
    // Before its first tick the histogram has no numbers.
    if (!(histogram.max > 0)) return undefined;
    const late = (ns: number): number => Math.max(0, ns / NS_PER_S - RESOLUTION_MS / 1e3);
    const found = {
      min: late(histogram.min),
      max: late(histogram.max),
      mean: late(histogram.mean),
      stddev: Number.isFinite(histogram.stddev) ? histogram.stddev / NS_PER_S : 0,
      p50: late(histogram.percentile(50)),
      p90: late(histogram.percentile(90)),
      p99: late(histogram.percentile(99)),
    };
    histogram.reset();
    return found;
  }
}
