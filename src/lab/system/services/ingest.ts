/** Takes batches of metric points, keeps them in a journal, and passes their sums on to the aggregator. */
import { Agent, createServer } from "node:http";
import { join } from "node:path";
import express, { type NextFunction, type Request, type Response } from "express";
import { Journal } from "./journal.ts";
import { publish } from "./message-queue.ts";
import { parsePoints } from "./parse-points.ts";
import { rollUp } from "./rollups.ts";
import { readConfig, serve, urlOf } from "./serve.ts";

const { settings, folder } = readConfig<"ingest">();
const journal = new Journal(join(folder, "journal"), settings);
const agent = new Agent({ keepAlive: true });
const app = express();

app.get("/health", (_request, response) => void response.json({ ok: true }));

app.post("/points", express.raw({ type: "text/plain", limit: "16mb" }), async (request, response) => {
  const { points, rejected } = parsePoints(request.body as Buffer, settings.parser);
  if (points.length === 0) return void response.status(400).json({ error: "no line is a point", rejected });
  journal.append(points);
  await publish({ agent, url: `${urlOf("aggregator")}/messages`, queue: "rollups", body: rollUp(points) });
  response.status(202).json({ accepted: points.length, rejected });
});

app.use((error: Error, request: Request, response: Response, next: NextFunction) => {
  console.error(`${request.method} ${request.url}: ${error.message}`);
  if (response.headersSent) return next(error);
  response.status(503).json({ error: error.message });
});

serve(createServer(app), async () => {
  agent.destroy();
  journal.close();
});
