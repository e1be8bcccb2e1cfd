import type { FastifyError, FastifyReply } from "fastify";
import { StoreError, type StoreErrorCode } from "../../store/store-error.ts";
import type { Problem } from "../api/common.ts";
import { AnalysisError } from "../live/analyst.ts";

/** A header with several values is sent as one line for each. */
export type AnswerHeaders = Readonly<Record<string, string | string[]>>;

/** An answer other than success, with what is wrong and, where it is a parameter or field, which. */
export class HttpError extends Error {
  override readonly name: string = "HttpError";
  readonly status: number;
  readonly field: string | undefined;
  readonly headers: AnswerHeaders;

  constructor(
    status: number,
    detail: string,
    options: { readonly field?: string; readonly headers?: AnswerHeaders } = {},
  ) {
    super(detail);
    this.status = status;
    this.field = options.field;
    this.headers = options.headers ?? {};
  }
}

/** The answer to what only an open store knows. */
export const storeStarts = (): HttpError =>
  new HttpError(503, "the store is still being opened; what is sent is received meanwhile", {
    headers: { "retry-after": "2" },
  });

/** What goes wrong in the store, as a status. */
const STORE_STATUS: Readonly<Record<StoreErrorCode, number>> = {
  "not-installed": 503,
  "engine-broken": 503,
  locked: 503,
  unreachable: 503,
  timeout: 504,
  "too-large": 413,
  "disk-full": 507,
  denied: 502,
  "newer-schema": 503,
  "bad-pattern": 400,
  malformed: 502,
  refused: 502,
};

const TITLES: Readonly<Record<number, string>> = {
  400: "Bad request",
  401: "No valid token",
  403: "Refused",
  404: "Not found",
  405: "Method not allowed",
  406: "Not acceptable",
  413: "Too large",
  415: "Unsupported content type",
  421: "Unknown host",
  429: "Too many requests",
  499: "The caller went away",
  500: "A defect of Longpole",
  502: "The store refused",
  503: "Not available now",
  504: "Took too long",
  507: "The disk is full",
};

/** A problem to answer with, and headers that go with it. */
export function problemOf(error: unknown): { problem: Problem; headers: AnswerHeaders } {
  const { status, detail, field, headers } = facts(error);
  const title = TITLES[status] ?? "Error";
  return {
    problem: { type: "about:blank", title, status, detail, ...(field === undefined ? {} : { field }) },
    headers,
  };
}

export function sendProblem(reply: FastifyReply, error: unknown): FastifyReply {
  const { problem, headers } = problemOf(error);
  return reply.code(problem.status).headers(headers).type("application/problem+json").send(problem);
}

/** Whether that is the store's doing: it does not answer, or not in time. What ends the analysis itself is not. */
export function isStoreAway(error: unknown): boolean {
  const isStores = error instanceof StoreError || (error instanceof AnalysisError && error.kind === "StoreError");
  if (!isStores) return false;
  const status = STORE_STATUS[error.code as StoreErrorCode];
  return status === 503 || status === 504;
}

function facts(error: unknown): {
  status: number;
  detail: string;
  field?: string | undefined;
  headers: AnswerHeaders;
} {
  if (error instanceof HttpError)
    return { status: error.status, detail: error.message, field: error.field, headers: error.headers };
  if (error instanceof StoreError) return storeFacts(error.code, error.message);
  if (error instanceof AnalysisError) {
    if (error.kind === "ChangeError") return { status: 400, detail: error.message, field: "changes", headers: {} };
    if (error.kind === "StoreError") return storeFacts(error.code as StoreErrorCode, error.message);
    const status = error.code === "thread" || error.code === "closing" ? 503 : 500;
    return { status, detail: error.message, headers: {} };
  }
  const { statusCode, validation, validationContext, message } = error as FastifyError;
  if (validation !== undefined) {
    const fault = validation[0];
    const named = (fault?.params as { additionalProperty?: string; missingProperty?: string } | undefined) ?? {};
    const field =
      named.additionalProperty ?? named.missingProperty ?? fault?.instancePath.slice(1).replaceAll("/", ".");
    const unknown = named.additionalProperty === undefined ? "" : `: ${named.additionalProperty}`;
    const where = validationContext === undefined ? "" : `${validationContext}: `;
    const detail = `${where}${field === undefined || field === "" ? "" : `${field} `}${fault?.message ?? message}${unknown}`;
    return { status: 400, detail, field: field === "" ? undefined : field, headers: {} };
  }
  if (typeof statusCode === "number" && statusCode < 500) return { status: statusCode, detail: message, headers: {} };
  // What a defect says may hold what nobody outside should read; it is in the log.
  return { status: 500, detail: "a defect of Longpole; the server's log has more", headers: {} };
}

function storeFacts(code: StoreErrorCode, detail: string): ReturnType<typeof facts> {
  const status = STORE_STATUS[code] ?? 500;
  return { status, detail: `store: ${detail}`, headers: status === 503 ? { "retry-after": "2" } : {} };
}
