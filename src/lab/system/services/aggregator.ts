/** A worker behind a queue: it adds up what `ingest` sends, in PostgreSQL. */
import { createServer } from "node:http";
import express from "express";
import pg from "pg";
import { MessageQueue, type Message } from "./message-queue.ts";
import type { Rollup } from "./rollups.ts";
import { readConfig, serve } from "./serve.ts";

const QUEUE_LIMIT = 10_000;

const { settings, database } = readConfig<"aggregator">();
const pool = new pg.Pool({ ...database, max: settings.workers, application_name: "aggregator" });
// A server that restarts cuts connections that nobody uses at the time; the pool opens others.
pool.on("error", (error) => console.error(error.message));
const queue = new MessageQueue("rollups", QUEUE_LIMIT, settings.workers, (body) => write(body as Rollup[]));
const app = express();

app.get("/health", (_request, response) => void response.json({ ok: true }));

app.post("/messages", express.json({ limit: "16mb" }), (request, response) => {
  if (queue.offer(request.body as Message)) response.status(202).json({});
  else response.status(503).json({ error: "the queue is full" });
});

const UPSERT = `INSERT INTO rollups (series, minute, points, sum, min, max)
  SELECT series, to_timestamp(minute / 1000), points, sum, min, max
  FROM unnest($1::text[], $2::float8[], $3::bigint[], $4::float8[], $5::float8[], $6::float8[])
    AS r (series, minute, points, sum, min, max)
  ON CONFLICT (series, minute) DO UPDATE SET points = rollups.points + EXCLUDED.points, sum = rollups.sum + EXCLUDED.sum,
    min = least(rollups.min, EXCLUDED.min), max = greatest(rollups.max, EXCLUDED.max)`;

async function write(rollups: readonly Rollup[]): Promise<void> {
  if (settings.commit === "batch") await upsert(rollups);
  else for (const rollup of rollups) await upsert([rollup]);
}

async function upsert(rollups: readonly Rollup[]): Promise<void> {
  await pool.query(UPSERT, [
    rollups.map((rollup) => rollup.series),
    rollups.map((rollup) => rollup.minuteUnixMs),
    rollups.map((rollup) => rollup.points),
    rollups.map((rollup) => rollup.sum),
    rollups.map((rollup) => rollup.min),
    rollups.map((rollup) => rollup.max),
  ]);
}

serve(createServer(app), () => pool.end());
