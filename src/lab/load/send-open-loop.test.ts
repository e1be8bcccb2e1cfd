import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { drawRequests, type DrawnRequests } from "./draw-requests.ts";
import { USUAL_LOAD, type LoadPlan } from "./load-plan.ts";
import { LoadTally } from "./load-tally.ts";
import { sendOpenLoop } from "./send-open-loop.ts";

const PLAN: LoadPlan = { ...USUAL_LOAD, perSecond: 100, seconds: 0.2, mix: { lookup: 1 } };

test("an answer that never comes, or never ends, times out; the others do not wait for it", async () => {
  const server = createServer((request, response) => {
    if (request.url === "/silent") return;
    if (request.url !== "/drip") return response.end("{}");
    const dripping = setInterval(() => response.write("."), 20);
    response.once("close", () => clearInterval(dripping));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  const paths = ["/silent", "/drip", "/whole"];
  const requests = drawRequests(PLAN);
  const { count } = requests;
  expect(count).toBeGreaterThan(9);
  const tally = new LoadTally();
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  await sendOpenLoop(url, {
    requests,
    write: (row) => ({ method: "GET", path: paths[row % 3]! }),
    tally,
    // Far more than the whole answer takes, and there is no other end for the other two.
    timeoutMs: 2000,
  });
  const whole = Math.floor(count / 3);
  expect(tally.result(PLAN, 0)).toMatchObject({ sent: count, completed: whole, errors: { timeout: count - whole } });
});

test("no request at all is a result too", async () => {
  const none: DrawnRequests = {
    count: 0,
    dueMs: new Float64Array(),
    endpoint: new Uint8Array(),
    target: new Float64Array(),
    missing: new Uint8Array(),
    bodySeed: new Uint32Array(),
  };
  const tally = new LoadTally();
  await sendOpenLoop("http://127.0.0.1:9", { requests: none, write: () => ({ method: "GET", path: "/" }), tally });
  expect(tally.result(PLAN, 0)).toMatchObject({ sent: 0, completed: 0, errors: {}, endpoints: {}, all: { p99Ms: 0 } });
});
