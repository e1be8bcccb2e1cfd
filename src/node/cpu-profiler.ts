import inspector from "node:inspector";

/** What of V8's CPU profile is used; times are microseconds of the monotonic clock. */
export interface V8Profile {
  readonly nodes: readonly V8Node[];
  readonly startTime: number;
  readonly endTime: number;
  readonly samples?: readonly number[];
  readonly timeDeltas?: readonly number[];
}

export interface V8Node {
  readonly id: number;
  readonly callFrame: V8CallFrame;
  readonly children?: readonly number[];
}

export interface V8CallFrame {
  readonly functionName: string;
  readonly url: string;
  readonly lineNumber: number;
}

/** A node of V8's sampling heap profile. */
export interface V8HeapNode {
  readonly callFrame: V8CallFrame;
  readonly selfSize: number;
  readonly children: readonly V8HeapNode[];
}

/** A mean of one sample for so many bytes: V8's own default is 32 KiB, which costs more. */
const BYTES_PER_SAMPLE = 512 * 1024;

/**
 * V8's profilers over a session within the process; no port is opened.
 *
 * Starting the CPU profiler lists all code that is there, 60 to 200 ms with a few thousand functions; so the next
 * window begins before the last one ends, which takes 0.2 ms. Only profiles with a title can overlap, and a title is given by
 * V8's console alone.
 */
export class V8Profilers {
  private readonly session = new inspector.Session();
  private finished: V8Profile | undefined;
  private window = 0;

  startCpu(samplesPerSecond: number): void {
    this.session.connect();
    this.session.on("Profiler.consoleProfileFinished", ({ params }) => (this.finished = params.profile as V8Profile));
    this.session.post("Profiler.enable");
    this.session.post("Profiler.setSamplingInterval", { interval: Math.round(1e6 / samplesPerSecond) });
    console_.profile(this.title(0));
  }

  /** The profile of the window that ends now; `isLast`: no other begins. */
  takeCpu(isLast: boolean): V8Profile | undefined {
    this.finished = undefined;
    if (!isLast) console_.profile(this.title(this.window + 1));
    console_.profileEnd(this.title(this.window++));
    return this.finished;
  }

  /** From now on allocations are sampled, those that are freed again too. */
  startAllocations(): void {
    this.session.post("HeapProfiler.enable");
    const all = { includeObjectsCollectedByMajorGC: true, includeObjectsCollectedByMinorGC: true };
    this.session.post("HeapProfiler.startSampling", { samplingInterval: BYTES_PER_SAMPLE, ...all });
  }

  /** What was allocated since; sampling ends. V8 makes a full collection first. */
  takeAllocations(): V8HeapNode | undefined {
    let head: V8HeapNode | undefined;
    this.session.post("HeapProfiler.stopSampling", (error, result) => {
      if (error === null) head = (result as unknown as { profile: { head: V8HeapNode } }).profile.head;
    });
    return head;
  }

  stop(): void {
    this.session.disconnect();
  }

  private title(window: number): string {
    return `longpole-${process.pid}-${window}`;
  }
}

/** V8's own console, which writes nothing. */
const console_ = inspector.console as unknown as { profile(title: string): void; profileEnd(title: string): void };
