import type { InputError } from "../model/intake.ts";
import { bytesField, numberField } from "./protobuf-writer.ts";
import type { Signal } from "./signal.ts";

/*
 *   message ExportTraceServiceResponse { ExportTracePartialSuccess partial_success = 1; }   // alike for other signals
 *   message ExportTracePartialSuccess  { int64 rejected_spans = 1; string error_message = 2; }
 *   message google.rpc.Status          { int32 code = 1; string message = 2; repeated google.protobuf.Any details = 3; }
 *   message google.protobuf.Any        { string type_url = 1; bytes value = 2; }
 *   message google.rpc.BadRequest      { repeated FieldViolation field_violations = 1; }
 *   message FieldViolation             { string field = 1; string description = 2; }
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

/** What a failure is told with besides its message. */
export type Detail =
  | { readonly kind: "retry"; readonly afterS: number }
  | { readonly kind: "bad-request"; readonly field: string; readonly description: string };

const TYPE_URL = "type.googleapis.com/google.rpc.";

/** A google.rpc.Status. */
export function statusMessage(code: number, message: string, detail?: Detail): Buffer {
  const parts = [numberField(1, code), bytesField(2, message)];
  if (detail !== undefined) parts.push(bytesField(3, anyOf(detail)));
  return Buffer.concat(parts);
}

function anyOf(detail: Detail): Buffer {
  if (detail.kind === "retry") {
    const delay = bytesField(1, numberField(1, detail.afterS));
    return Buffer.concat([bytesField(1, `${TYPE_URL}RetryInfo`), bytesField(2, delay)]);
  }
  const violation = Buffer.concat([bytesField(1, detail.field), bytesField(2, detail.description)]);
  return Buffer.concat([bytesField(1, `${TYPE_URL}BadRequest`), bytesField(2, bytesField(1, violation))]);
}

export function statusJson(code: number, message: string, detail?: Detail): string {
  return JSON.stringify({ code, message, ...(detail === undefined ? {} : { details: [anyOfJson(detail)] }) });
}

function anyOfJson(detail: Detail): object {
  if (detail.kind === "retry") return { "@type": `${TYPE_URL}RetryInfo`, retryDelay: `${detail.afterS}s` };
  const { field, description } = detail;
  return { "@type": `${TYPE_URL}BadRequest`, fieldViolations: [{ field, description }] };
}

/** Which byte of a request is bad, and why. */
export function violationOf({ byteOffset, expected, found }: InputError): Detail {
  return { kind: "bad-request", field: `byte ${byteOffset}`, description: `expected ${expected}, found ${found}` };
}
