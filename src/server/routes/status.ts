import type { FastifyInstance } from "fastify";
import { Status } from "../api/status.ts";
import type { ServerContext } from "../context.ts";
import { addressOf } from "../http/address-of.ts";
import { StatusBoard } from "../status-of.ts";

/** What came in, what is kept, and what is being worked on. */
export function addStatusRoutes(app: FastifyInstance, context: ServerContext): void {
  const board = new StatusBoard(context, () => addressOf(app));
  app.get(
    "/api/v1/status",
    { schema: { summary: "Ingest ledger and rates, store, analyses", tags: ["status"], response: { 200: Status } } },
    () => board.status(),
  );
}
