import type { ServerResponse } from "node:http";
import type { InputError } from "../../model/intake.ts";
import {
  type Detail,
  exportResponse,
  exportResponseJson,
  statusJson,
  StatusCode,
  statusMessage,
  violationOf,
} from "../otlp-answers.ts";
import type { Outcome } from "../receiver.ts";
import type { Signal } from "../signal.ts";

/** How a sender reads what it is told. */
export type AnswerType = "protobuf" | "json" | "text";

const CONTENT_TYPES: Readonly<Record<AnswerType, string>> = {
  protobuf: "application/x-protobuf",
  json: "application/json",
  text: "text/plain; charset=utf-8",
};

export type Headers = Record<string, string | number>;

/** Answers an OTLP request, in the type in which it came. */
export function answerOtlp(response: ServerResponse, type: AnswerType, signal: Signal, outcome: Outcome): void {
  if (outcome.kind !== "taken") return answerFailure(response, type, outcome);
  const { rejected, message } = outcome;
  send(
    response,
    200,
    type,
    type === "json" ? exportResponseJson(signal, rejected, message) : exportResponse(rejected, message),
  );
}

/** Says why nothing of a request was taken, and whether it may come again. */
export function answerFailure(
  response: ServerResponse,
  type: AnswerType,
  outcome: Exclude<Outcome, { kind: "taken" }>,
  headers: Headers = {},
): void {
  if (outcome.kind === "bad")
    return refuse(response, statusOf(outcome.error), type, outcome.error.message, headers, violationOf(outcome.error));
  const { reason, message, retryAfterS } = outcome;
  // Both are to be tried again. 429 says that there is too much, 503 that the server has a trouble of its own.
  const status = reason === "overloaded" ? 429 : 503;
  refuse(
    response,
    status,
    type,
    message,
    { ...headers, "retry-after": retryAfterS },
    { kind: "retry", afterS: retryAfterS },
  );
}

const statusOf = (error: InputError): number => (error.code === "too-large" ? 413 : 400);

const GRPC_CODES: Readonly<Record<number, number>> = {
  400: StatusCode.invalidArgument,
  401: StatusCode.unauthenticated,
  404: StatusCode.notFound,
  405: StatusCode.unimplemented,
  413: StatusCode.resourceExhausted,
  415: StatusCode.invalidArgument,
  429: StatusCode.resourceExhausted,
  500: StatusCode.internal,
  503: StatusCode.unavailable,
};

/** An error with a google.rpc.Status as its body, or its message as plain text. */
export function refuse(
  response: ServerResponse,
  status: number,
  type: AnswerType,
  message: string,
  headers: Headers = {},
  detail?: Detail,
): void {
  const code = GRPC_CODES[status] ?? 2;
  const bodies = {
    protobuf: () => statusMessage(code, message, detail),
    json: () => statusJson(code, message, detail),
    text: () => `${message}\n`,
  };
  const body = bodies[type]();
  send(response, status, type, body, headers);
}

export function send(
  response: ServerResponse,
  status: number,
  type: AnswerType,
  body: string | Buffer,
  headers: Headers = {},
): void {
  const length = Buffer.byteLength(body);
  response.writeHead(status, {
    ...(length > 0 || type !== "text" ? { "content-type": CONTENT_TYPES[type] } : {}),
    // A 204 has no content and says no length of it.
    ...(status === 204 ? {} : { "content-length": length }),
    "x-content-type-options": "nosniff",
    ...headers,
  });
  response.end(body);
}
