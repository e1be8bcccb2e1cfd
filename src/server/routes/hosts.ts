import type { FastifyInstance } from "fastify";
import { Hosts } from "../api/hosts.ts";
import { WindowQuery } from "../api/window-query.ts";
import type { ServerContext } from "../context.ts";
import { callerSignal } from "../http/caller-signal.ts";
import type { QueryLimit } from "../http/query-limit.ts";
import { rangeOf } from "../http/window-of.ts";
import { HOST_METRICS, hostsOf } from "../hosts-of.ts";

/** Hosts with an agent, and what each can and cannot collect. */
export function addHostRoutes(app: FastifyInstance, context: ServerContext, queries: QueryLimit): void {
  const { store, nowUnixNs } = context;
  app.get<{ Querystring: WindowQuery }>(
    "/api/v1/hosts",
    {
      schema: {
        summary: "Hosts whose agents sent in a window: what they can collect, by what, and what would add to it",
        tags: ["explore"],
        querystring: WindowQuery,
        response: { 200: Hosts },
      },
    },
    async ({ query }, reply) => {
      const now = nowUnixNs();
      const table = await queries.run(callerSignal(reply), (signal) =>
        store.readMetrics(rangeOf(query, now), { signal, names: HOST_METRICS }),
      );
      return hostsOf(table, now);
    },
  );
}
