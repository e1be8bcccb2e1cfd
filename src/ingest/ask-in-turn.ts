import { setTimeout as sleep } from "node:timers/promises";
import { toldUrl } from "./ask-target.ts";

/** Something that is asked again and again. */
interface Target {
  readonly url: string;
  readonly intervalMs: number;
}

/**
 * Asks each target once per its interval until that is stopped; `ask` gets the signal of it and never rejects. Targets of one
 * interval are spread over it. Throws for an address that is not of http or https; `what` is asked for, in its words.
 * Returns how to stop.
 */
export function askInTurn<T extends Target>(
  targets: readonly T[],
  what: string,
  ask: (target: T, stopped: AbortSignal) => Promise<void>,
): () => Promise<void> {
  const stopping = new AbortController();
  for (const { url } of targets) {
    if (!/^https?:$/.test(new URL(url).protocol))
      throw new Error(`${toldUrl(url)}: ${what} are asked for over http or https`);
  }
  const all = targets.map((target, i) =>
    askForever(target, (target.intervalMs * i) / targets.length, ask, stopping.signal),
  );
  return async () => {
    stopping.abort();
    await Promise.all(all);
  };
}

async function askForever<T extends Target>(
  target: T,
  firstAfterMs: number,
  ask: (target: T, stopped: AbortSignal) => Promise<void>,
  stopped: AbortSignal,
): Promise<void> {
  for (let dueMs = performance.now() + firstAfterMs; ; dueMs += target.intervalMs) {
    // What was missed is left out: a target that was slow is not asked twice at once.
    dueMs = Math.max(dueMs, performance.now());
    try {
      await sleep(dueMs - performance.now(), undefined, { signal: stopped });
    } catch {
      // Stopped while nothing was due.
      return;
    }
    await ask(target, stopped);
    if (stopped.aborted) return;
  }
}
