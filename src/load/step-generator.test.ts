import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { Outcome } from "../analysis/load-step.ts";
import { startStepGenerator, type LoadTarget, type StepGenerator } from "./step-generator.ts";

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function generatorFor(
  origin: string,
  given: Partial<LoadTarget> = {},
  signal: AbortSignal = new AbortController().signal,
): StepGenerator {
  const requests = [{ method: "GET", path: "/", weight: 1 }];
  const generator = startStepGenerator(
    { origin, requests, order: "by-weight", connections: 100, timeoutMs: 2000, ...given },
    signal,
  );
  onTestFinished(() => generator.close());
  return generator;
}

const STEP = { perSecond: 100, seconds: 1, arrivals: "poisson", seed: 7 } as const;

test("as many requests as asked for, at the same moments for the same seed, by weight; steps share the process", async () => {
  const seen: string[] = [];
  const origin = await serve((request, response) => {
    seen.push(request.url!);
    response.end();
  });
  const generator = generatorFor(origin, {
    requests: [
      { method: "GET", path: "/often", weight: 9 },
      { method: "GET", path: "/rarely", weight: 1 },
    ],
  });
  const first = await generator.run(STEP);
  expect(first.dueMs).toHaveLength(100);
  // The fifth that settles has its share: 20 of 100 within 200 ms.
  expect(first.dueMs.filter((at) => at < 200)).toHaveLength(20);
  expect(first.outcome.every((outcome) => outcome === Outcome.answered)).toBe(true);
  // 10 of 100 on average; 0 or 30 and more once in ten thousand seeds, and this is one seed.
  const rarely = seen.filter((path) => path === "/rarely").length;
  expect(rarely).toBeGreaterThan(0);
  expect(rarely).toBeLessThan(30);
  first.dueMs.forEach((due, row) => expect(first.endedMs[row]).toBeGreaterThanOrEqual(due));
  const again = await generator.run(STEP);
  expect(again.dueMs).toEqual(first.dueMs);
});

test("constant arrivals are evenly spread, and a list in turn goes on where the step before ended", async () => {
  const seen: string[] = [];
  const origin = await serve((request, response) => {
    seen.push(request.url!);
    response.end();
  });
  const requests = ["/0", "/1", "/2"].map((path) => ({ method: "GET", path, weight: 1 }));
  const generator = generatorFor(origin, { requests, order: "in-turn" });
  const step = { ...STEP, perSecond: 20, seconds: 0.2, arrivals: "constant" } as const;
  const { dueMs } = await generator.run(step);
  expect([...dueMs]).toEqual([25, 75, 125, 175]);
  await generator.run(step);
  expect(seen.toSorted()).toEqual(["/0", "/0", "/0", "/1", "/1", "/1", "/2", "/2"]);
});

test("errors by kind; a step against a server that only fails is cut short", async () => {
  const origin = await serve((_, response) => response.writeHead(503).end());
  // Two hundred failures in a row: a fifth of this step.
  const record = await generatorFor(origin).run({ ...STEP, perSecond: 500, seconds: 2 });
  const sent = record.outcome.filter((outcome) => outcome !== Outcome.neverSent).length;
  expect(record.errors["http 503"]).toBe(sent);
  expect(sent).toBeGreaterThanOrEqual(200);
  expect(sent).toBeLessThan(1000);
  expect(record.lengthMs).toBeLessThan(2000);
});

test("nobody listens: connections refused, by their name", async () => {
  const record = await generatorFor("http://127.0.0.1:1").run({ ...STEP, seconds: 0.2 });
  expect(record.errors).toEqual({ ECONNREFUSED: 20 });
});

test("aborted, it ends with the signal's reason", async () => {
  const origin = await serve(() => {});
  const abort = new AbortController();
  const generator = generatorFor(origin, {}, abort.signal);
  const running = generator.run({ ...STEP, seconds: 60 });
  setTimeout(() => abort.abort(new Error("enough")), 300);
  await expect(running).rejects.toThrow("enough");
});
