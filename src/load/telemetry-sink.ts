import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";

/** What a sink received in a window. */
export interface TelemetryWindow {
  /** concatenated ExportTraceServiceRequest, which is one such message: repeated fields add up */
  readonly traces: Buffer;
  /** concatenated ExportMetricsServiceRequest */
  readonly metrics: Buffer;
  /** traces and metrics that came as JSON, a request on each line */
  readonly tracesJson: Buffer;
  readonly metricsJson: Buffer;
  /** requests of both kinds that were taken */
  readonly exportRequests: number;
  /** requests of both kinds that were not: beyond the cap, damaged, in another format. A sender may try them again. */
  readonly refused: number;
}

export interface TelemetrySink {
  /** for OTEL_EXPORTER_OTLP_ENDPOINT, protocol http/protobuf */
  readonly url: string;
  /** drops what came before */
  beginWindow(): void;
  /** what came since beginWindow; goes on receiving, so that a later call gives more */
  endWindow(): TelemetryWindow;
  /** bytes received so far in the window, decompressed */
  readonly windowBytes: number;
  close(): Promise<void>;
}

export interface SinkOptions {
  /** on the loopback interface; a free one where absent */
  readonly port?: number;
  /** a window holds no more; requests beyond are answered with 503 and counted as refused */
  readonly windowCapBytes?: number;
  /** hears each request that is taken, also outside of windows */
  readonly onTaken?: (taken: TakenRequest) => void;
}

/** One export request as it came, decompressed. */
export interface TakenRequest {
  readonly kind: "traces" | "metrics";
  readonly isJson: boolean;
  readonly body: Buffer;
}

/** Half a million spans of half a kilobyte each: 500 for every request of the usual load. */
const WINDOW_CAP_BYTES = 256 * 2 ** 20;
/** One request, compressed or not. The SDKs send 512 spans at a time, half a megabyte. */
const REQUEST_CAP_BYTES = 32 * 2 ** 20;
/** Longer than any pause of an exporter: a connection closed under it would be an error in its log. */
const KEEP_ALIVE_MS = 120_000;
const PROTOBUF = "application/x-protobuf";
const JSON_TYPE = "application/json";

const unzip = promisify(gunzip);

/** Receives OTLP/HTTP (protobuf and JSON) on a loopback port and keeps one window of traces and metrics; logs are dropped. */
export async function startSink({
  port = 0,
  windowCapBytes = WINDOW_CAP_BYTES,
  onTaken = () => {},
}: SinkOptions = {}): Promise<TelemetrySink> {
  let window = emptyWindow();
  const server = createServer((request, response) => void receive(request, response));
  server.keepAliveTimeout = KEEP_ALIVE_MS;

  async function receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const kind = request.method === "POST" ? KINDS[request.url ?? ""] : undefined;
    if (kind === undefined) return answer(request, response, 404);
    if (kind === "logs") return answer(request, response, 200);
    const body = await exportRequest(request);
    // A request belongs to the window in which it ended.
    const into = window;
    const status = typeof body === "number" ? body : into.bytes + body.length > windowCapBytes ? 503 : 200;
    if (typeof body === "number" || status !== 200) {
      into.refused++;
      return answer(request, response, status);
    }
    into[isJson(request) ? (`${kind}Json` as const) : kind].push(body);
    into.bytes += body.length;
    into.exportRequests++;
    onTaken({ kind, isJson: isJson(request), body });
    answer(request, response, 200);
  }

  await new Promise<void>((resolve, reject) => {
    server.once("error", reject).listen(port, "127.0.0.1", resolve);
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    beginWindow: () => void (window = emptyWindow()),
    endWindow: () => ({
      traces: Buffer.concat(window.traces),
      metrics: Buffer.concat(window.metrics),
      tracesJson: Buffer.concat(window.tracesJson),
      metricsJson: Buffer.concat(window.metricsJson),
      exportRequests: window.exportRequests,
      refused: window.refused,
    }),
    get windowBytes() {
      return window.bytes;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

interface OpenWindow {
  readonly traces: Buffer[];
  readonly metrics: Buffer[];
  readonly tracesJson: Buffer[];
  readonly metricsJson: Buffer[];
  bytes: number;
  exportRequests: number;
  refused: number;
}

const KINDS: Readonly<Record<string, "traces" | "metrics" | "logs">> = {
  "/v1/traces": "traces",
  "/v1/metrics": "metrics",
  "/v1/logs": "logs",
};

function emptyWindow(): OpenWindow {
  return { traces: [], metrics: [], tracesJson: [], metricsJson: [], bytes: 0, exportRequests: 0, refused: 0 };
}

/** What some SDKs send by default, and collectors that have no encoder for protobuf. */
function isJson(request: IncomingMessage): boolean {
  return mediaType(request) === JSON_TYPE;
}

const mediaType = (request: IncomingMessage): string | undefined =>
  request.headers["content-type"]?.split(";")[0]?.trim();

/** The message of a request, JSON as one line, or the status that says why there is none. */
async function exportRequest(request: IncomingMessage): Promise<Buffer | number> {
  const encoding = request.headers["content-encoding"] ?? "identity";
  if (mediaType(request) !== PROTOBUF && !isJson(request)) return 415;
  if (encoding !== "gzip" && encoding !== "identity") return 415;
  const sent = await bodyOf(request);
  if (typeof sent === "number") return sent;
  try {
    const body = encoding === "identity" ? sent : await unzip(sent, { maxOutputLength: REQUEST_CAP_BYTES });
    return isJson(request) ? Buffer.from(`${JSON.stringify(JSON.parse(body.toString("utf8")))}\n`) : body;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE" ? 413 : 400;
  }
}

/** Reads to the end in any case: a sender that is cut off would not see the answer. */
function bodyOf(request: IncomingMessage): Promise<Buffer | number> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  return new Promise((resolve) => {
    request
      .on("data", (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes <= REQUEST_CAP_BYTES) chunks.push(chunk);
        else chunks.length = 0;
      })
      .once("end", () => resolve(bytes > REQUEST_CAP_BYTES ? 413 : Buffer.concat(chunks)))
      // The sender went away in the middle.
      .on("error", () => resolve(400));
  });
}

function answer(request: IncomingMessage, response: ServerResponse, status: number): void {
  request.resume();
  const body = isJson(request) ? "{}" : "";
  const type = isJson(request) ? JSON_TYPE : PROTOBUF;
  response.writeHead(status, { "content-type": type, "content-length": body.length }).end(body);
}
