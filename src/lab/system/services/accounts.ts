import { createServer } from "node:http";
import express from "express";
import { serve } from "./serve.ts";

const app = express();
app.get("/health", (_request, response) => void response.json({ ok: true }));
serve(createServer(app), async () => {});
