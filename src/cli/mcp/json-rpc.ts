/** JSON-RPC 2.0 (https://www.jsonrpc.org/specification), so far as the Model Context Protocol uses it. */

export type RequestId = string | number;

export interface RpcRequest {
  readonly id: RequestId;
  readonly method: string;
  readonly params: Readonly<Record<string, unknown>>;
}

/** A message that asks for no answer. */
export interface RpcNotification {
  readonly method: string;
  readonly params: Readonly<Record<string, unknown>>;
}

export const RpcErrorCode = {
  parse: -32700,
  invalidRequest: -32600,
  methodNotFound: -32601,
  invalidParams: -32602,
  internal: -32603,
} as const;

/** An error that is told to who asked. */
export class RpcError extends Error {
  override readonly name: string = "RpcError";
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

export type Parsed =
  | { readonly kind: "request"; readonly request: RpcRequest }
  | { readonly kind: "notification"; readonly notification: RpcNotification }
  /** an answer to something that was asked; this side asks nothing */
  | { readonly kind: "answer" }
  | { readonly kind: "error"; readonly id: RequestId | null; readonly error: RpcError };

/** One line of input as a message. */
export function parseMessage(line: string): Parsed {
  let message: unknown;
  try {
    message = JSON.parse(line);
  } catch {
    return { kind: "error", id: null, error: new RpcError(RpcErrorCode.parse, "expected one JSON object a line") };
  }
  if (!isObject(message)) return invalid(null, "expected an object; batches are not part of this protocol version");
  const { id, method, params = {}, jsonrpc } = message;
  const known = typeof id === "string" || typeof id === "number" ? id : null;
  if (jsonrpc !== "2.0") return invalid(known, 'expected "jsonrpc": "2.0"');
  if (method === undefined && ("result" in message || "error" in message)) return { kind: "answer" };
  if (typeof method !== "string") return invalid(known, "expected a method");
  if (!isObject(params)) return invalid(known, "expected params by name");
  if (!("id" in message)) return { kind: "notification", notification: { method, params } };
  if (known === null) return invalid(null, "expected an id that is a text or a number");
  return { kind: "request", request: { id: known, method, params } };
}

const invalid = (id: RequestId | null, message: string): Parsed => ({
  kind: "error",
  id,
  error: new RpcError(RpcErrorCode.invalidRequest, message),
});

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export const resultLine = (id: RequestId, result: object): string =>
  `${JSON.stringify({ jsonrpc: "2.0", id, result })}\n`;

export const errorLine = (id: RequestId | null, { code, message }: RpcError): string =>
  `${JSON.stringify({ jsonrpc: "2.0", id, error: { code, message } })}\n`;
