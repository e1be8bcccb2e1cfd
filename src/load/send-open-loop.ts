import { Agent, request as requestHttp, type IncomingMessage } from "node:http";
import { Agent as SecureAgent, request as requestHttps } from "node:https";
import type { Worker } from "node:worker_threads";
import type { Beat, MetronomeTask } from "./metronome.ts";
import { siblingThread } from "./sibling-module.ts";

/** A request as it leaves; the origin is that of the whole load. */
export interface OutgoingRequest {
  readonly method: string;
  /** with its query */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
}

export interface OpenLoop {
  /** ms from the start, ascending; one row for each request */
  readonly dueMs: Float64Array;
  readonly write: (row: number, dueUnixMs: number) => OutgoingRequest;
  /** a request was handed over, `lateMs` after it was due */
  readonly left: (row: number, lateMs: number) => void;
  /** it was given a connection of those that the agent may open, ms from the start */
  readonly connected?: (row: number, atMs: number) => void;
  /** the status of its answer once the last byte was there, or what was wrong where there was none; ms since it was due */
  readonly ended: (row: number, outcome: number | string, latencyMs: number) => void;
  /** called as the load's time begins */
  readonly onStart?: () => void;
  /** from a request's leaving to the last byte of its answer; 30 s where absent */
  readonly timeoutMs?: number;
  /** connections that outlive this load; else its own, as many as it takes, closed at its end */
  readonly agent?: Agent;
  /** aborted: no more requests leave; the answers of those that did are still awaited */
  readonly signal?: AbortSignal;
}

const TIMEOUT_MS = 30_000;
/** Below the 5 s after which Node's servers close a connection: a request must not meet one that is just closing. */
const IDLE_MS = 4000;
/** Between the moment at which all is ready and the first request that can be due. */
const LEAD_MS = 20;

/** Connections towards `origin`, kept for the next request; at most `most` at the same time, the rest waits in turn. */
export function connectionsTo(origin: string, most: number): Agent {
  const options = { keepAlive: true, maxSockets: most, maxFreeSockets: Math.min(most, 1024), timeout: IDLE_MS };
  return origin.startsWith("https:") ? new SecureAgent(options) : new Agent(options);
}

/**
 * Sends each request when it is due, whatever became of those before it, and counts its latency from that moment.
 * Ends when the last has its answer or has timed out. Gives the Unix ms at which the load's time began.
 */
export async function sendOpenLoop(origin: string, loop: OpenLoop): Promise<number> {
  const { dueMs, timeoutMs = TIMEOUT_MS, agent = connectionsTo(origin, Infinity) } = loop;
  let startNs = 0n;
  let startUnixMs = 0;
  const sinceStartMs = (): number => Number(process.hrtime.bigint() - startNs) / 1e6;
  const pending: Promise<void>[] = [];
  const send = async (row: number): Promise<void> => {
    const due = dueMs[row]!;
    const outgoing = loop.write(row, Math.round(startUnixMs + due));
    loop.left(row, sinceStartMs() - due);
    const connected = loop.connected && (() => loop.connected!(row, sinceStartMs()));
    const outcome = await answerTo(origin, outgoing, agent, timeoutMs, connected);
    loop.ended(row, outcome, sinceStartMs() - due);
  };

  let sent = 0;
  await onBeats(
    dueMs,
    (metronome) => {
      startUnixMs = performance.timeOrigin + performance.now() + LEAD_MS;
      startNs = process.hrtime.bigint() + BigInt(LEAD_MS * 1e6);
      metronome.postMessage(startNs);
      loop.onStart?.();
    },
    (due) => {
      while (sent < due && loop.signal?.aborted !== true) pending.push(send(sent++));
    },
    loop.signal,
  );
  await Promise.all(pending);
  if (loop.agent === undefined) agent.destroy();
  return startUnixMs;
}

/** Runs the thread of `metronome.ts` to its end, or till the signal. */
function onBeats(
  dueMs: Float64Array,
  ready: (metronome: Worker) => void,
  beat: (due: Beat) => void,
  signal: AbortSignal | undefined,
): Promise<void> {
  const shared = new Float64Array(new SharedArrayBuffer(dueMs.byteLength));
  shared.set(dueMs);
  const workerData: MetronomeTask = { dueMs: shared };
  return new Promise((resolve, reject) => {
    const metronome = siblingThread(import.meta.url, "metronome", { workerData });
    const stop = (): void => void metronome.terminate();
    signal?.addEventListener("abort", stop, { once: true });
    metronome.on("message", (due: Beat) => (due === 0 ? ready(metronome) : beat(due)));
    metronome.once("error", reject);
    metronome.once("exit", () => {
      signal?.removeEventListener("abort", stop);
      resolve();
    });
  });
}

/** The status of the answer once its last byte is there, or what was wrong where there is none. */
function answerTo(
  origin: string,
  { method, path, headers = {}, body }: OutgoingRequest,
  agent: Agent,
  timeoutMs: number,
  connected?: () => void,
): Promise<number | string> {
  const request = origin.startsWith("https:") ? requestHttps : requestHttp;
  const length = body === undefined ? {} : { "content-length": Buffer.byteLength(body) };
  return new Promise((resolve) => {
    const outgoing = request(origin + path, { method, agent, headers: { ...headers, ...length } });
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
    if (connected !== undefined) outgoing.once("socket", connected);
    outgoing.on("error", failed).once("response", (response: IncomingMessage) => {
      response.on("error", failed).once("end", () => end(response.statusCode ?? 0));
      response.resume();
    });
    outgoing.end(body);
  });
}
