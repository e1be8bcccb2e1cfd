import {
  type handleUnaryCall,
  type sendUnaryData,
  Metadata,
  Server,
  ServerCredentials,
  type ServerInterceptingCallInterface,
  ServerInterceptingCall,
  ServerListenerBuilder,
  ResponderBuilder,
  type ServerUnaryCall,
  status as Status,
} from "@grpc/grpc-js";
import type { Access, Listener } from "../http/http-receiver.ts";
import type { IngestLimits } from "../limits.ts";
import { exportResponse, statusMessage, violationOf } from "../otlp-answers.ts";
import type { Outcome, Receiver } from "../receiver.ts";
import type { Signal } from "../signal.ts";

const METHODS: Readonly<Record<string, Signal>> = {
  "/opentelemetry.proto.collector.trace.v1.TraceService/Export": "traces",
  "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export": "metrics",
  "/opentelemetry.proto.collector.logs.v1.LogsService/Export": "logs",
  "/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export": "profiles",
};

const KEEPALIVE_MS = 60_000;
const KEEPALIVE_TIMEOUT_MS = 20_000;
/** More waiting calls of one sender would only hold more memory. */
const STREAMS_PER_CONNECTION = 100;
/** Where a google.rpc.Status goes that says more than code and message. */
const DETAILS = "grpc-status-details-bin";

/**
 * Receives over gRPC. Requests stay the bytes they are: the decoders of HTTP read them, no object is made of a span.
 * The library decompresses, and refuses with RESOURCE_EXHAUSTED what is larger than a request may be.
 */
export async function listenGrpc(
  receiver: Receiver,
  limits: IngestLimits,
  { host, port }: { readonly host: string; readonly port: number },
  access: Access,
): Promise<Listener> {
  const server = new Server({
    "grpc.max_receive_message_length": limits.decompressedBytes,
    "grpc.max_concurrent_streams": STREAMS_PER_CONNECTION,
    "grpc.max_connection_idle_ms": limits.keepAliveTimeoutMs,
    "grpc.keepalive_time_ms": KEEPALIVE_MS,
    "grpc.keepalive_timeout_ms": KEEPALIVE_TIMEOUT_MS,
    interceptors: [(_, call) => guarded(call, receiver, limits.requestTimeoutMs, access)],
  });
  for (const [path, signal] of Object.entries(METHODS)) {
    server.register<Buffer, Buffer>(path, unary(receiver, signal), asIs, asIs, "unary");
  }
  const { tls } = access;
  const credentials =
    tls === undefined
      ? ServerCredentials.createInsecure()
      : ServerCredentials.createSsl(null, [{ private_key: Buffer.from(tls.key), cert_chain: Buffer.from(tls.cert) }]);
  const address = host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
  const bound = await new Promise<number>((resolve, reject) => {
    server.bindAsync(address, credentials, (error, at) => (error === null ? resolve(at) : reject(error)));
  });
  return { port: bound, close: (graceMs) => shutDown(server, graceMs) };
}

const asIs = (bytes: Buffer): Buffer => bytes;

async function shutDown(server: Server, graceMs: number): Promise<void> {
  const timer = setTimeout(() => server.forceShutdown(), graceMs);
  await new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
  clearTimeout(timer);
}

function unary(receiver: Receiver, signal: Signal): handleUnaryCall<Buffer, Buffer> {
  return (call, callback) => void answer(receiver, signal, call, callback);
}

async function answer(
  receiver: Receiver,
  signal: Signal,
  call: ServerUnaryCall<Buffer, Buffer>,
  callback: sendUnaryData<Buffer>,
): Promise<void> {
  let outcome: Outcome;
  try {
    outcome = await exported(receiver, signal, call);
  } catch (error) {
    // A bug: told to the sender as such.
    callback({ code: Status.INTERNAL, details: String(error) });
    return;
  }
  if (outcome.kind === "taken") callback(null, exportResponse(outcome.rejected, outcome.message));
  else callback(failure(outcome));
}

async function exported(receiver: Receiver, signal: Signal, call: ServerUnaryCall<Buffer, Buffer>): Promise<Outcome> {
  const sent = call.request;
  const lease = receiver.admit(sent.length);
  if ("kind" in lease) return lease;
  try {
    if (signal === "logs") return await receiver.takeLogs(sent, "identity", false);
    return await receiver.take({ signal, format: "otlp-protobuf", encoding: "identity", receivedMs: Date.now(), sent });
  } finally {
    lease.release();
  }
}

/** UNAVAILABLE with RetryInfo is the one answer that makes a sender try again, and says when. */
function failure(outcome: Exclude<Outcome, { kind: "taken" }>): { code: Status; details: string; metadata: Metadata } {
  const metadata = new Metadata();
  if (outcome.kind === "unavailable") {
    const { message, retryAfterS } = outcome;
    metadata.set(DETAILS, statusMessage(Status.UNAVAILABLE, message, { kind: "retry", afterS: retryAfterS }));
    return { code: Status.UNAVAILABLE, details: message, metadata };
  }
  const code = outcome.error.code === "too-large" ? Status.RESOURCE_EXHAUSTED : Status.INVALID_ARGUMENT;
  metadata.set(DETAILS, statusMessage(code, outcome.error.message, violationOf(outcome.error)));
  return { code, details: outcome.error.message, metadata };
}

/** Refuses strangers before their message is read, and ends a call whose message does not come to its end in time. */
function guarded(
  call: ServerInterceptingCallInterface,
  receiver: Receiver,
  timeoutMs: number,
  { authorize }: Access,
): ServerInterceptingCall {
  let timer: NodeJS.Timeout | undefined;
  let over = false;
  const end = (code: Status, details: string, outcome: string): void => {
    if (over) return;
    over = true;
    receiver.refuse(outcome);
    call.sendStatus({ code, details });
  };
  const listener = new ServerListenerBuilder()
    .withOnReceiveMetadata((metadata, next) => {
      const authorization = metadata.get("authorization")[0]?.toString();
      if (authorize?.(authorization) === false)
        return end(Status.UNAUTHENTICATED, "a valid authorization is needed", "grpc-unauthenticated");
      timer = setTimeout(
        () => end(Status.DEADLINE_EXCEEDED, `the request did not end within ${timeoutMs} ms`, "cut-off"),
        timeoutMs,
      );
      next(metadata);
    })
    .withOnReceiveHalfClose((next) => {
      clearTimeout(timer);
      if (!over) next();
    })
    .withOnCancel(() => clearTimeout(timer))
    .build();
  const responder = new ResponderBuilder()
    .withStart((next) => next(listener))
    .withSendStatus((status, next) => {
      clearTimeout(timer);
      if (over) return;
      over = true;
      next(status);
    })
    .build();
  return new ServerInterceptingCall(call, responder);
}
