/** Ids of a span, as OpenTelemetry's SpanContext has them. */
export interface SpanIds {
  readonly traceId: string;
  readonly spanId: string;
}

/**
 * When which span became the active one of the main thread: a row per change. V8's sampler stops the thread at any
 * machine instruction and can call no JavaScript, but it notes the time, by the same clock as `process.hrtime`; so a sample
 * is within the span that was the active one at its time.
 *
 * It is exact for the stretches that it knows. What it does not know has no span: a link that is missing is no wrong one.
 */
export class SpanSwitches {
  /** changes that came when there was no room for more */
  lost = 0;
  /** since when changes were lost; infinite while none were */
  private lostSinceUs = Number.POSITIVE_INFINITY;
  private readonly timeUs: Float64Array;
  private readonly spans: (SpanIds | undefined)[] = [];
  private current: SpanIds | undefined = undefined;

  /** 2^17 changes are 13,000 a second in a window of 10 s, and 1 MiB. */
  constructor(capacity: number = 1 << 17) {
    this.timeUs = new Float64Array(capacity);
  }

  /** The span that was noted last. */
  get active(): SpanIds | undefined {
    return this.current;
  }

  get size(): number {
    return this.spans.length;
  }

  get isNearlyFull(): boolean {
    return this.spans.length > 0.75 * this.timeUs.length;
  }

  /** From `nowUs` (microseconds of the monotonic clock, ascending) on, this span is the active one. */
  note(span: SpanIds | undefined, nowUs: number): void {
    if (span === this.current) return;
    this.current = span;
    const row = this.spans.length;
    if (row === this.timeUs.length) {
      this.lost++;
      if (nowUs < this.lostSinceUs) this.lostSinceUs = nowUs;
      return;
    }
    this.timeUs[row] = nowUs;
    this.spans.push(span);
  }

  /** The active span at a time of this window; undefined where there was none or none is known. */
  at(timeUs: number): SpanIds | undefined {
    if (timeUs >= this.lostSinceUs) return undefined;
    // The last change at or before it.
    let low = 0;
    let high = this.spans.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.timeUs[middle]! <= timeUs) low = middle + 1;
      else high = middle;
    }
    return low === 0 ? undefined : this.spans[low - 1];
  }

  /** Begins a new window at `nowUs`; the span that is active stays so. */
  clear(nowUs: number): void {
    this.spans.length = 0;
    this.lost = 0;
    this.lostSinceUs = Number.POSITIVE_INFINITY;
    const { current } = this;
    this.current = undefined;
    if (current !== undefined) this.note(current, nowUs);
  }
}
