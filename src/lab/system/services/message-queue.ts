/**
 * A queue for which there is no instrumentation: sender and worker make the spans
 * themselves, by OpenTelemetry's conventions for messages.
 */
import type { Agent } from "node:http";
import { context, propagation, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import { callService } from "./call-service.ts";

export interface Message {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: unknown;
}

const tracer = trace.getTracer("message-queue");
const UPSTREAM_TIMEOUT_MS = 10_000;

interface Publication {
  readonly agent: Agent;
  readonly url: string;
  readonly queue: string;
  readonly body: unknown;
}

/** Resolves when the queue has taken the message; rejects where it is full. */
export function publish({ agent, url, queue, body }: Publication): Promise<void> {
  return spanned(`send ${queue}`, SpanKind.PRODUCER, "send", queue, async () => {
    const headers: Record<string, string> = {};
    propagation.inject(context.active(), headers);
    const message: Message = { headers, body };
    const answer = await callService({ agent, method: "POST", url, body: message, timeoutMs: UPSTREAM_TIMEOUT_MS });
    if (answer.status !== 202) throw new Error(`the queue answers with status ${answer.status}`);
  });
}

/** Bounded, in memory; so many workers take messages from it in the order in which they came. */
export class MessageQueue {
  readonly #name: string;
  readonly #limit: number;
  readonly #handle: (body: unknown) => Promise<void>;
  readonly #waiting: Message[] = [];
  #idle: number;

  constructor(name: string, limit: number, workers: number, handle: (body: unknown) => Promise<void>) {
    this.#name = name;
    this.#limit = limit;
    this.#idle = workers;
    this.#handle = handle;
  }

  /** Whether there was room for it. */
  offer(message: Message): boolean {
    if (this.#waiting.length >= this.#limit) return false;
    this.#waiting.push(message);
    if (this.#idle > 0) void this.#work();
    return true;
  }

  async #work(): Promise<void> {
    this.#idle--;
    for (let message = this.#waiting.shift(); message !== undefined; message = this.#waiting.shift()) {
      await this.#process(message).catch((error: unknown) => console.error(String(error)));
    }
    this.#idle++;
  }

  #process({ headers, body }: Message): Promise<void> {
    const sender = propagation.extract(context.active(), headers);
    return context.with(sender, () =>
      spanned(`process ${this.#name}`, SpanKind.CONSUMER, "process", this.#name, () => this.#handle(body)),
    );
  }
}

function spanned<T>(
  name: string,
  kind: SpanKind,
  operation: "send" | "process",
  queue: string,
  work: () => Promise<T>,
): Promise<T> {
  const attributes = {
    "messaging.system": "http-queue",
    "messaging.destination.name": queue,
    "messaging.operation.name": operation,
    "messaging.operation.type": operation,
  };
  return tracer.startActiveSpan(name, { kind, attributes }, async (span) => {
    try {
      return await work();
    } catch (error) {
      span.recordException(error as Error);
      span.setStatus({ code: SpanStatusCode.ERROR, message: (error as Error).message });
      throw error;
    } finally {
      span.end();
    }
  });
}
