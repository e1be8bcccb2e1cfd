/** What the users talk to: it asks the other services and puts their answers together. */
import { Agent, createServer } from "node:http";
import express, { type NextFunction, type Request, type Response } from "express";
import { callService, type Answer } from "./call-service.ts";
import { RequestLog } from "./request-log.ts";
import { readConfig, serve, urlOf } from "./serve.ts";

const UPSTREAM_TIMEOUT_MS = 10_000;

const { settings, folder } = readConfig<"gateway">();
const agent = new Agent({ keepAlive: settings.keepAlive, maxSockets: settings.maxSockets });
const log = new RequestLog(settings.statusDump, folder);
const app = express();

app.get("/health", (_request, response) => void response.json({ ok: true }));

app.use((request, response, next) => {
  const began = performance.now();
  response.once("finish", () => {
    log.add({
      at: new Date().toISOString(),
      method: request.method,
      url: request.originalUrl,
      status: response.statusCode,
      durationMs: performance.now() - began,
      caller: request.get("user-agent") ?? "",
    });
  });
  next();
});

app.get("/api/records/:name", async (request, response) => {
  const answer = await get(`${urlOf("zones")}/records/${encodeURIComponent(request.params.name)}`);
  if (answer.status === 404 && settings.diagnosticsOnError) log.printDiagnostics();
  pass(answer, response);
});

app.get("/api/zones/:zone/records", async (request, response) => {
  const listing = await get(`${urlOf("zones")}/zones/${encodeURIComponent(request.params.zone)}/records`);
  if (listing.status !== 200) return pass(listing, response);
  const { zone, records } = listing.body as { zone: Zone; records: unknown };
  const owner = await accountOf(zone.account_id);
  response.json({ zone, owner: owner.body, records });
});

app.post("/api/zones/:zone/records", express.json(), async (request, response) => {
  const id = encodeURIComponent(request.params.zone);
  const zone = await get(`${urlOf("zones")}/zones/${id}`);
  if (zone.status !== 200) return pass(zone, response);
  const owner = await get(`${urlOf("accounts")}/accounts/${(zone.body as Zone).account_id}`);
  if (owner.status !== 200) return pass(owner, response);
  pass(await post(`${urlOf("zones")}/zones/${id}/records`, request.body), response);
});

app.get("/api/accounts/:account/overview", async (request, response) => {
  const id = encodeURIComponent(request.params.account);
  const parts = [
    () => accountOf(id),
    () => get(`${urlOf("zones")}/accounts/${id}/zones`),
    () => get(`${urlOf("accounts")}/accounts/${id}/delegation`),
  ];
  const answers: Answer[] = [];
  if (settings.overview === "parallel") answers.push(...(await Promise.all(parts.map((part) => part()))));
  else for (const part of parts) answers.push(await part());
  const refusal = answers.find((answer) => answer.status !== 200);
  if (refusal !== undefined) return pass(refusal, response);
  const [account, zones, delegation] = answers.map((answer) => answer.body);
  response.json({ account, zones, delegation });
});

app.post("/api/points", express.text({ limit: "16mb" }), async (request, response) => {
  pass(await post(`${urlOf("ingest")}/points`, request.body), response);
});

app.use((error: Error, _request: Request, response: Response, next: NextFunction) => {
  if (response.headersSent) return next(error);
  const tookTooLong = error.name === "TimeoutError" || error.name === "AbortError";
  response.status(tookTooLong ? 504 : 502).json({ error: error.message });
});

interface Zone {
  readonly id: number;
  readonly account_id: number;
}

/** Each part of a page that shows the account asks for it on its own. */
async function accountOf(id: number | string): Promise<Answer> {
  const url = `${urlOf("accounts")}/accounts/${id}`;
  let answer = await get(url);
  for (let i = 1; i < settings.accountLookups; i++) answer = await get(url);
  return answer;
}

function get(url: string): Promise<Answer> {
  return callService({ agent, method: "GET", url, timeoutMs: UPSTREAM_TIMEOUT_MS });
}

function post(url: string, body: unknown): Promise<Answer> {
  return callService({ agent, method: "POST", url, body, timeoutMs: UPSTREAM_TIMEOUT_MS });
}

function pass(answer: Answer, response: Response): void {
  response.status(answer.status).json(answer.body);
}

serve(createServer(app), async () => agent.destroy());
