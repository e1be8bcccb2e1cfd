import { request as httpRequest } from "node:http";

export interface HttpAnswer {
  readonly status: number;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly body: Buffer;
}

/** Sends a request to loopback and reads its answer. Rejects where the connection ends without one. */
export function httpPost(
  port: number,
  path: string,
  body: Uint8Array | string,
  headers: Record<string, string> = { "content-type": "application/x-protobuf" },
  method = "POST",
): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    const sent = httpRequest({ host: "127.0.0.1", port, path, method, headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on("error", reject).on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("end", () => {
        resolve({ status: response.statusCode!, headers: response.headers, body: Buffer.concat(chunks) });
      });
    });
    sent.on("error", reject).end(body);
  });
}
