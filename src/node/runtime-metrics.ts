import { randomFill } from "node:crypto";
import { type EventLoopUtilization, performance } from "node:perf_hooks";
import { getHeapSpaceStatistics } from "node:v8";
import { addPauses, type Pauses } from "./gc-pauses.ts";
import { LoopLateness } from "./loop-lateness.ts";
import { histogramPoint, type MetricPoint } from "./metric-point.ts";

const NS = 1e-9;

/**
 * What Node tells of its runtime, by the names of OpenTelemetry's semantic conventions for Node.js and V8. Of the queue of
 * libuv's pool of threads nothing tells, so a task without work is sent through it now and then:
 * `longpole.nodejs.threadpool.delay` is the longest time that one took to come back since the last reading, which is the wait
 * in the queue and for the event loop.
 */
export class RuntimeMetrics {
  private readonly lateness = new LoopLateness();
  /** since the hook was loaded */
  private readonly pauses = new Map<string, Pauses>();
  private utilisation: EventLoopUtilization = performance.eventLoopUtilization();
  private poolDelayNs = 0;
  /** when the task was sent that is under way; -1 for none */
  private probeNs = -1n;

  start(): void {
    this.lateness.start();
  }

  stop(): void {
    this.lateness.stop();
  }

  /** Sends one task through the pool of threads; nothing while the last one is not back. */
  probePool(): void {
    if (this.probeNs >= 0n) return;
    this.probeNs = process.hrtime.bigint();
    randomFill(Buffer.alloc(1), () => {
      this.noteProbe();
      this.probeNs = -1n;
    });
  }

  /** All series now; what is told of an interval is that since the last reading. collected: collections since then. */
  read(collected: ReadonlyMap<string, Pauses>): MetricPoint[] {
    for (const [type, pauses] of collected) addPauses(this.pauses, type, pauses);
    // A pool that is full for longer than an interval is told in it, too: the task waits at least for so long.
    if (this.probeNs >= 0n) this.noteProbe();
    const points = [...this.eventLoop(), ...this.collections(), ...this.heap(), ...this.resources(), this.pool()];
    this.poolDelayNs = 0;
    return points;
  }

  private noteProbe(): void {
    this.poolDelayNs = Math.max(this.poolDelayNs, Number(process.hrtime.bigint() - this.probeNs));
  }

  private eventLoop(): MetricPoint[] {
    const points: MetricPoint[] = [];
    const gauge = (name: string, value: number, unit: string): void => {
      if (Number.isFinite(value)) points.push({ name, unit, attributes: {}, value: { kind: "gauge", value } });
    };
    for (const [name, seconds] of Object.entries(this.lateness.take() ?? {}))
      gauge(`nodejs.eventloop.delay.${name}`, seconds, "s");
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
    return [...this.pauses].map(([type, pauses]) =>
      histogramPoint("v8js.gc.duration", { "v8js.gc.type": type }, pauses),
    );
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
}
