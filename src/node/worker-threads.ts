import { BroadcastChannel, setEnvironmentData, type Worker } from "node:worker_threads";
import type { OtlpProfileParts } from "../formats/write-otlp-profiles.ts";
import { addPauses, type Pauses } from "./gc-pauses.ts";
import { histogramPoint, type MetricPoint } from "./metric-point.ts";
import { WORKER_KEY, WorkerBoard, type WorkerSettings } from "./worker-board.ts";
import { releaseEndedWorkers } from "./worker-hook.ts";
import { reportBytes, type WorkerReport } from "./worker-report.ts";

/** A series per name stays for as long as the process: a program that makes up names has the others together. */
const MAX_NAMES = 32;
const OTHER_NAMES = "(other)";
const NAME = "longpole.nodejs.worker.name";

/** What the workers of one name did since the hook was loaded; times in seconds. */
interface NamedWorkers {
  activeS: number;
  idleS: number;
  /** since the last reading; -1 where nothing was due */
  lateS: number;
  readonly pauses: Map<string, Pauses>;
}

/**
 * The workers of the process, seen from the main thread: hands them the settings, takes their profiles, and sums what they tell by
 * name, so that one that ended leaves no series of its own behind.
 */
export class WorkerThreads {
  private readonly board = new WorkerBoard();
  private readonly settings: Omit<WorkerSettings, "cells">;
  private readonly take: (parts: OtlpProfileParts) => void;
  private readonly names = new Map<string, NamedWorkers>();
  private readonly release = releaseEndedWorkers(this.board);
  private channel: BroadcastChannel | undefined;
  private alive = 0;
  private begun = 0;

  constructor(settings: Omit<WorkerSettings, "cells">, take: (parts: OtlpProfileParts) => void) {
    this.settings = settings;
    this.take = take;
  }

  start(): void {
    // Each worker gets a copy when it is made, with the same memory in it.
    setEnvironmentData(WORKER_KEY, { ...this.settings, cells: this.board.cells } satisfies WorkerSettings);
    process.on("worker", this.onWorker);
    this.channel = new BroadcastChannel(WORKER_KEY);
    this.channel.onmessage = (event: unknown) => this.receive((event as { readonly data: unknown }).data);
    this.channel.unref();
  }

  stop(): void {
    process.off("worker", this.onWorker);
    setEnvironmentData(WORKER_KEY, undefined);
    this.channel?.close();
  }

  /** All series now. Nothing but numbers of workers where there never was any. */
  read(): MetricPoint[] {
    const points = [count("longpole.nodejs.workers", this.alive, "up-down-counter")];
    if (this.begun === 0 && this.names.size === 0) return points;
    points.push(
      count("longpole.nodejs.workers.profiled", this.board.profiled, "up-down-counter"),
      count("longpole.nodejs.workers.unseen", this.board.endedUnseen, "counter"),
      count("longpole.nodejs.workers.reports.lost", this.board.lost, "counter", "{report}"),
    );
    for (const [name, workers] of this.names) points.push(...pointsOf(name, workers));
    return points;
  }

  private readonly onWorker = (worker: Worker): void => {
    this.alive++;
    this.begun++;
    this.release(worker);
    worker.once("exit", () => this.alive--);
  };

  /** The channel's name is all that keeps others from sending here. */
  private receive(data: unknown): void {
    if (!isReport(data)) return;
    this.board.dequeue(reportBytes(data));
    const workers = this.named(data.name);
    workers.activeS += data.activeS;
    workers.idleS += data.idleS;
    workers.lateS = Math.max(workers.lateS, data.lateS);
    for (const [type, pauses] of data.pauses) addPauses(workers.pauses, type, pauses);
    if (data.scopes.length > 0) this.take(data);
  }

  private named(name: string): NamedWorkers {
    const key = this.names.has(name) || this.names.size < MAX_NAMES ? name : OTHER_NAMES;
    let held = this.names.get(key);
    if (held === undefined) this.names.set(key, (held = { activeS: 0, idleS: 0, lateS: -1, pauses: new Map() }));
    return held;
  }
}

function isReport(data: unknown): data is WorkerReport {
  const { threadId, scopes, dictionary, pauses } = (data ?? {}) as Partial<WorkerReport>;
  const isBytes = scopes instanceof Uint8Array && dictionary instanceof Uint8Array;
  return typeof threadId === "number" && isBytes && pauses instanceof Map;
}

const count = (name: string, value: number, kind: "counter" | "up-down-counter", unit = "{thread}"): MetricPoint => ({
  name,
  unit,
  attributes: {},
  value: { kind, value },
});

/**
 * By names of their own: those of OpenTelemetry are of the loop that requests wait for, and a worker that computes all the
 * time makes none of them wait.
 */
function pointsOf(name: string, workers: NamedWorkers): MetricPoint[] {
  const attributes = { [NAME]: name };
  const points: MetricPoint[] = [];
  for (const [state, value] of [
    ["active", workers.activeS],
    ["idle", workers.idleS],
  ] as const)
    points.push({
      name: "longpole.nodejs.worker.time",
      unit: "s",
      attributes: { ...attributes, "nodejs.eventloop.state": state },
      value: { kind: "counter", value },
    });
  if (workers.lateS >= 0)
    points.push({
      name: "longpole.nodejs.worker.late.max",
      unit: "s",
      attributes,
      value: { kind: "gauge", value: workers.lateS },
    });
  workers.lateS = -1;
  for (const [type, pauses] of workers.pauses)
    points.push(
      histogramPoint("longpole.nodejs.worker.collection.duration", { ...attributes, "v8js.gc.type": type }, pauses),
    );
  return points;
}
