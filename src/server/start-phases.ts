import type { Log } from "./log.ts";

/** A start is quick; what takes longer than this is worth a line. */
const WORTH_TELLING_MS = 1_000;

/** Does a phase of the start, and tells in the log how long it took where that was above a second; `phase` says what was done. */
export async function startPhase<T>(log: Log, phase: string, work: () => Promise<T>): Promise<T> {
  const began = performance.now();
  const result = await work();
  const ms = performance.now() - began;
  if (ms >= WORTH_TELLING_MS) log("info", "start", { text: `${phase} in ${(ms / 1000).toFixed(1)} s` });
  return result;
}
