import Fastify, { type FastifyInstance } from "fastify";
import { expect, test } from "vitest";
import type { ServerContext } from "../context.ts";
import { addHealthRoutes } from "./health.ts";

test("a server that is not ready says so to every probe, and to the log once for each change", async () => {
  const app = Fastify() as unknown as FastifyInstance;
  let state = "starting";
  const logged: unknown[] = [];
  const log = (...line: unknown[]): void => void logged.push(line);
  app.setErrorHandler((error) => log("error handler", error));
  addHealthRoutes(app, { storeState: () => state, log } as unknown as ServerContext);
  const probe = async (): Promise<unknown[]> => {
    const { statusCode, headers, body } = await app.inject({ url: "/readyz" });
    return [statusCode, headers["retry-after"], body];
  };
  const problem = (detail: string): string =>
    JSON.stringify({ type: "about:blank", title: "Not available now", status: 503, detail });
  for (let i = 0; i < 3; i++) expect(await probe()).toEqual([503, "2", problem("the store is starting")]);
  state = "ready";
  for (let i = 0; i < 3; i++) expect(await probe()).toEqual([200, undefined, "ready\n"]);
  state = "restarting";
  for (let i = 0; i < 3; i++) expect(await probe()).toEqual([503, "2", problem("the store is restarting")]);
  expect(logged).toEqual([
    ["warn", "readiness", { store: "starting", before: "ready" }],
    ["info", "readiness", { store: "ready", before: "starting" }],
    ["warn", "readiness", { store: "restarting", before: "ready" }],
  ]);
});
