/** What the users talk to: it asks the other services and puts their answers together. */
import { Agent, createServer } from "node:http";
import express, { type NextFunction, type Request, type Response } from "express";
import { callService, type Answer } from "./call-service.ts";
import { readConfig, serve, urlOf } from "./serve.ts";

const UPSTREAM_TIMEOUT_MS = 10_000;

const { settings } = readConfig<"gateway">();
const agent = new Agent({ keepAlive: settings.keepAlive, maxSockets: settings.maxSockets });
const app = express();

app.get("/health", (_request, response) => void response.json({ ok: true }));

app.get("/api/records/:name", async (request, response) => {
  pass(await get(`${urlOf("zones")}/records/${encodeURIComponent(request.params.name)}`), response);
});

app.use((error: Error, _request: Request, response: Response, next: NextFunction) => {
  if (response.headersSent) return next(error);
  response
    .status(error.name === "TimeoutError" || error.name === "AbortError" ? 504 : 502)
    .json({ error: error.message });
});

function get(url: string): Promise<Answer> {
  return callService({ agent, method: "GET", url, timeoutMs: UPSTREAM_TIMEOUT_MS });
}

function pass(answer: Answer, response: Response): void {
  response.status(answer.status).json(answer.body);
}

serve(createServer(app), async () => agent.destroy());
