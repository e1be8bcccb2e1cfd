import type { FastifyReply } from "fastify";

/** Proxies cut connections that are silent for a minute. */
const HEARTBEAT_MS = 15_000;

/** Server-sent events to one caller: https://html.spec.whatwg.org/multipage/server-sent-events.html */
export class EventStream {
  private readonly reply: FastifyReply;
  private readonly heartbeat: NodeJS.Timeout;
  /** aborted when the caller went away */
  readonly signal: AbortSignal;

  constructor(reply: FastifyReply) {
    const abort = new AbortController();
    this.reply = reply;
    this.signal = abort.signal;
    reply.hijack();
    const headers = reply.getHeaders() as Record<string, string>;
    reply.raw.writeHead(200, { ...headers, "content-type": "text/event-stream", "x-accel-buffering": "no" });
    reply.raw.flushHeaders();
    reply.raw.once("close", () => {
      clearInterval(this.heartbeat);
      abort.abort(new Error("the caller went away"));
    });
    this.heartbeat = setInterval(() => this.write(": still here\n\n"), HEARTBEAT_MS);
    this.heartbeat.unref();
  }

  /** `json` has no line ends, as JSON.stringify writes it. */
  send(event: string, json: string): void {
    this.write(`event: ${event}\ndata: ${json}\n\n`);
  }

  end(): void {
    this.reply.raw.end();
  }

  private write(text: string): void {
    if (!this.reply.raw.writableEnded && !this.reply.raw.destroyed) this.reply.raw.write(text);
  }

  /** Whether the caller takes events more slowly than they come; the next of a kind that only informs can be left out. */
  get isBehind(): boolean {
    return this.reply.raw.writableLength > 1 << 20;
  }
}
