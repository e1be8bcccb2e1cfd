import http from "node:http";
import https from "node:https";
import { withoutSpans } from "./active-span.ts";

/** Requests that wait (sixteen workers send one each in a window), and their bytes; beyond either the oldest go. */
const MAX_QUEUED = 64;
const MAX_QUEUED_BYTES = 4 << 20;
const TIMEOUT_MS = 10_000;
const FIRST_PAUSE_MS = 1_000;
const MAX_PAUSE_MS = 300_000;
/** After these alone a request may be sent again, as OTLP/HTTP has it: of another status, 500 too, it is the request's fault. */
const LATER: ReadonlySet<number> = new Set([429, 502, 503, 504]);

// Held before instrumentations put theirs in their place: what the hook sends is no work of the program.
const requestOf = { "http:": http.request, "https:": https.request };

/**
 * Sends requests of one signal to one endpoint, one after another. Whatever happens there, the program does not notice:
 * nothing is thrown, no socket keeps it alive, what waits is bounded. While the endpoint is away it is asked after pauses
 * that double up to 5 minutes, and what is too old by then is dropped and counted. An endpoint that does not know the path
 * (404, 405, 501) is not asked again.
 */
export class OtlpSender {
  dropped = 0;
  sent = 0;
  private readonly url: URL;
  private readonly headers: Readonly<Record<string, string>>;
  private readonly log: (text: string) => void;
  private queue: Uint8Array[] = [];
  private isSending = false;
  private isOver = false;
  private pauseMs = 0;
  private notBeforeMs = 0;
  private idle: (() => void)[] = [];

  constructor(url: URL, headers: Readonly<Record<string, string>>, log: (text: string) => void) {
    this.url = url;
    this.headers = headers;
    this.log = log;
  }

  send(body: Uint8Array): void {
    if (this.isOver) return;
    this.queue.push(body);
    let bytes = this.queue.reduce((sum, one) => sum + one.length, 0);
    while (this.queue.length > MAX_QUEUED || (bytes > MAX_QUEUED_BYTES && this.queue.length > 1)) {
      bytes -= this.queue.shift()!.length;
      this.dropped++;
    }
    this.next();
  }

  /** Resolves when nothing is under way. What waits for an endpoint that is away stays. */
  async settled(): Promise<void> {
    if (this.isSending) await new Promise<void>((resolve) => this.idle.push(resolve));
  }

  private next(): void {
    const body = this.queue[0];
    if (this.isSending || this.isOver || body === undefined || performance.now() < this.notBeforeMs) {
      if (!this.isSending) for (const resolve of this.idle.splice(0)) resolve();
      return;
    }
    this.isSending = true;
    withoutSpans(() => this.post(body));
  }

  private post(body: Uint8Array): void {
    const request = requestOf[this.url.protocol as "http:" | "https:"];
    let isDone = false;
    const done = (status: number, why: string, retryAfter?: string): void => {
      if (isDone) return;
      isDone = true;
      this.isSending = false;
      this.judge(body, status, why, askedMs(retryAfter));
      this.next();
    };
    try {
      const options = {
        method: "POST",
        timeout: TIMEOUT_MS,
        headers: { ...this.headers, "content-length": body.length },
      };
      const sending = request(this.url, options, (response) => {
        response.resume();
        const { statusCode = 0, headers } = response;
        response.on("end", () => done(statusCode, `status ${statusCode}`, headers["retry-after"]));
        response.on("error", (error) => done(0, error.message));
      });
      sending.on("socket", (socket) => socket.unref());
      sending.on("timeout", () => sending.destroy(new Error(`no answer in ${TIMEOUT_MS / 1000} s`)));
      sending.on("error", (error) => done(0, error.message));
      // An answer that is none (101 is one) ends the connection, and is told by nothing else.
      sending.on("close", () => setImmediate(done, 0, "the connection was closed before the answer was whole"));
      sending.end(body);
    } catch (error) {
      done(0, String(error));
    }
  }

  private judge(body: Uint8Array, status: number, why: string, waitMs: number): void {
    const isAway = status === 0 || LATER.has(status);
    if (status === 404 || status === 405 || status === 501) {
      this.isOver = true;
      this.dropped += this.queue.length;
      this.queue = [];
      this.log(`${this.url.href}: ${why}; nothing more is sent there`);
    } else if (isAway) {
      this.pauseMs = Math.min(MAX_PAUSE_MS, Math.max(FIRST_PAUSE_MS, 2 * this.pauseMs, waitMs));
      this.notBeforeMs = performance.now() + this.pauseMs;
      this.log(`${this.url.href}: ${why}; next try in ${this.pauseMs / 1000} s`);
    } else {
      if (this.queue[0] === body) this.queue.shift();
      this.pauseMs = this.notBeforeMs = 0;
      if (status < 300) this.sent++;
      else {
        this.dropped++;
        this.log(`${this.url.href}: ${why}`);
      }
    }
  }
}

/** Of a Retry-After: seconds, or a date; 0 where there is none. */
function askedMs(retryAfter: string | undefined): number {
  if (retryAfter === undefined) return 0;
  const seconds = Number(retryAfter);
  const ms = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(retryAfter) - Date.now();
  return ms > 0 ? ms : 0;
}
