import { createServer as createTcp, type Server, type Socket } from "node:net";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test } from "vitest";
import { exportSettings } from "./export-settings.ts";
import { type Outcome, Poster } from "./post.ts";

const opened: Server[] = [];
afterEach(() => {
  for (const server of opened.splice(0)) server.close();
});

/** How a request goes to a server that does this with each connection once something came. */
async function posted(answer: (socket: Socket) => void, body: Uint8Array = Buffer.from("x")): Promise<Outcome> {
  const server = createTcp((socket) => {
    socket.on("error", () => {});
    socket.once("data", () => answer(socket));
  });
  opened.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const settings = exportSettings(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, {});
  const poster = new Poster({ ...settings, timeoutMs: 500 });
  try {
    return await poster.post(settings.metrics, body, false, "application/x-protobuf");
  } finally {
    poster.close();
  }
}

test.each<[string, (socket: Socket) => void, Outcome["kind"], RegExp]>([
  [
    "another protocol, for which there is no answer",
    (socket) => socket.end("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"),
    "later",
    /closed before the answer was whole|hang up/,
  ],
  [
    "half of an answer, and the end",
    (socket) => socket.end("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhal"),
    "later",
    /aborted|closed/,
  ],
  ["nothing but the end", (socket) => socket.end(), "later", /hang up/],
  ["a reset", (socket) => socket.resetAndDestroy(), "later", /ECONNRESET|hang up/],
  ["no HTTP", (socket) => socket.end("220 smtp ready\r\n"), "later", /Parse Error/],
  [
    "an answer that never ends",
    (socket) => void socket.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"),
    "later",
    /no answer within 500 ms/,
  ],
  ["no answer", () => {}, "later", /no answer within 500 ms/],
])("%s: the request is over, and may be sent again", async (_, answer, kind, why) => {
  const outcome = await posted(answer);
  expect(outcome.kind).toBe(kind);
  expect("why" in outcome ? outcome.why : "").toMatch(why);
});

test("an answer before all was read, and a reset behind it, is that answer", async () => {
  const outcome = await posted(
    (socket) => {
      socket.write("HTTP/1.1 413 Payload Too Large\r\nContent-Length: 3\r\n\r\nbig");
      setTimeout(() => socket.resetAndDestroy(), 50);
      socket.pause();
    },
    Buffer.alloc(32 << 20),
  );
  // A server that resets may take its own answer away; never is it an end that nobody hears of.
  if (outcome.kind === "refused") expect(outcome.why).toContain("status 413: big");
  else expect(outcome.kind).toBe("later");
});
