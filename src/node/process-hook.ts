import { appendFileSync } from "node:fs";
import { hostname } from "node:os";
import { otlpProfileParts, otlpProfilesRequest, type OtlpProfileParts } from "../formats/write-otlp-profiles.ts";
import type { StackTable } from "../model/stack-table.ts";
import { ActiveSpan, hrtimeUs } from "./active-span.ts";
import { AllocationWindows } from "./allocation-windows.ts";
import { V8Profilers } from "./cpu-profiler.ts";
import { GcPauses, type Pauses } from "./gc-pauses.ts";
import { type HookSettings, hookSettings } from "./hook-settings.ts";
import { metricsRequest } from "./otlp-metrics-request.ts";
import { OtlpSender } from "./otlp-sender.ts";
import { allocationTable, cpuTable, isBusy, type ProfiledWindow } from "./profile-table.ts";
import { SCOPE } from "./scope.ts";
import { RuntimeMetrics } from "./runtime-metrics.ts";
import { SpanSwitches } from "./span-switches.ts";
import { unixNs } from "./unix-clock.ts";
import { WorkerThreads } from "./worker-threads.ts";

/** The hook of the main thread. */
export function startInProcess(environment: NodeJS.ProcessEnv, log: (text: string) => void): void {
  const settings = hookSettings(environment);
  for (const remark of settings.remarks) log(remark);
  new ProcessHook(settings, log).start();
}

/** How often is looked whether OpenTelemetry was loaded, the log of spans fills up, and the pool of threads answers. */
const TICK_MS = 250;
/** A program that ends by itself waits so long for what is being sent. */
const LAST_WORDS_MS = 1_000;
/** Requests that wait for the process's SDK to say what the service is called, which the first span tells: three a window, and one of each worker. */
const MAX_NAMELESS = 114;
/** No window is shorter, whatever changes there are. */
const MIN_WINDOW_MS = 1_000;

/** The hook within a process: windows of profiles and readings of metrics, until the process ends. */
class ProcessHook {
  private readonly settings: HookSettings;
  private readonly log: (text: string) => void;
  private readonly profilers = new V8Profilers();
  private readonly switches = new SpanSwitches();
  private readonly span: ActiveSpan | undefined;
  private readonly metrics = new RuntimeMetrics();
  private readonly gc = new GcPauses();
  private readonly allocations: AllocationWindows;
  private isSamplingAllocations = false;
  private loop = performance.eventLoopUtilization();
  private readonly workers: WorkerThreads;
  private readonly profileSender: OtlpSender | undefined;
  private readonly metricSender: OtlpSender | undefined;
  private readonly startUnixNs = unixNs();
  private windowStartUnixNs = this.startUnixNs;
  private windowStartMs = performance.now();
  private timer: NodeJS.Timeout | undefined;
  private isOver = false;
  private hasFile: boolean;
  private nameless: (() => void)[] = [];
  /** requests that are to be written */
  private readonly turns: (() => void)[] = [];
  private isTurning = false;

  constructor(settings: HookSettings, log: (text: string) => void) {
    this.settings = settings;
    this.log = log;
    this.hasFile = settings.file !== "";
    this.allocations = new AllocationWindows(settings.allocations);
    if (settings.links !== "off") this.span = new ActiveSpan(this.switches, settings.links);
    const sender = (url: URL | undefined, type: string): OtlpSender | undefined =>
      url === undefined ? undefined : new OtlpSender(url, { ...settings.headers, "content-type": type }, log);
    this.profileSender = sender(settings.profilesUrl, "application/x-protobuf");
    this.metricSender = sender(settings.metricsUrl, "application/json");
    const { samplesPerSecond, windowMs, links } = settings;
    const ofWorkers = { samplesPerSecond, windowMs, links, isTalking: settings.isTalking };
    this.workers = new WorkerThreads(
      { ...ofWorkers, isProfiling: this.isProfiling, isMeasuring: this.metricSender !== undefined },
      (parts) => this.safely(() => this.whenNamed(this.isOver, () => this.put(parts))),
    );
  }

  private get isProfiling(): boolean {
    return this.profileSender !== undefined || this.hasFile;
  }

  start(): void {
    const { settings } = this;
    if (this.isProfiling) {
      this.profilers.startCpu(settings.samplesPerSecond);
      if (this.allocations.isFromStart) this.sampleAllocations();
      this.span?.attach();
    }
    this.gc.start();
    if (this.metricSender !== undefined) this.metrics.start();
    if (this.isProfiling || this.metricSender !== undefined) this.workers.start();
    this.timer = setInterval(() => this.safely(() => this.tick()), TICK_MS);
    this.timer.unref();
    process.once("beforeExit", () => this.safely(() => this.lastWords()));
    process.once("exit", () => this.safely(() => this.finish()));
  }

  private tick(): void {
    if (this.isProfiling) this.span?.attach();
    if (this.metricSender !== undefined) this.metrics.probePool();
    const lengthMs = performance.now() - this.windowStartMs;
    const isFull = this.switches.isNearlyFull && lengthMs >= MIN_WINDOW_MS;
    if (lengthMs >= this.settings.windowMs || isFull) this.closeWindow(false);
  }

  private closeWindow(isLast: boolean): void {
    const nowUnixNs = unixNs();
    const lengthNs = (performance.now() - this.windowStartMs) * 1e6;
    const window = {
      startUnixNs: this.windowStartUnixNs,
      durationNs: lengthNs,
      pid: process.pid,
      // The system's number of the first thread is that of the process.
      tid: process.pid,
      threadName: "main",
    };
    const collected = this.gc.take();
    if (this.isProfiling) {
      this.sendCpu(window, isLast);
      this.sendAllocations(window, isLast, collected);
    }
    this.windowStartUnixNs = nowUnixNs;
    this.windowStartMs = performance.now();
    if (this.metricSender === undefined) return;
    const interval = { startUnixNs: this.startUnixNs, nowUnixNs };
    const points = [...this.metrics.read(collected), ...this.workers.read()];
    this.whenNamed(isLast, () =>
      this.metricSender?.send(Buffer.from(metricsRequest(points, interval, this.resource(), SCOPE))),
    );
  }

