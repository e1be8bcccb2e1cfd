import { build, type Histogram } from "hdr-histogram-js";
import { ENDPOINT_NAMES } from "./draw-requests.ts";
import { ENDPOINTS, type Latency, type LoadPlan, type LoadResult } from "./load-plan.ts";
import type { LoadProgress } from "./run-load.ts";

/** Counts and latencies of a load that is under way. Microseconds to three significant digits. */
export class LoadTally {
  sent = 0;
  completed = 0;
  private readonly late = microseconds();
  private readonly all = microseconds();
  private readonly byEndpoint = ENDPOINT_NAMES.map(microseconds);
  private lastSecond = microseconds();
  private readonly errors = new Map<string, number>();

  left(lateMs: number): void {
    this.sent++;
    this.late.recordValue(toMicroseconds(lateMs));
  }

  /** An answer ended, `latencyMs` after its request was due. */
  answered(endpoint: number, latencyMs: number): void {
    this.completed++;
    const value = toMicroseconds(latencyMs);
    this.all.recordValue(value);
    this.byEndpoint[endpoint]!.recordValue(value);
    this.lastSecond.recordValue(value);
  }

  failed(kind: string): void {
    this.errors.set(kind, (this.errors.get(kind) ?? 0) + 1);
  }

  /** How far it is; begins a new second. */
  progress(elapsedSeconds: number, seconds: number): LoadProgress {
    const last = this.lastSecond;
    const progress = {
      elapsedSeconds,
      seconds,
      sent: this.sent,
      completed: this.completed,
      errors: [...this.errors.values()].reduce((sum, n) => sum + n, 0),
      lastSecond: { completed: last.totalCount, p50Ms: percentileMs(last, 50), p99Ms: percentileMs(last, 99) },
    };
    last.reset();
    return progress;
  }

  result(plan: LoadPlan, startedAtUnixMs: number): LoadResult {
    const endpoints: Partial<Record<keyof typeof ENDPOINTS, Latency>> = {};
    for (const [i, name] of ENDPOINT_NAMES.entries()) {
      const histogram = this.byEndpoint[i]!;
      if (histogram.totalCount > 0) endpoints[name] = latencyOf(ENDPOINTS[name], histogram);
    }
    const late = this.late;
    return {
      startedAtUnixMs,
      plan,
      sent: this.sent,
      completed: this.completed,
      errors: Object.fromEntries([...this.errors].toSorted(([a], [b]) => (a < b ? -1 : 1))),
      lateMs: { p50: percentileMs(late, 50), p99: percentileMs(late, 99), max: percentileMs(late, 100) },
      endpoints,
      all: latencyOf("all", this.all),
    };
  }
}

function microseconds(): Histogram {
  return build({ bitBucketSize: 32, numberOfSignificantValueDigits: 3, autoResize: true });
}

function toMicroseconds(ms: number): number {
  return Math.max(0, Math.round(ms * 1000));
}

function percentileMs(histogram: Histogram, percentile: number): number {
  return histogram.totalCount === 0 ? 0 : histogram.getValueAtPercentile(percentile) / 1000;
}

function latencyOf(operation: string, histogram: Histogram): Latency {
  return {
    operation,
    completed: histogram.totalCount,
    meanMs: histogram.totalCount === 0 ? 0 : Math.round(histogram.mean) / 1000,
    p50Ms: percentileMs(histogram, 50),
    p95Ms: percentileMs(histogram, 95),
    p99Ms: percentileMs(histogram, 99),
    maxMs: percentileMs(histogram, 100),
  };
}
