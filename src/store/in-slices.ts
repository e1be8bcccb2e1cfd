import { setImmediate as turn } from "node:timers/promises";

/** Acknowledgements wait for so long at most, at half load a fifth of what they may take. */
const SLICE_MS = 4;

/** Runs steps to their end. After each few milliseconds of them the event loop gets to what else there is to do. */
export async function inSlices<Result>(steps: Generator<void, Result>): Promise<Result> {
  for (;;) {
    const endMs = performance.now() + SLICE_MS;
    do {
      const step = steps.next();
      if (step.done) return step.value;
    } while (performance.now() < endMs);
    await turn();
  }
}
