import { Agent, request, type IncomingMessage } from "node:http";
import type { Worker } from "node:worker_threads";
import { ENDPOINT_NAMES, type DrawnRequests } from "./draw-requests.ts";
import type { LoadTally } from "./load-tally.ts";
import type { Beat, MetronomeTask } from "./metronome.ts";
import type { RequestText } from "./request-text.ts";
import { siblingThread } from "./sibling-module.ts";

const TIMEOUT_MS = 30_000;
/** Below the 5 s after which Node's servers close a connection: a request must not meet one that is just closing. */
const IDLE_MS = 4000;
/** Between the moment at which all is ready and the first request that can be due. */
const LEAD_MS = 20;

export interface OpenLoop {
  readonly requests: DrawnRequests;
  readonly write: (row: number, nowUnixMs: number) => RequestText;
  readonly tally: LoadTally;
  /** called as the plan's time begins */
  readonly onStart?: () => void;
  /** from a request's leaving to the last byte of its answer; 30 s where absent */
  readonly timeoutMs?: number;
}

/**
 * Sends each request when it is due, whatever became of those before it, and counts its latency from that moment.
 * Ends when the last has its answer or has timed out. Gives the Unix ms at which the first was due.
 */
export async function sendOpenLoop(baseUrl: string, loop: OpenLoop): Promise<number> {
  const { requests, write, tally, onStart, timeoutMs = TIMEOUT_MS } = loop;
  const agent = new Agent({ keepAlive: true, maxSockets: Infinity, maxFreeSockets: 1024, timeout: IDLE_MS });
  let startNs = 0n;
  let startUnixMs = 0;
  const sinceStartMs = (): number => Number(process.hrtime.bigint() - startNs) / 1e6;
  const pending: Promise<void>[] = [];
  const send = async (row: number): Promise<void> => {
    const dueMs = requests.dueMs[row]!;
    const text = write(row, Math.round(startUnixMs + dueMs));
    tally.left(sinceStartMs() - dueMs);
    const outcome = await answerTo(baseUrl, text, agent, timeoutMs);
    const latencyMs = sinceStartMs() - dueMs;
    if (typeof outcome === "string") return tally.failed(outcome);
    const endpoint = requests.endpoint[row]!;
    tally.answered(endpoint, latencyMs);
    const wanted = outcome === 404 && requests.missing[row] === 1 && ENDPOINT_NAMES[endpoint] === "lookup";
    if (outcome >= 400 && !wanted) tally.failed(`http ${outcome}`);
  };

  let sent = 0;
  await onBeats(
    requests.dueMs,
    (metronome) => {
      startUnixMs = performance.timeOrigin + performance.now() + LEAD_MS;
      startNs = process.hrtime.bigint() + BigInt(LEAD_MS * 1e6);
      metronome.postMessage(startNs);
      onStart?.();
    },
    (due) => {
      while (sent < due) pending.push(send(sent++));
    },
  );
  await Promise.all(pending);
  agent.destroy();
  return startUnixMs + (requests.dueMs[0] ?? 0);
}

/** Runs the thread of `metronome.ts` to its end. */
function onBeats(dueMs: Float64Array, ready: (metronome: Worker) => void, beat: (due: Beat) => void): Promise<void> {
  const shared = new Float64Array(new SharedArrayBuffer(dueMs.byteLength));
  shared.set(dueMs);
  const workerData: MetronomeTask = { dueMs: shared };
  return new Promise((resolve, reject) => {
    const metronome = siblingThread(import.meta.url, "metronome", { workerData });
    metronome.on("message", (due: Beat) => (due === 0 ? ready(metronome) : beat(due)));
    metronome.once("error", reject);
    metronome.once("exit", () => resolve());
  });
}

/** The status of the answer once its last byte is there, or what was wrong where there is none. */
function answerTo(baseUrl: string, text: RequestText, agent: Agent, timeoutMs: number): Promise<number | string> {
  const { method, path, contentType, body } = text;
  const headers = body === undefined ? {} : { "content-type": contentType, "content-length": Buffer.byteLength(body) };
  return new Promise((resolve) => {
    const outgoing = request(baseUrl + path, { method, agent, headers });
    // Not the socket's own timeout, which a drip of bytes puts off for ever.
    const timer = setTimeout(() => {
      end("timeout");
      outgoing.destroy();
    }, timeoutMs);
    const end = (outcome: number | string): void => {
      clearTimeout(timer);
      resolve(outcome);
    };
    const failed = (error: NodeJS.ErrnoException): void => end(error.code ?? error.message);
    outgoing.on("error", failed).once("response", (response: IncomingMessage) => {
      response.on("error", failed).once("end", () => end(response.statusCode ?? 0));
      response.resume();
    });
    outgoing.end(body);
  });
}
