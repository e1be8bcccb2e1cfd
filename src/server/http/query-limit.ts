import { HttpError } from "./http-error.ts";

/** At once, and waiting: more store queries than this make each other slow, and more waiting ones are overload. */
const AT_ONCE = 8;
const WAITING = 64;

/** Lets some queries through at a time, each with a time limit, and refuses when too many wait. */
export class QueryLimit {
  private running = 0;
  private readonly queue: (() => void)[] = [];
  private readonly timeoutMs: number;

  constructor(timeoutMs: number) {
    this.timeoutMs = timeoutMs;
  }

  /** Runs `query` with a signal that ends it at the time limit or when the caller went away. */
  async run<T>(caller: AbortSignal, query: (signal: AbortSignal) => Promise<T>): Promise<T> {
    if (this.queue.length >= WAITING) {
      throw new HttpError(429, "too many queries wait already", { headers: { "retry-after": "1" } });
    }
    if (this.running >= AT_ONCE) await new Promise<void>((resolve) => this.queue.push(resolve));
    this.running++;
    try {
      const limit = AbortSignal.timeout(this.timeoutMs);
      return await raced(query(AbortSignal.any([caller, limit])), limit, this.timeoutMs);
    } finally {
      this.running--;
      this.queue.shift()?.();
    }
  }
}

/** Whatever the store makes of its signal, the answer comes in time. */
async function raced<T>(work: Promise<T>, limit: AbortSignal, timeoutMs: number): Promise<T> {
  let onAbort = (): void => {};
  const late = new Promise<never>((_, reject) => {
    onAbort = () => reject(new HttpError(504, `the query took longer than ${timeoutMs / 1000} s`));
    limit.addEventListener("abort", onAbort, { once: true });
  });
  try {
    return await Promise.race([work, late]);
  } catch (error) {
    if (limit.aborted) throw new HttpError(504, `the query took longer than ${timeoutMs / 1000} s`);
    throw error;
  } finally {
    limit.removeEventListener("abort", onAbort);
    work.catch(() => undefined);
  }
}