  /** Sends now, or as soon as it is known what the service is called: under another name it would be another service. */
  private whenNamed(isLast: boolean, send: () => void): void {
    this.nameless.push(send);
    const isNamed = this.settings.resource["service.name"] !== undefined || this.span?.resource !== undefined;
    if (!isNamed && !isLast && this.nameless.length <= MAX_NAMELESS) return;
    for (const waiting of this.nameless.splice(0)) this.turns.push(waiting);
    if (isLast) while (this.turns.length > 0) this.turns.shift()!();
    else if (this.turns.length > 0 && !this.isTurning) this.takeTurns();
  }

  /** Writing a request takes milliseconds: one in each turn of the event loop, so that the program's own work goes between. */
  private takeTurns(): void {
    this.isTurning = true;
    setImmediate(() => {
      this.isTurning = false;
      this.safely(() => {
        this.turns.shift()?.();
        if (this.turns.length > 0) this.takeTurns();
      });
    }).unref();
  }

  private sendCpu(window: ProfiledWindow, isLast: boolean): void {
    const cpu = this.profilers.takeCpu(isLast);
    if (cpu !== undefined) {
      // The profile's own clock tells its beginning better than when the window was closed.
      const sinceUs = hrtimeUs() - cpu.startTime;
      const startUnixNs = unixNs() - BigInt(Math.round(sinceUs * 1e3));
      const own = { ...window, startUnixNs, durationNs: (cpu.endTime - cpu.startTime) * 1e3 };
      const table = cpuTable(cpu, own, this.span === undefined ? undefined : this.switches);
      if (this.switches.lost > 0) this.log(`${this.switches.lost} changes of the active span beyond what is kept`);
      this.switches.clear(hrtimeUs());
      if (isBusy(table)) this.whenNamed(isLast, () => this.putTable(table));
    }
  }

  private sampleAllocations(): void {
    this.profilers.startAllocations();
    this.isSamplingAllocations = true;
  }

  private sendAllocations(window: ProfiledWindow, isLast: boolean, collected: ReadonlyMap<string, Pauses>): void {
    const wasSampling = this.isSamplingAllocations;
    const head = wasSampling ? this.profilers.takeAllocations() : undefined;
    this.isSamplingAllocations = false;
    const table = head === undefined ? undefined : allocationTable(head, window);
    if (table !== undefined && table.samples.rowCount > 0) this.whenNamed(isLast, () => this.putTable(table));
    const now = performance.eventLoopUtilization();
    const { active } = performance.eventLoopUtilization(now, this.loop);
    this.loop = now;
    const collectedS = [...collected.values()].reduce((sum, pauses) => sum + pauses.sum, 0);
    const times = { lengthS: window.durationNs / 1e9, activeS: active / 1e3, collectedS };
    if (!isLast && this.allocations.next(performance.now(), times, wasSampling)) this.sampleAllocations();
  }

  private putTable(table: StackTable): void {
    this.put(otlpProfileParts(table, SCOPE));
  }

  private put(parts: OtlpProfileParts): void {
    const request = otlpProfilesRequest(parts, this.resource());
    this.profileSender?.send(request);
    if (this.hasFile) this.append(request);
  }

  /** A request behind its length, as the Collector writes files; in one write, so that processes may share a file. */
  private append(request: Uint8Array): void {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(request.length);
    try {
      appendFileSync(this.settings.file, Buffer.concat([length, request]));
    } catch (error) {
      this.hasFile = false;
      this.log(`${this.settings.file}: ${String(error)}; no more is written to it`);
    }
  }

  /** What the process's own SDK says of it goes before what the environment does. */
  private resource(): Record<string, string | number> {
    const found: Record<string, string | number> = {
      "service.name": "unknown_service:node",
      "host.name": hostname(),
      "process.pid": process.pid,
      "process.runtime.name": "nodejs",
      "process.runtime.version": process.versions.node,
      ...this.settings.resource,
    };
    for (const [key, value] of Object.entries(this.span?.resource ?? {}))
      if (typeof value === "string" || typeof value === "number") found[key] = value;
    return found;
  }

  /** The event loop has nothing left: the last window is sent while the process still can. */
  private lastWords(): void {
    this.closeWindow(true);
    this.end();
    const senders = [this.profileSender, this.metricSender].filter((sender) => sender !== undefined);
    const limit = setTimeout(() => {}, LAST_WORDS_MS);
    void Promise.all(senders.map((sender) => sender.settled())).then(() => clearTimeout(limit));
  }

  /** By `process.exit` or a signal's handler: a file is all that can still be written. */
  private finish(): void {
    if (this.isOver) return;
    if (this.hasFile) this.closeWindow(true);
    this.end();
  }

  private end(): void {
    this.isOver = true;
    clearInterval(this.timer);
    this.span?.detach();
    this.gc.stop();
    this.metrics.stop();
    this.workers.stop();
    this.profilers.stop();
  }

  /** Whatever goes wrong here ends the hook, not the process. */
  private safely(step: () => void): void {
    if (this.isOver) return;
    try {
      step();
    } catch (error) {
      this.log(`stopped: ${String(error)}`);
      try {
        // A profiler that nobody asks any more would gather samples for ever.
        this.end();
      } catch (second) {
        this.log(`not ended: ${String(second)}`);
      }
    }
  }
}
