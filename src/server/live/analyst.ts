import { Worker } from "node:worker_threads";
import type { Connection } from "../../store/connection.ts";
import type { FromThread, Task, ThreadSetUp, ToThread } from "./analysis-messages.ts";

/** An analysis that failed. `code` is that of a StoreError, "ChangeError" has none, "thread" means that the thread ended. */
export class AnalysisError extends Error {
  override readonly name: string = "AnalysisError";
  /** name of the error in the thread */
  readonly kind: string;
  readonly code: string;

  constructor(kind: string, code: string, message: string) {
    super(message);
    this.kind = kind;
    this.code = code;
  }
}

export interface Listener {
  readonly signal?: AbortSignal;
  readonly progress?: (stage: string, done: number, total: number) => void;
  readonly partial?: (json: string) => void;
}

/** How far the analysis that runs now is. */
export interface AnalysisProgress {
  readonly stage: string;
  readonly done: number;
  readonly total: number;
}

interface Pending {
  readonly listeners: Set<Listener>;
  readonly result: Promise<string>;
  resolve(json: string): void;
  reject(error: Error): void;
  readonly onChunk?: (data: string | Uint8Array) => void;
  partial?: string;
  /** nobody waits for it any more: whoever comes now is not given the end of it */
  isCancelled: boolean;
}

/** The analysis thread, seen from the server: starts it when it is needed, and anew when it ended. */
export class Analyst {
  private readonly setUp: ThreadSetUp;
  private readonly connection: () => Connection;
  private thread: Worker | undefined;
  private nextId = 1;
  private readonly pending = new Map<number, Pending>();
  /** Tasks whose answer is the same for everybody, by what they ask. */
  private readonly shared = new Map<string, number>();
  private progressNow: AnalysisProgress | undefined;

  constructor(setUp: ThreadSetUp, connection: () => Connection) {
    this.setUp = setUp;
    this.connection = connection;
  }

  /** The task that is worked on, undefined when there is none. */
  get progress(): AnalysisProgress | undefined {
    return this.pending.size === 0 ? undefined : this.progressNow;
  }

  get waiting(): number {
    return this.pending.size;
  }

  /** The JSON of a task's answer. Equal tasks that overlap are done once; when all who asked went away, it is cancelled. */
  async ask(task: Task, listener: Listener = {}): Promise<string> {
    const key = keyOf(task);
    const held = this.shared.get(key);
    if (held !== undefined && this.pending.get(held)?.isCancelled === false) return this.listen(held, listener);
    const id = this.start(task);
    this.shared.set(key, id);
    const forget = (): void => {
      if (this.shared.get(key) === id) this.shared.delete(key);
    };
    this.pending.get(id)!.result.then(forget, forget);
    return this.listen(id, listener);
  }

  /** Chunks of an export as they come; one at a time is on its way. */
  async *stream(task: Task, signal?: AbortSignal): AsyncGenerator<string | Uint8Array> {
    const chunks: (string | Uint8Array)[] = [];
    let wake = (): void => {};
    const id = this.start(task, (data) => {
      chunks.push(data);
      wake();
    });
    let isOver = false;
    const listener = signal === undefined ? {} : { signal };
    const over = this.listen(id, listener).finally(() => {
      isOver = true;
      wake();
    });
    // Told to who awaits it below.
    over.catch(() => undefined);
    try {
      for (;;) {
        const chunk = chunks.shift();
        if (chunk !== undefined) {
          yield chunk;
          this.post({ kind: "taken", id });
        } else if (isOver) {
          await over;
          return;
        } else await new Promise<void>((resolve) => (wake = resolve));
      }
    } finally {
      if (!isOver) this.post({ kind: "cancel", id });
    }
  }

  async close(): Promise<void> {
    const { thread } = this;
    this.thread = undefined;
    this.fail(new AnalysisError("AnalysisError", "closing", "the server is stopping"));
    await thread?.terminate();
  }

  private start(task: Task, onChunk?: (data: string | Uint8Array) => void): number {
    const id = this.nextId++;
    let settle: Pick<Pending, "resolve" | "reject"> | undefined;
    const result = new Promise<string>((resolve, reject) => (settle = { resolve, reject }));
    this.pending.set(id, {
      listeners: new Set(),
      result,
      isCancelled: false,
      ...settle!,
      ...(onChunk === undefined ? {} : { onChunk }),
    });
    // A task that everybody left is rejected, and nobody hears it.
    result.catch(() => undefined);
    this.post({ kind: "task", id, task, connection: this.connection() });
    return id;
  }

  private async listen(id: number, listener: Listener): Promise<string> {
    const pending = this.pending.get(id)!;
    pending.listeners.add(listener);
    if (pending.partial !== undefined) listener.partial?.(pending.partial);
    const { signal } = listener;
    if (signal === undefined) return pending.result;
    let leave = (): void => {};
    const left = new Promise<never>((_, reject) => {
      leave = (): void => {
        pending.listeners.delete(listener);
        if (pending.listeners.size === 0) {
          pending.isCancelled = true;
          this.post({ kind: "cancel", id });
        }
        reject(signal.reason as Error);
      };
      if (signal.aborted) leave();
      else signal.addEventListener("abort", leave, { once: true });
    });
    try {
      return await Promise.race([pending.result, left]);
    } finally {
      signal.removeEventListener("abort", leave);
    }
  }

  private post(message: ToThread): void {
    this.thread ??= this.startThread();
    this.thread.postMessage(message);
  }

  private startThread(): Worker {
    const thread = siblingThread("analysis-thread", this.setUp);
    thread.on("message", (message: FromThread) => this.receive(message));
    const ended = (message: string) => (): void => {
      if (this.thread !== thread) return;
      this.thread = undefined;
      this.fail(new AnalysisError("AnalysisError", "thread", message));
    };
    thread.on("error", (error) => ended(`the analysis ended: ${error.message}`)());
    thread.on("exit", ended("the analysis ended"));
    thread.unref();
    return thread;
  }

  private receive(message: FromThread): void {
    const pending = this.pending.get(message.id);
    if (pending === undefined) return;
    switch (message.kind) {
      case "progress": {
        const { stage, done, total } = message;
        this.progressNow = { stage, done, total };
        for (const listener of pending.listeners) listener.progress?.(stage, done, total);
        return;
      }
      case "partial":
        pending.partial = message.json;
        for (const listener of pending.listeners) listener.partial?.(message.json);
        return;
      case "chunk":
        pending.onChunk?.(message.data);
        return;
      case "done":
        this.pending.delete(message.id);
        pending.resolve(message.json);
        return;
      case "failed":
        this.pending.delete(message.id);
        pending.reject(new AnalysisError(message.name, message.code, message.message));
    }
  }

  private fail(error: Error): void {
    const all = [...this.pending.values()];
    this.pending.clear();
    for (const { reject } of all) reject(error);
  }
}

const keyOf = (task: Task): string =>
  JSON.stringify(task, (_, value: unknown) => (typeof value === "bigint" ? `${value}n` : value));

/** The module beside this one as a thread: compiled as it is; from the sources, in tests, with tsx to load it. */
function siblingThread(name: string, workerData: ThreadSetUp): Worker {
  const isSource = import.meta.url.endsWith(".ts");
  const url = new URL(`./${name}${isSource ? ".ts" : ".js"}`, import.meta.url);
  if (!isSource) return new Worker(url, { workerData });
  const code = `import("tsx/esm/api").then((tsx) => { tsx.register(); return import("${url.href}"); });`;
  return new Worker(code, { workerData, eval: true });
}
