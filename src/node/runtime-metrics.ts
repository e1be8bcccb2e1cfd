import { randomFill } from "node:crypto";
import {
  constants,
  type EventLoopUtilization,
  type IntervalHistogram,
  monitorEventLoopDelay,
  performance,
  PerformanceObserver,
} from "node:perf_hooks";
import { getHeapSpaceStatistics } from "node:v8";
import type { Worker } from "node:worker_threads";

/** One series of a metric at the moment of the reading. */
export interface MetricPoint {
  readonly name: string;
  readonly unit: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly value:
    | { readonly kind: "gauge"; readonly value: number }
    /** a sum since the hook was loaded */
    | { readonly kind: "counter" | "up-down-counter"; readonly value: number }
    | {
        readonly kind: "histogram";
        readonly count: number;
        readonly sum: number;
        readonly min: number;
        readonly max: number;
        readonly bounds: readonly number[];
        readonly buckets: readonly number[];
      };
}

const NS = 1e-9;
/** Advised by the semantic conventions of V8, in seconds. */
const GC_BOUNDS = [0.01, 0.1, 1, 10];
const GC_TYPES: ReadonlyMap<number, string> = new Map([
  [constants.NODE_PERFORMANCE_GC_MINOR, "minor"],
  [constants.NODE_PERFORMANCE_GC_MAJOR, "major"],
  [constants.NODE_PERFORMANCE_GC_INCREMENTAL, "incremental"],
  [constants.NODE_PERFORMANCE_GC_WEAKCB, "weakcb"],
]);
interface Pauses {
  count: number;
  sum: number;
  min: number;
  max: number;
  readonly buckets: number[];
}

/**
 * What Node tells of its runtime, by the names of OpenTelemetry's semantic conventions for Node.js and V8. Of the queue of
 * libuv's pool of threads nothing tells, so a task without work is sent through it now and then:
 * `longpole.nodejs.threadpool.delay` is the longest time that one took to come back since the last reading, which is the wait
 * in the queue and for the event loop.
 */
