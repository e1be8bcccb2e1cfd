import { getEnvironmentData, threadId, type Worker } from "node:worker_threads";
import { WORKER_KEY, WorkerBoard, type WorkerSettings } from "./worker-board.ts";
import type { WorkerReporter } from "./worker-reporter.ts";

/** A worker that lives for less is not looked at, as that would cost more than the worker does. */
const SHORT_LIFE_MS = 1_000;

/**
 * The hook within a worker's thread: looks at it when it has lived for a second, or at once where the board allows it. What it
 * finds goes to the main thread, which alone sends; without a hook there nothing is done.
 */
export async function startInWorker(): Promise<void> {
  const settings = getEnvironmentData(WORKER_KEY) as WorkerSettings | undefined;
  if (settings === undefined) return;
  const log = (text: string): void => {
    if (settings.isTalking) process.stderr.write(`longpole/node: worker ${threadId}: ${text}\n`);
  };
  const hook = new WorkerHook(settings, log);
  if (hook.board.mayBeEarly(Math.floor(Date.now() / 1e3))) await hook.begin();
  else setTimeout(() => void hook.begin(), SHORT_LIFE_MS).unref();
}

/** Workers of this thread that end leave their slot of the board, also when they are ended from outside. */
export function releaseEndedWorkers(board: WorkerBoard): (worker: Worker) => void {
  return (worker) => {
    // Behind its end a worker has no number any more.
    const { threadId: id } = worker;
    worker.once("exit", () => board.release(id));
  };
}

class WorkerHook {
  readonly board: WorkerBoard;
  private readonly settings: WorkerSettings;
  private readonly log: (text: string) => void;
  private readonly onWorker: (worker: Worker) => void;
  private reporter: WorkerReporter | undefined;
  private timer: NodeJS.Timeout | undefined;
  private isOver = false;

  constructor(settings: WorkerSettings, log: (text: string) => void) {
    this.settings = settings;
    this.board = new WorkerBoard(settings.cells);
    this.log = log;
    this.onWorker = releaseEndedWorkers(this.board);
    process.on("worker", this.onWorker);
    process.once("exit", () => this.end());
  }

  async begin(): Promise<void> {
    const isProfiled = this.settings.isProfiling && this.board.claim(threadId);
    try {
      // Loaded by now only: of most workers of a program that begins many nothing is needed.
      const { WorkerReporter } = await import("./worker-reporter.ts");
      if (this.isOver) return;
      this.reporter = new WorkerReporter(this.settings, this.board, isProfiled);
      this.reporter.start();
      this.timer = setInterval(() => this.report(false), this.settings.windowMs);
      this.timer.unref();
    } catch (error) {
      this.fail(error);
    }
  }

  private report(isLast: boolean): void {
    try {
      this.reporter?.report(isLast);
    } catch (error) {
      this.fail(error);
    }
  }

  /** By itself, by process.exit or by an error; one that is ended from outside never comes here. */
  private end(): void {
    if (this.reporter === undefined && !this.isOver) this.board.addEndedUnseen();
    this.report(true);
    this.stop();
  }

  /** Whatever goes wrong here ends the hook, not the worker. */
  private fail(error: unknown): void {
    this.log(`stopped: ${String(error)}`);
    this.stop();
  }

  private stop(): void {
    this.isOver = true;
    clearInterval(this.timer);
    this.board.release(threadId);
    const { reporter } = this;
    this.reporter = undefined;
    try {
      reporter?.stop();
    } catch (second) {
      this.log(`not ended: ${String(second)}`);
    }
  }
}
