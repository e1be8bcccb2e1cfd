/** Collection below this share of what a thread does is what programs need; src/engine/code takes the same. */
const USUAL_GC = 0.05;
/** And below this share of the clock nobody waits for it. */
const LEAST_OF_CLOCK = 0.01;
/** Reading an allocation profile costs a full collection: about 1 ms for each MB that is alive, once a minute at most. */
const REST_MS = 60_000;

/** What a window was, in seconds. */
export interface WindowTimes {
  readonly lengthS: number;
  /** the event loop was not idle */
  readonly activeS: number;
  readonly collectedS: number;
}

/**
 * When allocations are sampled. V8's inspector hands an allocation profile out only after a full collection, in Node 20, 22 and
 * 24 alike, which stops the program and shrinks its young generation, so that more collections follow. So it is asked only
 * where collection is a matter at all: after a window in which it took more than usual, for one window, then not for a minute.
 */
export class AllocationWindows {
  private readonly mode: "auto" | "on" | "off";
  private notBeforeMs = 0;

  constructor(mode: "auto" | "on" | "off") {
    this.mode = mode;
  }

  /** Whether they are sampled from the first moment on. */
  get isFromStart(): boolean {
    return this.mode === "on";
  }

  /** Whether they are in the window that begins now, the last one having been as told. isSampled: in that one they were. */
  next(nowMs: number, last: WindowTimes, isSampled: boolean): boolean {
    if (this.mode !== "auto") return this.mode === "on";
    if (isSampled) this.notBeforeMs = nowMs + REST_MS;
    if (nowMs < this.notBeforeMs) return false;
    const { lengthS, activeS, collectedS } = last;
    return collectedS >= USUAL_GC * activeS && collectedS >= LEAST_OF_CLOCK * lengthS && collectedS > 0;
  }
}
