import type { IncomingMessage } from "node:http";
import type { Lease } from "../receiver.ts";

/** The body of a request as sent, or why there is none. */
export type ReadBody = Buffer | "too-large" | "overloaded" | "gone";

/** Length that the sender tells; 0 where it does not. */
export function toldLength(request: IncomingMessage): number {
  const told = Number(request.headers["content-length"] ?? 0);
  return Number.isFinite(told) ? told : 0;
}

/** Reads a body of at most `limit` bytes. `lease` has room for the told length already. */
export function readBody(request: IncomingMessage, limit: number, lease: Lease): Promise<ReadBody> {
  const told = toldLength(request);
  const chunks: Buffer[] = [];
  let size = 0;
  return new Promise((resolve) => {
    const end = (result: ReadBody): void => {
      request.off("data", take).off("end", finish);
      resolve(result);
    };
    const take = (chunk: Buffer): void => {
      size += chunk.length;
      if (size > limit) return end("too-large");
      if (size > told && !lease.grow(chunk.length)) return end("overloaded");
      chunks.push(chunk);
    };
    const finish = (): void => end(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, size));
    request.on("data", take).on("end", finish);
    // The sender went away in the middle, or the request's time was up.
    request.on("error", () => end("gone")).on("close", () => end("gone"));
  });
}
