import { bytesField, numberField } from "./protobuf-writer.ts";
import type { Signal } from "./signal.ts";

/*
 *   message ExportTraceServiceResponse { ExportTracePartialSuccess partial_success = 1; }   // alike for other signals
 *   message ExportTracePartialSuccess  { int64 rejected_spans = 1; string error_message = 2; }
 *   message google.rpc.Status          { int32 code = 1; string message = 2; repeated google.protobuf.Any details = 3; }
 *   message google.protobuf.Any        { string type_url = 1; bytes value = 2; }
 *   message google.rpc.RetryInfo       { google.protobuf.Duration retry_delay = 1; }
 *   message google.protobuf.Duration   { int64 seconds = 1; int32 nanos = 2; }
 */

/** Codes of gRPC that ingest answers with. */
export const StatusCode = {
  invalidArgument: 3,
  notFound: 5,
  resourceExhausted: 8,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  unauthenticated: 16,
} as const;

const REJECTED_FIELD: Readonly<Record<Signal, string>> = {
  traces: "rejectedSpans",
  metrics: "rejectedDataPoints",
  profiles: "rejectedProfiles",
  logs: "rejectedLogRecords",
};

/** An Export…ServiceResponse. Without rejected items and message it is empty, which means full success. */
export function exportResponse(rejected: number, message: string): Buffer {
  if (rejected === 0 && message === "") return Buffer.alloc(0);
  const text = message === "" ? Buffer.alloc(0) : bytesField(2, message);
  return bytesField(1, Buffer.concat([numberField(1, rejected), text]));
}

export function exportResponseJson(signal: Signal, rejected: number, message: string): string {
  if (rejected === 0 && message === "") return "{}";
  // 64-bit numbers are strings in protobuf's JSON.
  return JSON.stringify({ partialSuccess: { [REJECTED_FIELD[signal]]: String(rejected), errorMessage: message } });
}

/** A google.rpc.Status, with how long to wait before trying again where that is given. */
export function statusMessage(code: number, message: string, retryAfterS?: number): Buffer {
  const parts = [numberField(1, code), bytesField(2, message)];
  if (retryAfterS !== undefined) parts.push(bytesField(3, retryInfo(retryAfterS)));
  return Buffer.concat(parts);
}

function retryInfo(seconds: number): Buffer {
  const delay = bytesField(1, numberField(1, seconds));
  return Buffer.concat([bytesField(1, "type.googleapis.com/google.rpc.RetryInfo"), bytesField(2, delay)]);
}
