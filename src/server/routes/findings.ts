import type { FastifyInstance } from "fastify";
import { Findings, type FindingScore } from "../api/findings.ts";
import { WindowQuery } from "../api/window-query.ts";
import type { ServerContext } from "../context.ts";
import { callerSignal } from "../http/caller-signal.ts";
import type { QueryLimit } from "../http/query-limit.ts";
import { rangeOf } from "../http/window-of.ts";

/** What reports found before, and how the predictions turned out. */
export function addFindingRoutes(app: FastifyInstance, context: ServerContext, queries: QueryLimit): void {
  app.get<{ Querystring: WindowQuery }>(
    "/api/v1/findings",
    {
      schema: {
        summary: "Findings that were seen last in a window, with how their predictions turned out",
        tags: ["report"],
        querystring: WindowQuery,
        response: { 200: Findings },
      },
    },
    async ({ query }, reply): Promise<Findings> => {
      const range = rangeOf(query, context.nowUnixNs());
      const found = await queries.run(callerSignal(reply), () => context.store.readFindings(range));
      return {
        findings: found.map(({ id, firstSeenUnixNs, lastSeenUnixNs, window, json, scoreJson }) => ({
          id,
          firstSeenUnixNs: String(firstSeenUnixNs),
          lastSeenUnixNs: String(lastSeenUnixNs),
          window: { fromUnixNs: String(window.fromUnixNs), toUnixNs: String(window.toUnixNs) },
          finding: JSON.parse(json) as unknown,
          score: scoreJson === "" ? null : (JSON.parse(scoreJson) as FindingScore),
        })),
      };
    },
  );
}
