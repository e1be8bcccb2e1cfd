import { performance } from "node:perf_hooks";
import { SETTLE_SHARE, type StepRecord } from "../analysis/load-step.ts";
import { Random } from "../analysis/random.ts";
import { connectionsTo, sendOpenLoop } from "./send-open-loop.ts";
import { StepRows } from "./step-rows.ts";
import type { LoadStep, LoadTarget, StepMessage, StepTask } from "./step-generator.ts";

/** The process of the step generator: a target comes, then steps, each answered by its record; it ends when nobody listens any more. */

process.once("disconnect", () => process.exit(0));
// Ctrl-C reaches all processes of a terminal; what it means is decided by the one that started this.
process.on("SIGINT", () => {});

let send: ((step: LoadStep) => Promise<StepRecord>) | undefined;
process.on("message", (task: StepTask) => {
  if (task.kind === "target") send = senderTo(task.target);
  else void send?.(task.step).then((record) => tell({ kind: "record", record }));
});

function tell(message: StepMessage): void {
  process.send?.(message);
}

const PROGRESS_MS = 250;

function senderTo(target: LoadTarget): (step: LoadStep) => Promise<StepRecord> {
  const agent = connectionsTo(target.origin, target.connections);
  let sentBefore = 0;
  return async (step) => {
    const dueMs = arrivalsOf(step);
    const chosen = choices(target, step, dueMs.length, sentBefore);
    sentBefore += dueMs.length;
    const rows = new StepRows(dueMs);
    const before = performance.eventLoopUtilization();
    let busy = before;
    let ticking: NodeJS.Timeout | undefined;
    const startUnixMs = await sendOpenLoop(target.origin, {
      dueMs,
      write: (row) => target.requests[chosen[row]!]!,
      left: (row, lateMs) => rows.left(row, lateMs),
      connected: (row, atMs) => rows.connected(row, atMs),
      ended: (row, told, latencyMs) => rows.end(row, told, latencyMs),
      onStart: () => {
        const startMs = performance.now();
        ticking = setInterval(() => {
          const elapsedSeconds = (performance.now() - startMs) / 1000;
          // While requests leave; waiting for the last answers is no work.
          if (elapsedSeconds < step.seconds) busy = performance.eventLoopUtilization(before);
          const { sent, ended, failed } = rows;
          tell({ kind: "progress", progress: { elapsedSeconds, sent, inFlight: sent - ended, failed } });
        }, PROGRESS_MS);
      },
      timeoutMs: target.timeoutMs,
      agent,
      signal: rows.halt.signal,
    });
    clearInterval(ticking);
    const { connections } = target;
    const rest = { perSecond: step.perSecond, startUnixMs, connections, generatorBusy: busy.utilization };
    return rows.record(rest, step.seconds);
  };
}

/** Each kind of draw has a stream of its own. */
const STREAMS = { arrivals: 1, request: 2 } as const;

function arrivalsOf({ perSecond, seconds, arrivals, seed }: LoadStep): Float64Array {
  const count = Math.max(1, Math.round(perSecond * seconds));
  if (arrivals === "constant") return Float64Array.from({ length: count }, (_, i) => ((i + 0.5) * 1000) / perSecond);
  // A Poisson process given its number: as many as asked for in the part that settles and in the part that counts, each at
  // a moment of its own choice. Chance moves requests, and does not make the load another one.
  const random = new Random(STREAMS.arrivals * 2 ** 32 + seed);
  const settleMs = seconds * 1000 * SETTLE_SHARE;
  const settling = Math.round((perSecond * settleMs) / 1000);
  const due = Float64Array.from({ length: count }, (_, i) =>
    i < settling ? random.uniform() * settleMs : settleMs + random.uniform() * (seconds * 1000 - settleMs),
  );
  return due.sort();
}

/** Which of the target's requests each row is. */
function choices({ requests, order }: LoadTarget, { seed }: LoadStep, count: number, before: number): Uint32Array {
  if (order === "in-turn") return Uint32Array.from({ length: count }, (_, row) => (before + row) % requests.length);
  let sum = 0;
  const upTo = requests.map(({ weight }) => (sum += weight));
  const random = new Random(STREAMS.request * 2 ** 32 + seed);
  return Uint32Array.from({ length: count }, () => {
    const drawn = random.uniform() * sum;
    return upTo.findIndex((limit) => limit > drawn);
  });
}
