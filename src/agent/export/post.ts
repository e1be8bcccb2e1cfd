import { Agent as HttpAgent, request as httpRequest } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import type { Endpoint, ExportSettings } from "./export-settings.ts";

/** How a request went. */
export type Outcome =
  | { readonly kind: "taken" }
  /** later perhaps: the server is away, busy or asks to wait */
  | { readonly kind: "later"; readonly why: string; readonly waitMs: number | undefined }
  /** never: it does not want this; isUnknown: it has no such path, whatever is sent there */
  | { readonly kind: "refused"; readonly why: string; readonly isUnknown: boolean };

/** Statuses after which the specification lets a request be sent again (OTLP/HTTP response, retryable codes). */
const LATER: ReadonlySet<number> = new Set([429, 502, 503, 504]);
/** Not found, method not allowed, not implemented. */
const UNKNOWN: ReadonlySet<number> = new Set([404, 405, 501]);
const ANSWER_BYTES = 4096;

/** Sends bodies over connections that are kept. */
export class Poster {
  private readonly settings: ExportSettings;
  private readonly agents: { readonly http: HttpAgent; readonly https: HttpsAgent };

  constructor(settings: ExportSettings) {
    this.settings = settings;
    const options = { keepAlive: true, maxSockets: 1, maxFreeSockets: 1 };
    this.agents = { http: new HttpAgent(options), https: new HttpsAgent({ ...options, ...settings.tls }) };
  }

  post(endpoint: Endpoint, body: Uint8Array, isCompressed: boolean, contentType: string): Promise<Outcome> {
    const { url, headers } = endpoint;
    const isTls = url.protocol === "https:";
    return new Promise((resolve) => {
      const request = (isTls ? httpsRequest : httpRequest)(url, {
        method: "POST",
        agent: isTls ? this.agents.https : this.agents.http,
        headers: {
          ...headers,
          "content-type": contentType,
          "content-length": body.length,
          ...(isCompressed ? { "content-encoding": "gzip" } : {}),
        },
      });
      const timer = setTimeout(
        () => request.destroy(new Error(`no answer within ${this.settings.timeoutMs} ms`)),
        this.settings.timeoutMs,
      );
      const later = (error: Error): void => {
        clearTimeout(timer);
        resolve({ kind: "later", why: error.message || "no connection", waitMs: undefined });
      };
      // Each time: what comes behind the answer, of a server that closes, would end the agent unheard.
      request.on("error", later);
      // Behind all others: an answer that is none (101 is one) ends the connection, and is told by nothing else.
      request.once("close", () =>
        setImmediate(later, new Error("the connection was closed before the answer was whole")),
      );
      request.once("response", (response) => {
        let answer = "";
        response.setEncoding("latin1").on("data", (piece: string) => {
          if (answer.length < ANSWER_BYTES) answer += piece;
        });
        response.on("error", later);
        response.once("end", () => {
          clearTimeout(timer);
          resolve(outcomeOf(response.statusCode ?? 0, response.headers["retry-after"], answer, Date.now()));
        });
      });
      request.end(body);
    });
  }

  close(): void {
    this.agents.http.destroy();
    this.agents.https.destroy();
  }
}

/** retryAfter: seconds, or a date of HTTP. */
export function outcomeOf(status: number, retryAfter: string | undefined, answer: string, nowMs: number): Outcome {
  if (status >= 200 && status < 300) return { kind: "taken" };
  const said = answer
    .replaceAll(/[^\x20-\x7e]+/g, " ")
    .trim()
    .slice(0, 200);
  const why = `status ${status}${said === "" ? "" : `: ${said}`}`;
  if (!LATER.has(status)) return { kind: "refused", why, isUnknown: UNKNOWN.has(status) };
  const seconds = Number(retryAfter);
  const wait = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(retryAfter ?? "") - nowMs;
  return { kind: "later", why, waitMs: retryAfter === undefined || !(wait >= 0) ? undefined : wait };
}
