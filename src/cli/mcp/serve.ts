import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { ChangeError } from "../../engine/change-error.ts";
import { InputError } from "../../model/intake.ts";
import { ServerError } from "../server-client.ts";
import type { Terminal } from "../terminal.ts";
import {
  errorLine,
  parseMessage,
  resultLine,
  RpcError,
  RpcErrorCode,
  type RequestId,
  type RpcNotification,
  type RpcRequest,
} from "./json-rpc.ts";
import { argumentsOf, ToolError, TOOLS, type Tool } from "./tools.ts";

/** Versions of the protocol that this is written for, the newest first: https://modelcontextprotocol.io/specification */
const VERSIONS = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];
/** A call's arguments are short; a longer line is no message that is meant for this. */
const MOST_LINE = 1 << 20;

/**
 * Answers a Model Context Protocol client on standard input and output, a JSON-RPC message on each line, until the input
 * ends and what was asked is answered. Calls run side by side and can be cancelled.
 */
export async function serveMcp(input: Readable, terminal: Terminal, version: string): Promise<void> {
  const running = new Map<RequestId, AbortController>();
  const open = new Set<Promise<void>>();
  for await (const line of createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })) {
    if (line.trim() === "") continue;
    const message = line.length > MOST_LINE ? tooLong(line.length) : parseMessage(line);
    switch (message.kind) {
      case "request": {
        const abort = new AbortController();
        running.set(message.request.id, abort);
        const answer = answerTo(message.request, abort.signal, terminal, version).finally(() => {
          running.delete(message.request.id);
          open.delete(answer);
        });
        open.add(answer);
        break;
      }
      case "notification":
        cancel(message.notification, running);
        break;
      case "error":
        terminal.out(errorLine(message.id, message.error));
        break;
      case "answer":
        break;
    }
  }
  await Promise.all(open);
}

function tooLong(length: number): { kind: "error"; id: null; error: RpcError } {
  const error = new RpcError(
    RpcErrorCode.invalidRequest,
    `a message of ${length} characters; ${MOST_LINE} are the most`,
  );
  return { kind: "error", id: null, error };
}

function cancel({ method, params }: RpcNotification, running: ReadonlyMap<RequestId, AbortController>): void {
  if (method !== "notifications/cancelled") return;
  running.get(params["requestId"] as RequestId)?.abort(new Error("cancelled"));
}

async function answerTo(request: RpcRequest, signal: AbortSignal, terminal: Terminal, version: string): Promise<void> {
  try {
    const result = await resultOf(request, signal, terminal, version);
    // Who cancelled wants no answer.
    if (!signal.aborted) terminal.out(resultLine(request.id, result));
  } catch (error) {
    if (signal.aborted) return;
    const told = error instanceof RpcError ? error : new RpcError(RpcErrorCode.internal, (error as Error).message);
    terminal.out(errorLine(request.id, told));
  }
}

async function resultOf(
  { method, params }: RpcRequest,
  signal: AbortSignal,
  terminal: Terminal,
  version: string,
): Promise<object> {
  switch (method) {
    case "initialize": {
      const asked = params["protocolVersion"];
      return {
        protocolVersion: VERSIONS.find((known) => known === asked) ?? VERSIONS[0],
        capabilities: { tools: { listChanged: false } },
        serverInfo: { name: "longpole", version },
        instructions:
          "Finds the bottleneck of a slow distributed system. Begin with diagnose (a running server) or analyze (files); hold a remedy against what_if before proposing it; look at a trace that is named as evidence.",
      };
    }
    case "ping":
      return {};
    case "tools/list":
      return { tools: TOOLS.map(toolListed) };
    case "tools/call":
      return callTool(params, signal, terminal);
    default:
      throw new RpcError(RpcErrorCode.methodNotFound, `no method ${method}`);
  }
}

function toolListed({ name, description, inputSchema }: Tool): object {
  return { name, description, inputSchema, annotations: { readOnlyHint: true } };
}

/** What goes wrong in a tool is its answer, so that the assistant can mend it; what is no call at all is an error. */
async function callTool(
  params: Readonly<Record<string, unknown>>,
  signal: AbortSignal,
  terminal: Terminal,
): Promise<object> {
  const tool = TOOLS.find(({ name }) => name === params["name"]);
  if (tool === undefined) throw new RpcError(RpcErrorCode.invalidParams, `no tool ${String(params["name"])}`);
  const given = argumentsOf(tool, params["arguments"] ?? {});
  try {
    return { content: [{ type: "text", text: await tool.call(given, { terminal, signal }) }], isError: false };
  } catch (error) {
    const isToldByTool =
      error instanceof ToolError ||
      error instanceof ServerError ||
      error instanceof ChangeError ||
      error instanceof InputError;
    if (!isToldByTool) throw error;
    return { content: [{ type: "text", text: error.message }], isError: true };
  }
}
