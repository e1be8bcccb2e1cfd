import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { connectionsTo, sendOpenLoop } from "./send-open-loop.ts";

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** A request every 10 ms. */
const everyTenMs = (count: number): Float64Array => Float64Array.from({ length: count }, (_, i) => 10 * (i + 1));

test("an answer that never comes, or never ends, times out; the others do not wait for it", async () => {
  const origin = await serve((request, response) => {
    if (request.url === "/silent") return;
    if (request.url !== "/drip") return response.end("{}");
    const dripping = setInterval(() => response.write("."), 20);
    response.once("close", () => clearInterval(dripping));
  });
  const paths = ["/silent", "/drip", "/whole"];
  const outcomes: (number | string)[] = [];
  let left = 0;
  await sendOpenLoop(origin, {
    dueMs: everyTenMs(12),
    write: (row) => ({ method: "GET", path: paths[row % 3]! }),
    left: () => left++,
    ended: (row, outcome) => (outcomes[row] = outcome),
    // Far more than the whole answer takes, and there is no other end for the other two.
    timeoutMs: 2000,
  });
  expect(left).toBe(12);
  expect(outcomes).toEqual(Array.from({ length: 12 }, (_, row) => (row % 3 === 2 ? 200 : "timeout")));
});

test("no request at all is a result too", async () => {
  const ended: number[] = [];
  const none = { dueMs: new Float64Array(), write: () => ({ method: "GET", path: "/" }), left: () => {} };
  await sendOpenLoop("http://127.0.0.1:9", { ...none, ended: (row) => ended.push(row) });
  expect(ended).toEqual([]);
});

test("beyond the connections that are allowed requests wait in turn, and their latency tells", async () => {
  let open = 0;
  let mostOpen = 0;
  const origin = await serve((_, response) => {
    mostOpen = Math.max(mostOpen, ++open);
    setTimeout(() => {
      open--;
      response.end();
    }, 60);
  });
  const agent = connectionsTo(origin, 2);
  onTestFinished(() => agent.destroy());
  const count = 6;
  const connectedMs: number[] = [];
  const latencyMs: number[] = [];
  await sendOpenLoop(origin, {
    dueMs: new Float64Array(count).fill(1),
    write: () => ({ method: "GET", path: "/" }),
    left: () => {},
    connected: (row, atMs) => (connectedMs[row] = atMs),
    ended: (row, _, ms) => (latencyMs[row] = ms),
    agent,
  });
  expect(mostOpen).toBe(2);
  // Three rounds of two: the last pair gets its connections after two answers of 60 ms, and waits for a third.
  expect(connectedMs[5]!).toBeGreaterThanOrEqual(118);
  expect(latencyMs[5]!).toBeGreaterThanOrEqual(177);
  expect(latencyMs[5]!).toBeGreaterThan(connectedMs[5]!);
});

test("stopped: what has left is awaited, what was not due yet never leaves", async () => {
  const origin = await serve((_, response) => void setTimeout(() => response.end(), 50));
  const abort = new AbortController();
  const left: number[] = [];
  const ended: number[] = [];
  await sendOpenLoop(origin, {
    // The fourth is due in an hour.
    dueMs: Float64Array.of(1, 2, 3, 3_600_000),
    write: () => ({ method: "GET", path: "/" }),
    left: (row) => {
      left.push(row);
      if (row === 2) abort.abort();
    },
    ended: (row) => ended.push(row),
    signal: abort.signal,
  });
  expect([left, ended.toSorted((a, b) => a - b)]).toEqual([
    [0, 1, 2],
    [0, 1, 2],
  ]);
});
