import { sendOpenLoop } from "../../load/send-open-loop.ts";
import { drawRequests, ENDPOINT_NAMES } from "./draw-requests.ts";
import { LoadTally } from "./load-tally.ts";
import { requestWriter } from "./request-text.ts";
import type { GeneratorMessage, GeneratorTask } from "./run-load.ts";

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
  const startUnixMs = await sendOpenLoop(baseUrl, {
    dueMs: requests.dueMs,
    write,
    left: (_, lateMs) => tally.left(lateMs),
    ended: (row, outcome, latencyMs) => {
      if (typeof outcome === "string") return tally.failed(outcome);
      const endpoint = requests.endpoint[row]!;
      tally.answered(endpoint, latencyMs);
      const wanted = outcome === 404 && requests.missing[row] === 1 && ENDPOINT_NAMES[endpoint] === "lookup";
      if (outcome >= 400 && !wanted) tally.failed(`http ${outcome}`);
    },
    onStart,
  });
  clearInterval(ticking);
  const startedAtUnixMs = startUnixMs + (requests.dueMs[0] ?? 0);
  tell({ kind: "result", result: tally.result(plan, startedAtUnixMs) }, () => process.disconnect());
}

function tell(message: GeneratorMessage, told?: () => void): void {
  process.send?.(message, undefined, undefined, told);
}
