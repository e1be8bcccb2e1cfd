import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { BodyEncoding, BodyFormat } from "../body.ts";
import type { IngestLimits } from "../limits.ts";
import type { Lease, Outcome, Receiver } from "../receiver.ts";
import type { Signal } from "../signal.ts";
import { answerFailure, answerOtlp, type AnswerType, type Headers, refuse, send } from "./http-answer.ts";
import { readBody, toldLength } from "./read-body.ts";

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

type Protocol = "otlp" | "zipkin";
interface Route {
  readonly protocol: Protocol;
  readonly signal: Signal;
  /** media types and how bodies of them are read */
  readonly formats: Readonly<Record<string, BodyFormat>>;
}

const OTLP_FORMATS = { "application/x-protobuf": "otlp-protobuf", "application/json": "otlp-json" } as const;
const ROUTES: Readonly<Record<string, Route>> = {
  "/v1/traces": { protocol: "otlp", signal: "traces", formats: OTLP_FORMATS },
  "/v1/metrics": { protocol: "otlp", signal: "metrics", formats: OTLP_FORMATS },
  "/v1/logs": { protocol: "otlp", signal: "logs", formats: OTLP_FORMATS },
  "/api/v2/spans": { protocol: "zipkin", signal: "traces", formats: { "application/json": "zipkin-json" } },
};

/** Content-Encoding and what it means. "x-gzip" is gzip's name of old, which RFC 9110 wants to be understood. */
const ENCODINGS: Readonly<Record<string, BodyEncoding>> = {
  identity: "identity",
  gzip: "gzip",
  "x-gzip": "gzip",
  deflate: "deflate",
  zstd: "zstd",
};

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
    headersTimeout: limits.headersTimeoutMs,
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
    const path = (request.url ?? "").split("?", 1)[0]!;
    const route = Object.hasOwn(ROUTES, path) ? ROUTES[path] : undefined;
    const media = (request.headers["content-type"] ?? "").split(";", 1)[0]!.trim().toLowerCase();
    const type = answerTypeOf(route, media);
    if (this.access.authorize?.(request.headers.authorization) === false)
      return this.turnAway(request, response, 401, type, "a valid Authorization header is needed", {
        "www-authenticate": "Bearer",
      });
    if (route === undefined) return this.turnAway(request, response, 404, type, `nothing is received at ${path}`);
    if (request.method !== "POST")
      return this.turnAway(request, response, 405, type, `${path} takes POST alone`, { allow: "POST" });
    const format = Object.hasOwn(route.formats, media) ? route.formats[media] : undefined;
    if (format === undefined) {
      const known = Object.keys(route.formats).join(" or ");
      return this.turnAway(request, response, 415, type, `Content-Type has to be ${known}`);
    }
    const encodingName = (request.headers["content-encoding"] ?? "identity").trim().toLowerCase();
    const encoding = Object.hasOwn(ENCODINGS, encodingName) ? ENCODINGS[encodingName] : undefined;
    if (encoding === undefined) {
      const known = Object.keys(ENCODINGS).join(", ");
      return this.turnAway(request, response, 415, type, `Content-Encoding has to be one of ${known}`, {
        "accept-encoding": known,
      });
    }
    const told = toldLength(request);
    if (told > this.limits.bodyBytes)
      return this.turnAway(
        request,
        response,
        413,
        type,
        `a body may have ${this.limits.bodyBytes} bytes, this has ${told}`,
      );
    const lease = this.receiver.admit(told);
    if ("kind" in lease) {
      request.resume();
      return answerFailure(response, type, lease);
    }
    try {
      await this.receive(request, response, type, route, format, encoding, lease);
    } catch (error) {
      // A bug: told to the sender as such, and not a reason to stop receiving from others.
      this.turnAway(request, response, 500, type, error instanceof Error ? error.message : String(error));
    } finally {
      lease.release();
    }
  }

  private async receive(
    request: IncomingMessage,
    response: ServerResponse,
    type: AnswerType,
    route: Route,
    format: BodyFormat,
    encoding: BodyEncoding,
    lease: Lease,
  ): Promise<void> {
    const sent = await readBody(request, this.limits.bodyBytes, lease);
    if (sent === "gone") return this.receiver.refuse("cut-off");
    if (sent === "too-large")
      return this.turnAway(
        request,
        response,
        413,
        type,
        `a body may have ${this.limits.bodyBytes} bytes, this has more`,
      );
    if (sent === "overloaded") {
      request.resume();
      return answerFailure(response, type, this.receiver.overloaded());
    }
    const { signal, protocol } = route;
    const outcome =
      signal === "logs"
        ? await this.receiver.takeLogs(sent, encoding, format === "otlp-json")
        : await this.receiver.take({ signal, format, encoding, receivedMs: Date.now(), sent });
    if (protocol === "otlp") answerOtlp(response, type, signal, outcome);
    else answerZipkin(response, outcome);
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
    const small =
      request.complete ||
      (request.headers["content-length"] !== undefined && toldLength(request) <= this.limits.bodyBytes);
    const bare = request.method === "GET" || request.method === "HEAD" || request.method === "OPTIONS";
    if (!small && !bare) headers = { ...headers, connection: "close" };
    refuse(response, status, type, message, headers);
  }
}

/** OTLP's failures are a Status in the type of the request; one of an unknown type gets what a person can read. */
function answerTypeOf(route: Route | undefined, media: string): AnswerType {
  if (route?.protocol !== "otlp") return "text";
  return media === "application/x-protobuf" ? "protobuf" : "json";
}

/** Zipkin answers 202 without a body; of what was rejected it has no word, so that is told in a header. */
function answerZipkin(response: ServerResponse, outcome: Outcome): void {
  if (outcome.kind !== "taken") return answerFailure(response, "text", outcome);
  const headers: Headers = outcome.rejected > 0 ? { "x-longpole-rejected": outcome.rejected } : {};
  send(response, 202, "text", "", headers);
}
