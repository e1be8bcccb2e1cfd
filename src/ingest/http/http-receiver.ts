import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { compressionOf } from "../../formats/decompress.ts";
import type { BodyEncoding } from "../body.ts";
import type { IngestLimits } from "../limits.ts";
import type { Lease, Outcome, Receiver } from "../receiver.ts";
import { answerFailure, answerOtlp, type AnswerType, type Headers, refuse, send } from "./http-answer.ts";
import { readBody, toldLength } from "./read-body.ts";
import { type Destination, destinationOf } from "./routes.ts";

/** Who may send, and by what certificate the server is known. */
export interface Access {
  /** Whether this Authorization header is good; everybody may send where it is not given. */
  readonly authorize?: (authorization: string | undefined) => boolean;
  readonly tls?: { readonly key: string; readonly cert: string };
}

export interface Listener {
  readonly port: number;
  /** Takes no new connections; resolves when the last answer is sent, or `graceMs` later. */
  close(graceMs: number): Promise<void>;
}

/**
 * Receives over HTTP/1.1.
 *
 * Node's own server rather than the framework of the API: a body has to be taken as raw chunks under a budget
 * before anything is known of it, and of hooks, schemas and routing there is nothing here to use.
 */
export async function listenHttp(
  receiver: Receiver,
  limits: IngestLimits,
  { host, port }: { readonly host: string; readonly port: number },
  access: Access,
): Promise<Listener> {
  const handler = new HttpHandler(receiver, limits, access);
  const options = {
    headersTimeout: Math.min(limits.headersTimeoutMs, limits.requestTimeoutMs),
    requestTimeout: limits.requestTimeoutMs,
    keepAliveTimeout: limits.keepAliveTimeoutMs,
    connectionsCheckingInterval: Math.min(1000, limits.headersTimeoutMs / 2),
  };
  const take = (request: IncomingMessage, response: ServerResponse): void => void handler.handle(request, response);
  const server =
    access.tls === undefined ? createServer(options, take) : createTlsServer({ ...options, ...access.tls }, take);
  server.maxConnections = limits.connections;
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject).listen(port, host, resolve);
  });
  return { port: (server.address() as AddressInfo).port, close: (graceMs) => closeServer(server, graceMs) };
}

async function closeServer(server: Server, graceMs: number): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  const timer = setTimeout(() => server.closeAllConnections(), graceMs);
  await closed;
  clearTimeout(timer);
}

class HttpHandler {
  private readonly receiver: Receiver;
  private readonly limits: IngestLimits;
  private readonly access: Access;

  constructor(receiver: Receiver, limits: IngestLimits, access: Access) {
    this.receiver = receiver;
    this.limits = limits;
    this.access = access;
  }

  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const to = destinationOf(request);
    if (this.access.authorize?.(request.headers.authorization) === false) {
      const message = "a valid Authorization header is needed";
      return this.turnAway(request, response, 401, to.type, message, { "www-authenticate": "Bearer" });
    }
    if ("status" in to) return this.turnAway(request, response, to.status, to.type, to.message, to.headers);
    const told = toldLength(request);
    const { bodyBytes } = this.limits;
    if (told > bodyBytes) {
      const message = `a body may have ${bodyBytes} bytes, this has ${told}`;
      return this.turnAway(request, response, 413, to.type, message);
    }
    const lease = this.receiver.admit(told);
    if ("kind" in lease) {
      request.resume();
      return answerFailure(response, to.type, lease);
    }
    try {
      await this.receive(request, response, to, lease);
    } catch (error) {
      // A bug: told to the sender as such, and not a reason to stop receiving from others.
      this.turnAway(request, response, 500, to.type, error instanceof Error ? error.message : String(error));
    } finally {
      lease.release();
    }
  }

  private async receive(
    request: IncomingMessage,
    response: ServerResponse,
    { protocol, signal, format, encoding, type, service }: Destination,
    lease: Lease,
  ): Promise<void> {
    const { bodyBytes } = this.limits;
    const sent = await readBody(request, bodyBytes, lease);
    if (sent === "gone") return this.receiver.refuse("cut-off");
    if (sent === "too-large")
      return this.turnAway(request, response, 413, type, `a body may have ${bodyBytes} bytes, this has more`);
    if (sent === "overloaded") {
      request.resume();
      return answerFailure(response, type, this.receiver.overloaded());
    }
    const outcome =
      signal === "logs"
        ? await this.receiver.takeLogs(sent, encoding, format === "otlp-json")
        : await this.receiver.take({
            signal,
            format,
            // Files of profiles are compressed as files: pprof's always with gzip.
            encoding: format === "profile" && encoding === "identity" ? encodingOfFile(sent) : encoding,
            receivedMs: Date.now(),
            service,
            sent,
          });
    switch (protocol) {
      case "otlp":
        return answerOtlp(response, type, signal, outcome);
      case "zipkin":
        return answerZipkin(response, outcome);
      case "profile":
        if (outcome.kind !== "taken") return answerFailure(response, type, outcome);
        return send(response, 200, "text", `${outcome.accepted} samples taken\n`);
      case "remote-write":
        return answerRemoteWrite(response, outcome);
    }
  }

  /** Refuses a request whose body is not read. What is small enough is let pass, so that the connection can go on. */
  private turnAway(
    request: IncomingMessage,
    response: ServerResponse,
    status: number,
    type: AnswerType,
    message: string,
    headers: Headers = {},
  ): void {
    this.receiver.refuse(`http-${status}`);
    if (response.headersSent) return void response.destroy();
    request.resume();
    const { "content-length": length, "transfer-encoding": transfer } = request.headers;
    const isShort = transfer === undefined && (length === undefined || toldLength(request) <= this.limits.bodyBytes);
    const closing: Headers = request.complete || isShort ? {} : { connection: "close" };
    refuse(response, status, type, message, { ...headers, ...closing });
  }
}

function encodingOfFile(bytes: Uint8Array): BodyEncoding {
  const compression = compressionOf(bytes);
  return compression === "none" ? "identity" : compression;
}

/** Zipkin answers 202 without a body; of what was rejected it has no word, so that is told in a header. */
function answerZipkin(response: ServerResponse, outcome: Outcome): void {
  if (outcome.kind !== "taken") return answerFailure(response, "text", outcome);
  const headers: Headers = outcome.rejected > 0 ? { "x-longpole-rejected": outcome.rejected } : {};
  send(response, 202, "text", "", headers);
}

/** 204 where all was taken; 400, which a sender does not try again, where a part was not. 2.0 wants told what was. */
function answerRemoteWrite(response: ServerResponse, outcome: Outcome): void {
  const written = outcome.kind === "taken" ? outcome.written : undefined;
  const headers: Headers = {
    "x-prometheus-remote-write-samples-written": written?.samples ?? 0,
    "x-prometheus-remote-write-histograms-written": written?.histograms ?? 0,
    "x-prometheus-remote-write-exemplars-written": written?.exemplars ?? 0,
  };
  if (outcome.kind !== "taken") return answerFailure(response, "text", outcome, headers);
  if (outcome.rejected > 0) return refuse(response, 400, "text", outcome.message, headers);
  send(response, 204, "text", "", headers);
}