export class RuntimeMetrics {
  private readonly delay: IntervalHistogram = monitorEventLoopDelay({ resolution: 20 });
  private readonly pauses = new Map<string, Pauses>();
  private readonly observer = new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) this.addPause(entry);
  });
  private utilisation: EventLoopUtilization = performance.eventLoopUtilization();
  private poolDelayNs = 0;
  private isProbing = false;
  private workers = 0;

  start(): void {
    process.on("worker", this.onWorker);
    this.delay.enable();
    this.observer.observe({ entryTypes: ["gc"] });
  }

  stop(): void {
    process.off("worker", this.onWorker);
    this.delay.disable();
    this.observer.disconnect();
  }

  /** Sends one task through the pool of threads; nothing while the last one is not back. */
  probePool(): void {
    if (this.isProbing) return;
    this.isProbing = true;
    const start = process.hrtime.bigint();
    randomFill(Buffer.alloc(1), () => {
      this.isProbing = false;
      this.poolDelayNs = Math.max(this.poolDelayNs, Number(process.hrtime.bigint() - start));
    });
  }

  /** All series now; what is told of an interval is that since the last reading. */
  read(): MetricPoint[] {
    const points = [...this.eventLoop(), ...this.collections(), ...this.heap(), ...this.resources()];
    points.push(this.pool(), this.workerThreads());
    this.delay.reset();
    this.poolDelayNs = 0;
    return points;
  }

  private eventLoop(): MetricPoint[] {
    const { delay } = this;
    const points: MetricPoint[] = [];
    const gauge = (name: string, value: number, unit: string): void => {
      if (Number.isFinite(value)) points.push({ name, unit, attributes: {}, value: { kind: "gauge", value } });
    };
    // Before its first tick the histogram has no numbers.
    if (delay.max > 0) {
      const figures = { min: delay.min, max: delay.max, mean: delay.mean, stddev: delay.stddev };
      const quantiles = { p50: delay.percentile(50), p90: delay.percentile(90), p99: delay.percentile(99) };
      for (const [name, ns] of Object.entries({ ...figures, ...quantiles }))
        gauge(`nodejs.eventloop.delay.${name}`, ns * NS, "s");
    }
    const now = performance.eventLoopUtilization();
    gauge("nodejs.eventloop.utilization", performance.eventLoopUtilization(now, this.utilisation).utilization, "1");
    this.utilisation = now;
    for (const state of ["active", "idle"] as const) {
      const attributes = { "nodejs.eventloop.state": state };
      points.push({
        name: "nodejs.eventloop.time",
        unit: "s",
        attributes,
        value: { kind: "counter", value: now[state] / 1e3 },
      });
    }
    return points;
  }

  private collections(): MetricPoint[] {
    return [...this.pauses].map(([type, { count, sum, min, max, buckets }]) => ({
      name: "v8js.gc.duration",
      unit: "s",
      attributes: { "v8js.gc.type": type },
      value: { kind: "histogram", count, sum, min, max, bounds: GC_BOUNDS, buckets: [...buckets] },
    }));
  }

  private heap(): MetricPoint[] {
    return getHeapSpaceStatistics().flatMap((space) => {
      const attributes = { "v8js.heap.space.name": space.space_name };
      const sizes = {
        "v8js.memory.heap.space.size": space.space_size,
        "v8js.memory.heap.used": space.space_used_size,
        "v8js.memory.heap.space.available_size": space.space_available_size,
        "v8js.memory.heap.space.physical_size": space.physical_space_size,
      };
      return Object.entries(sizes).map(([name, value]) => ({
        name,
        unit: "By",
        attributes,
        value: { kind: "up-down-counter" as const, value },
      }));
    });
  }

  /** What the event loop waits for, by kind; requests to the pool of threads (FSReqCallback and others) are among them. */
  private resources(): MetricPoint[] {
    const counts = new Map<string, number>();
    for (const type of process.getActiveResourcesInfo()) counts.set(type, (counts.get(type) ?? 0) + 1);
    return [...counts].map(([type, value]) => ({
      name: "v8js.resource.active",
      unit: "{resource}",
      attributes: { "v8js.resource.type": type },
      value: { kind: "up-down-counter", value },
    }));
  }

  private pool(): MetricPoint {
    const value = { kind: "gauge" as const, value: this.poolDelayNs * NS };
    return { name: "longpole.nodejs.threadpool.delay", unit: "s", attributes: {}, value };
  }

  /** Of each the profile tells nothing: a reader has to know that there are any. */
  private workerThreads(): MetricPoint {
    const value = { kind: "up-down-counter" as const, value: this.workers };
    return { name: "longpole.nodejs.workers", unit: "{thread}", attributes: {}, value };
  }

  private readonly onWorker = (worker: Worker): void => {
    this.workers++;
    worker.once("exit", () => this.workers--);
  };

  private addPause(entry: { readonly duration: number; readonly detail?: unknown }): void {
    const kind = (entry.detail as { readonly kind?: number } | undefined)?.kind ?? -1;
    const type = GC_TYPES.get(kind);
    if (type === undefined) return;
    const seconds = entry.duration / 1e3;
    let held = this.pauses.get(type);
    if (held === undefined) {
      held = { count: 0, sum: 0, min: seconds, max: seconds, buckets: GC_BOUNDS.map(() => 0).concat(0) };
      this.pauses.set(type, held);
    }
    held.count++;
    held.sum += seconds;
    held.min = Math.min(held.min, seconds);
    held.max = Math.max(held.max, seconds);
    // Upper bounds belong to their bucket.
    const bucket = GC_BOUNDS.findIndex((bound) => seconds <= bound);
    held.buckets[bucket < 0 ? GC_BOUNDS.length : bucket]!++;
  }
}
