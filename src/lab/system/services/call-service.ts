import { request, type Agent } from "node:http";

export interface Answer {
  readonly status: number;
  readonly body: unknown;
}

export interface Call {
  readonly agent: Agent;
  readonly method: "GET" | "POST";
  readonly url: string;
  /** sent as JSON; text as it is */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
}

/** Calls another service; rejects where no answer came within `timeoutMs`, waiting for a connection included. */
export function callService(call: Call): Promise<Answer> {
  const payload = typeof call.body === "string" ? call.body : JSON.stringify(call.body);
  const type = typeof call.body === "string" ? "text/plain" : "application/json";
  const headers: Record<string, string | number> = { ...call.headers };
  if (payload !== undefined) {
    headers["content-type"] = type;
    headers["content-length"] = Buffer.byteLength(payload);
  }
  return new Promise((resolve, reject) => {
    const outgoing = request(
      call.url,
      { agent: call.agent, method: call.method, headers, signal: AbortSignal.timeout(call.timeoutMs) },
      (incoming) => {
        const chunks: Buffer[] = [];
        incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
        incoming.on("error", reject);
        incoming.on("end", () => {
          const text = Buffer.concat(chunks).toString("utf8");
          try {
            resolve({ status: incoming.statusCode ?? 0, body: text === "" ? undefined : JSON.parse(text) });
          } catch (error) {
            reject(error as Error);
          }
        });
      },
    );
    outgoing.on("error", reject);
    outgoing.end(payload);
  });
}
