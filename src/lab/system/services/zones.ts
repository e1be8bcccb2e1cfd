/** The service that owns zones and their records. It keeps them in PostgreSQL. */
import { createServer } from "node:http";
import express from "express";
import pg from "pg";
import { readConfig, serve } from "./serve.ts";

const { settings, database } = readConfig<"zones">();
const pool = new pg.Pool({ ...database, max: settings.poolMax, application_name: "zones" });
// A server that restarts cuts connections that nobody uses at the time; the pool opens others.
pool.on("error", (error) => console.error(error.message));

const app = express();

app.get("/health", (_request, response) => void response.json({ ok: true }));

app.get("/records/:name", async (request, response) => {
  const { rows } = await pool.query(
    "SELECT id, zone_id, name, type, ttl, value, updated_at FROM records WHERE name = $1",
    [request.params.name],
  );
  if (rows.length === 0) return void response.status(404).json({ error: "no such record" });
  response.json(rows);
});

serve(createServer(app), () => pool.end(), settings.listenBacklog);
