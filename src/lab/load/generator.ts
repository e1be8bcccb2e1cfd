import { drawRequests } from "./draw-requests.ts";
import { LoadTally } from "./load-tally.ts";
import { requestWriter } from "./request-text.ts";
import type { GeneratorMessage, GeneratorTask } from "./run-load.ts";
import { sendOpenLoop } from "./send-open-loop.ts";

/**
 * The process of the load generator: one task comes, progress goes, the result goes, and it ends; so it does when
 * nobody listens any more.
 */

process.once("disconnect", () => process.exit(0));
// Ctrl-C reaches all processes of a terminal; what it means is decided by the one that started this.
process.on("SIGINT", () => {});
process.once("message", (task: GeneratorTask) => void run(task));

async function run({ baseUrl, plan, records }: GeneratorTask): Promise<void> {
  const requests = drawRequests(plan);
  const tally = new LoadTally();
  const write = requestWriter(requests, { records, pointsPerBatch: plan.pointsPerBatch, seed: plan.seed });
  let ticking: NodeJS.Timeout | undefined;
  const onStart = (): void => {
    const startMs = performance.now();
    ticking = setInterval(() => {
      tell({ kind: "progress", progress: tally.progress((performance.now() - startMs) / 1000, plan.seconds) });
    }, 1000);
  };
  const startedAtUnixMs = await sendOpenLoop(baseUrl, { requests, write, tally, onStart });
  clearInterval(ticking);
  tell({ kind: "result", result: tally.result(plan, startedAtUnixMs) }, () => process.disconnect());
}

function tell(message: GeneratorMessage, told?: () => void): void {
  process.send?.(message, undefined, undefined, told);
}
