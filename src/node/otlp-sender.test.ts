import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { OtlpSender } from "./otlp-sender.ts";

let server: Server | undefined;
afterEach(() => void server?.close());

/** A server that answers with these one after another, and what came to it. */
async function answering(...statuses: number[]): Promise<{ url: URL; bodies: string[] }> {
  const bodies: string[] = [];
  server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      bodies.push(Buffer.concat(chunks).toString());
      response.statusCode = statuses.shift() ?? 200;
      response.end("{}");
    });
  });
  await new Promise<void>((resolve) => server!.listen(0, "127.0.0.1", resolve));
  return { url: new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/metrics`), bodies };
}

const logged: string[] = [];
const senderTo = (url: URL): OtlpSender => {
  logged.length = 0;
  return new OtlpSender(url, { "content-type": "text/plain" }, (text) =>
    logged.push(text.replace(/^.*?\/v1\/metrics: /, "")),
  );
};

describe("an endpoint that", () => {
  test("takes what is sent gets all of it in order", async () => {
    const { url, bodies } = await answering();
    const sender = senderTo(url);
    for (const text of ["a", "b", "c"]) sender.send(Buffer.from(text));
    await sender.settled();
    expect([bodies, sender.sent, sender.dropped]).toEqual([["a", "b", "c"], 3, 0]);
  });

  test("does not know the path is not asked again", async () => {
    const { url, bodies } = await answering(404);
    const sender = senderTo(url);
    sender.send(Buffer.from("a"));
    sender.send(Buffer.from("b"));
    await sender.settled();
    sender.send(Buffer.from("c"));
    await sender.settled();
    expect([bodies, sender.sent, sender.dropped]).toEqual([["a"], 0, 2]);
    expect(logged).toEqual(["status 404; nothing more is sent there"]);
  });

  // OTLP/HTTP: 429, 502, 503 and 504 alone may be sent again.
  test.each([400, 408, 413, 500, 505])("refuses one request, with %i, gets the next", async (status) => {
    const { url, bodies } = await answering(status);
    const sender = senderTo(url);
    for (const text of ["a", "b"]) sender.send(Buffer.from(text));
    await sender.settled();
    expect([bodies, sender.sent, sender.dropped]).toEqual([["a", "b"], 1, 1]);
  });

  test.each([429, 502, 503, 504])("is overloaded (%i) is left in peace, and what waits stays", async (status) => {
    const { url, bodies } = await answering(status);
    const sender = senderTo(url);
    for (const text of ["a", "b"]) sender.send(Buffer.from(text));
    await sender.settled();
    expect([bodies, sender.sent, sender.dropped]).toEqual([["a"], 0, 0]);
    expect(logged).toEqual([`status ${status}; next try in 1 s`]);
  });

  test.each([
    ["7", "next try in 7 s"],
    ["86400", "next try in 300 s"],
    ["soon", "next try in 1 s"],
    ["-3", "next try in 1 s"],
  ])("asks to wait (%s) is asked no sooner, in five minutes at the latest", async (retryAfter, said) => {
    const { url } = await answering(503);
    server!.prependListener("request", (_, response) => response.setHeader("retry-after", retryAfter));
    const sender = senderTo(url);
    sender.send(Buffer.from("a"));
    await sender.settled();
    expect(logged).toEqual([`status 503; ${said}`]);
  });

  test("answers in another protocol is over and asked again later", async () => {
    const { url } = await answering();
    server!
      .removeAllListeners("request")
      .on("request", ({ socket }) =>
        socket.end("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"),
      );
    const sender = senderTo(url);
    sender.send(Buffer.from("a"));
    await sender.settled();
    expect([sender.sent, sender.dropped, logged.length]).toEqual([0, 0, 1]);
  });

  test("is away costs no more than what waits", async () => {
    const { url } = await answering();
    await new Promise<void>((resolve) => server!.close(() => resolve()));
    const sender = senderTo(url);
    for (let i = 0; i < 100; i++) sender.send(Buffer.alloc(1 << 10));
    await sender.settled();
    expect([sender.sent, sender.dropped]).toEqual([0, 36]);
    for (let i = 0; i < 10; i++) sender.send(Buffer.alloc(3 << 20));
    // One of 3 MiB alone fits into 4.
    expect(sender.dropped).toBe(36 + 64 + 9);
  });
});
