import { randomUUID } from "node:crypto";
import type { FastifyInstance } from "fastify";
import { Changes, isOfTheServer, LedgerHistory, NewChange, StoredChange } from "../api/changes.ts";
import { WindowQuery } from "../api/window-query.ts";
import type { ServerContext } from "../context.ts";
import { callerSignal } from "../http/caller-signal.ts";
import { HttpError } from "../http/http-error.ts";
import type { QueryLimit } from "../http/query-limit.ts";
import { rangeOf, timeOf } from "../http/window-of.ts";

/** What happened besides telemetry: deploys that somebody tells, change points that the server found, and what it lost. */
export function addChangeRoutes(app: FastifyInstance, context: ServerContext, queries: QueryLimit): void {
  const { history } = context.store;

  app.post<{ Body: NewChange }>(
    "/api/v1/changes",
    {
      schema: {
        summary: "Tells of a deploy or another change",
        tags: ["changes"],
        body: NewChange,
        response: { 201: StoredChange },
      },
    },
    async ({ body: { kind, title, service = "", time, id = randomUUID(), details = {} } }, reply) => {
      if (isOfTheServer(kind)) throw new HttpError(400, `kind: only the server tells of a ${kind}`, { field: "kind" });
      if (isOfTheServer(id))
        throw new HttpError(400, `id: "${id.split(" ", 1)[0]!}" begins the ids of what the server finds`, {
          field: "id",
        });
      const timeUnixNs = time === undefined ? context.nowUnixNs() : timeOf(time, "time");
      await history.saveEvents([{ id, timeUnixNs, kind, service, title, json: JSON.stringify(details) }]);
      return reply.code(201).send({ id });
    },
  );

  app.get<{ Querystring: WindowQuery }>(
    "/api/v1/changes",
    {
      schema: {
        summary: "Deploys, change points and what else happened in a window, the newest first",
        tags: ["changes"],
        querystring: WindowQuery,
        response: { 200: Changes },
      },
    },
    async ({ query }, reply): Promise<Changes> => {
      const range = rangeOf(query, context.nowUnixNs());
      const events = await queries.run(callerSignal(reply), () => history.readEvents(range));
      const changes = events.map(({ timeUnixNs, json, ...event }) => ({
        ...event,
        timeUnixNs: String(timeUnixNs),
        details: JSON.parse(json) as unknown,
      }));
      return { changes };
    },
  );

  app.get<{ Querystring: WindowQuery }>(
    "/api/v1/ledger",
    {
      schema: {
        summary: "Where items went that came in a window, over restarts, by the minute",
        tags: ["status"],
        querystring: WindowQuery,
        response: { 200: LedgerHistory },
      },
    },
    async ({ query }, reply): Promise<LedgerHistory> => {
      const range = rangeOf(query, context.nowUnixNs());
      return { entries: [...(await queries.run(callerSignal(reply), () => history.readLedger(range)))] };
    },
  );
}
