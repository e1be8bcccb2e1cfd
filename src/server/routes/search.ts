import type { FastifyInstance } from "fastify";
import Type from "typebox";
import { parseTraceQuery } from "../../analysis/parse-trace-query.ts";
import type { TraceExpression } from "../../model/trace-query.ts";
import type { TraceSummary } from "../../store/store.ts";
import { FoundTraces, SearchQuery, TraceId } from "../api/explore.ts";
import { durationMs } from "../config/quantities.ts";
import type { ServerContext } from "../context.ts";
import { callerSignal } from "../http/caller-signal.ts";
import { HttpError } from "../http/http-error.ts";
import type { QueryLimit } from "../http/query-limit.ts";
import { rangeOf } from "../http/window-of.ts";
import { type FoundLive, searchLive } from "../live/search-live.ts";
import { traceIdOf } from "./explore.ts";

const NS_PER_MS = 1e6;

/** Traces by what one of their spans is, or by a query, and one of them to look at. */
export function addSearchRoutes(app: FastifyInstance, context: ServerContext, queries: QueryLimit): void {
  const { store, analyst, nowUnixNs } = context;

  app.get<{ Querystring: SearchQuery }>(
    "/api/v1/traces/search",
    {
      schema: {
        summary: "Traces with a span that is as asked for",
        tags: ["explore"],
        querystring: SearchQuery,
        response: { 200: FoundTraces },
      },
    },
    async ({ query }, reply) => {
      const { q, order, limit, last, from, to, ...span } = query;
      const window = Object.fromEntries(Object.entries({ last, from, to }).filter(([, value]) => value !== undefined));
      const search = {
        ...rangeOf(window, nowUnixNs()),
        ...(order === undefined ? {} : { order }),
        ...(limit === undefined ? {} : { limit }),
      };
      const expression = q === undefined ? undefined : expressionOf(q, Object.keys(span));
      const found = await queries.run(callerSignal(reply), async (signal): Promise<FoundLive> => {
        if (expression !== undefined) return searchLive(store, { ...search, expression }, signal);
        const traces = await store.searchTraces({ ...search, ...conditionsOf(span) }, { signal });
        return { traces, more: traces.length === (limit ?? 20) };
      });
      return { ...found, traces: found.traces.map(foundTrace) };
    },
  );

  app.get<{ Params: TraceId }>(
    "/api/v1/trace/:id/view",
    {
      schema: {
        summary: "A trace as pages show it: spans in order, with the critical path (PageTrace of longpole.page)",
        tags: ["explore"],
        params: TraceId,
        response: {
          200: Type.Unsafe<unknown>(Type.Object({ traceId: Type.String() }, { additionalProperties: true })),
        },
      },
    },
    async ({ params: { id } }, reply) => {
      const json = await analyst.ask({ kind: "trace", traceId: traceIdOf(id) }, { signal: callerSignal(reply) });
      if (json === "null") throw new HttpError(404, `no trace ${id} is kept here`);
      return reply.type("application/json; charset=utf-8").send(json);
    },
  );
}

function expressionOf(q: string, others: readonly string[]): TraceExpression {
  if (others.length > 0)
    throw new HttpError(400, `q says all of the span: leave out ${others.join(", ")}`, { field: others[0]! });
  const parsed = parseTraceQuery(q);
  if (parsed.kind === "query") return parsed.expression;
  throw new HttpError(400, `q, letter ${parsed.at + 1}: expected ${parsed.expected}, found ${parsed.found}`, {
    field: "q",
  });
}

function conditionsOf(span: Omit<SearchQuery, "q" | "order" | "limit" | "last" | "from" | "to">): object {
  const { service, operation, minDuration, maxDuration, errors, attribute } = span;
  return {
    ...(service === undefined ? {} : { service }),
    ...(operation === undefined ? {} : { operation }),
    ...(minDuration === undefined ? {} : { minDurationNs: durationMs(minDuration)! * NS_PER_MS }),
    ...(maxDuration === undefined ? {} : { maxDurationNs: durationMs(maxDuration)! * NS_PER_MS }),
    ...(errors === undefined ? {} : { errorsOnly: errors }),
    ...(attribute === undefined ? {} : { attributes: attribute.map(pair) }),
  };
}

function foundTrace({
  startUnixNs,
  durationNs,
  matchDurationNs,
  services,
  ...rest
}: TraceSummary): FoundTraces["traces"][number] {
  return {
    ...rest,
    services: [...services],
    startUnixNs: String(startUnixNs),
    durationMs: ms(durationNs),
    matchDurationMs: ms(matchDurationNs),
  };
}

const ms = (ns: number): number => Math.round(ns / 1e3) / 1e3;

function pair(text: string): { key: string; value: string } {
  const at = text.indexOf("=");
  return { key: text.slice(0, at), value: text.slice(at + 1) };
}
