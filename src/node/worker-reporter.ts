import { performance } from "node:perf_hooks";
import { BroadcastChannel, threadId } from "node:worker_threads";
import { otlpProfileParts } from "../formats/write-otlp-profiles.ts";
import { ActiveSpan, hrtimeUs } from "./active-span.ts";
import { V8Profilers } from "./cpu-profiler.ts";
import { GcPauses } from "./gc-pauses.ts";
import { LoopLateness } from "./loop-lateness.ts";
import { cpuTable, isBusy } from "./profile-table.ts";
import { SCOPE } from "./scope.ts";
import { SpanSwitches } from "./span-switches.ts";
import { systemThreadId, workerName } from "./thread-name.ts";
import { unixNs } from "./unix-clock.ts";
import { WORKER_KEY, type WorkerBoard, type WorkerSettings } from "./worker-board.ts";
import { reportBytes, type WorkerReport } from "./worker-report.ts";

const NOTHING = new Uint8Array();
/** Changes of the span that are kept for a window; a worker rarely makes any. */
const SWITCHES = 1 << 14;

/** What is told of one worker, from `start` on: a report each window and when it ends. Nothing here keeps its thread alive. */
export class WorkerReporter {
  private readonly settings: WorkerSettings;
  private readonly board: WorkerBoard;
  private readonly name = workerName();
  private readonly tid = systemThreadId() ?? threadId;
  private readonly pauses = new GcPauses();
  private readonly lateness = new LoopLateness();
  private readonly switches = new SpanSwitches(SWITCHES);
  private readonly span: ActiveSpan | undefined;
  private readonly profilers: V8Profilers | undefined;
  /** of the thread's life until the last report, milliseconds: its first report tells all of it */
  private activeMs = 0;
  private idleMs = 0;

  /** isProfiled: it has a slot of the board */
  constructor(settings: WorkerSettings, board: WorkerBoard, isProfiled: boolean) {
    this.settings = settings;
    this.board = board;
    if (!isProfiled) return;
    this.profilers = new V8Profilers();
    if (settings.links !== "off") this.span = new ActiveSpan(this.switches, settings.links);
  }

  start(): void {
    this.profilers?.startCpu(this.settings.samplesPerSecond);
    this.span?.attach();
    if (!this.settings.isMeasuring) return;
    this.pauses.start();
    this.lateness.start();
  }

  /** Tells what was since the last report. `isLast`: the thread ends. */
  report(isLast: boolean): void {
    this.span?.attach();
    const idleMs = performance.nodeTiming.idleTime;
    // What is not idle is active: a thread's first work is done before its loop begins to count.
    const activeMs = performance.now() - idleMs;
    const report: WorkerReport = {
      threadId,
      name: this.name,
      activeS: Math.max(0, activeMs - this.activeMs) / 1e3,
      idleS: Math.max(0, idleMs - this.idleMs) / 1e3,
      lateS: this.settings.isMeasuring ? (this.lateness.take()?.max ?? -1) : -1,
      pauses: this.pauses.take(),
      ...this.profile(isLast),
    };
    this.activeMs = activeMs;
    this.idleMs = idleMs;
    if (this.board.mayQueue(reportBytes(report))) send(report);
  }

  stop(): void {
    this.span?.detach();
    this.pauses.stop();
    this.lateness.stop();
    this.profilers?.stop();
  }

  private profile(isLast: boolean): Pick<WorkerReport, "scopes" | "dictionary"> {
    const cpu = this.profilers?.takeCpu(isLast);
    if (cpu === undefined) return { scopes: NOTHING, dictionary: NOTHING };
    const startUnixNs = unixNs() - BigInt(Math.round((hrtimeUs() - cpu.startTime) * 1e3));
    const table = cpuTable(
      cpu,
      {
        startUnixNs,
        durationNs: (cpu.endTime - cpu.startTime) * 1e3,
        pid: process.pid,
        tid: this.tid,
        threadName: `worker ${threadId} ${this.name}`,
      },
      this.span === undefined ? undefined : this.switches,
    );
    this.switches.clear(hrtimeUs());
    if (!isBusy(table)) return { scopes: NOTHING, dictionary: NOTHING };
    const { scopes, dictionary } = otlpProfileParts(table, SCOPE);
    // Of a view all of its memory would be sent.
    return { scopes: scopes.slice(), dictionary: dictionary.slice() };
  }
}

/**
 * To the main thread, by a channel that is open for this alone: one that stays open is sent what all other workers tell, and
 * in a thread that computes and never comes to its messages that would pile up without end.
 */
function send(report: WorkerReport): void {
  const channel = new BroadcastChannel(WORKER_KEY);
  channel.postMessage(report);
  channel.close();
}
