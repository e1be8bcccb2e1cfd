import type { FastifyInstance } from "fastify";
import Type, { type Static } from "typebox";
import type { TimeRange } from "../../store/store.ts";
import { TraceId } from "../api/explore.ts";
import { durationMs } from "../config/quantities.ts";
import type { ServerContext } from "../context.ts";
import { callerSignal } from "../http/caller-signal.ts";
import { HttpError } from "../http/http-error.ts";
import type { QueryLimit } from "../http/query-limit.ts";
import { jaegerTraces } from "../jaeger-json.ts";
import { traceIdOf } from "./explore.ts";

/** What Jaeger UI and Grafana's data source for Jaeger ask; they may add parameters that mean nothing here. */
const Search = Type.Object({
  service: Type.Optional(Type.String({ maxLength: 2000 })),
  operation: Type.Optional(Type.String({ maxLength: 2000 })),
  start: Type.Optional(Type.String({ pattern: "^\\d+$", description: "microseconds since 1970" })),
  end: Type.Optional(Type.String({ pattern: "^\\d+$" })),
  lookback: Type.Optional(Type.String()),
  limit: Type.Optional(Type.Integer({ minimum: 0, maximum: 1500 })),
  minDuration: Type.Optional(Type.String({ maxLength: 20 })),
  maxDuration: Type.Optional(Type.String({ maxLength: 20 })),
  tags: Type.Optional(Type.String({ maxLength: 10_000, description: "JSON object of texts" })),
  traceID: Type.Optional(Type.Array(Type.String({ pattern: "^[0-9a-fA-F]{1,32}$" }), { maxItems: 100 })),
});
type Search = Static<typeof Search>;

/** Services and operations are told of this time up to now. */
const LOOK_BACK_NS = 48n * 3_600n * 1_000_000_000n;
/** Traces that are read whole for a search; their spans are all in its answer. */
const MOST_TRACES = 100;

/** Jaeger's query API, so far as its UI and Grafana use it: https://www.jaegertracing.io/docs/latest/apis/ */
export function addJaegerRoutes(app: FastifyInstance, context: ServerContext, queries: QueryLimit): void {
  const { store, nowUnixNs } = context;
  const lately = (): TimeRange => ({ fromUnixNs: nowUnixNs() - LOOK_BACK_NS, toUnixNs: nowUnixNs() });
  const schema = (summary: string): object => ({ summary, tags: ["jaeger"] });

  app.get("/api/services", { schema: schema("Services, as Jaeger answers") }, async (_, reply) =>
    listed([...(await queries.run(callerSignal(reply), () => store.services(lately())))]),
  );

  app.get<{ Querystring: { service: string; spanKind?: string } }>(
    "/api/operations",
    {
      schema: {
        ...schema("Operations of a service with their kinds, as Jaeger answers"),
        querystring: Type.Object({ service: Type.String(), spanKind: Type.Optional(Type.String()) }),
      },
    },
    async ({ query }, reply) => {
      const found = await queries.run(callerSignal(reply), () => store.operations(query.service, lately()));
      const rows = found.map(({ operation, kind }) => ({ name: operation, spanKind: JAEGER_KINDS[kind] ?? "" }));
      return listed(rows.filter(({ spanKind }) => query.spanKind === undefined || spanKind === query.spanKind));
    },
  );

  app.get<{ Params: { service: string } }>(
    "/api/services/:service/operations",
    { schema: schema("Names of a service's operations, as Jaeger answers") },
    async ({ params }, reply) => {
      const found = await queries.run(callerSignal(reply), () => store.operations(params.service, lately()));
      return listed([...new Set(found.map(({ operation }) => operation))]);
    },
  );

  app.get<{ Params: TraceId }>(
    "/api/traces/:id",
    { schema: { ...schema("A trace, as Jaeger answers"), params: TraceId } },
    async ({ params: { id } }, reply) => {
      const spans = await queries.run(callerSignal(reply), (signal) => store.trace(traceIdOf(id), { signal }));
      if (spans.rowCount > 0) return listed(jaegerTraces(spans));
      // As Jaeger says it: its UI shows this text.
      return reply.code(404).send({ ...listed([]), data: null, errors: [{ code: 404, msg: "trace not found" }] });
    },
  );

  app.get<{ Querystring: Search }>(
    "/api/traces",
    { schema: { ...schema("Traces found, whole, as Jaeger answers"), querystring: Search } },
    async ({ query }, reply) => {
      const caller = callerSignal(reply);
      const ids = query.traceID?.map(traceIdOf) ?? (await search(query, caller));
      const traces = await queries.run(caller, (signal) => Promise.all(ids.map((id) => store.trace(id, { signal }))));
      return listed(traces.filter(({ rowCount }) => rowCount > 0).flatMap(jaegerTraces));
    },
  );

  async function search(query: Search, caller: AbortSignal): Promise<string[]> {
    if (query.service === undefined || query.service === "")
      throw new HttpError(400, "a search is for a service: give service", { field: "service" });
    const limit = Math.min(query.limit === undefined || query.limit === 0 ? 20 : query.limit, MOST_TRACES);
    const { minDuration, maxDuration } = query;
    const found = await queries.run(caller, (signal) =>
      store.searchTraces(
        {
          ...rangeOfSearch(query, lately()),
          service: query.service!,
          ...(query.operation === undefined || query.operation === "" || query.operation === "all"
            ? {}
            : { operation: query.operation }),
          ...(minDuration ? { minDurationNs: goDurationNs(minDuration, "minDuration") } : {}),
          ...(maxDuration ? { maxDurationNs: goDurationNs(maxDuration, "maxDuration") } : {}),
          ...tagsOf(query.tags),
          limit,
        },
        { signal },
      ),
    );
    return found.map(({ traceId }) => traceId);
  }
}

const JAEGER_KINDS = ["", "internal", "server", "client", "producer", "consumer"];

/** The frame of all of Jaeger's answers. */
function listed<T>(data: T[]): { data: T[]; total: number; limit: 0; offset: 0; errors: null } {
  return { data, total: data.length, limit: 0, offset: 0, errors: null };
}

function rangeOfSearch({ start, end }: Search, otherwise: TimeRange): TimeRange {
  return {
    fromUnixNs: start === undefined ? otherwise.fromUnixNs : BigInt(start) * 1000n,
    toUnixNs: end === undefined ? otherwise.toUnixNs : BigInt(end) * 1000n,
  };
}

/** "1.2s", "100ms", "500us" as Go writes them. */
function goDurationNs(text: string, field: string): number {
  const micro = /^(\d+(?:\.\d+)?)(us|µs|μs|ns)$/.exec(text);
  if (micro !== null) return Number(micro[1]) * (micro[2] === "ns" ? 1 : 1e3);
  const milliseconds = durationMs(text);
  if (milliseconds === undefined) throw new HttpError(400, `${field}: expected a duration as 100ms or 1.2s`, { field });
  return milliseconds * 1e6;
}

/** `{"error":"true","http.status_code":"500"}`; `error=true` is what Jaeger makes of a failed status. */
function tagsOf(text: string | undefined): { attributes?: { key: string; value: string }[]; errorsOnly?: boolean } {
  if (text === undefined || text === "" || text === "{}") return {};
  let tags: unknown;
  try {
    tags = JSON.parse(text);
  } catch {
    throw new HttpError(400, 'tags: expected JSON as {"KEY":"VALUE"}', { field: "tags" });
  }
  if (typeof tags !== "object" || tags === null || Array.isArray(tags))
    throw new HttpError(400, 'tags: expected a JSON object as {"KEY":"VALUE"}', { field: "tags" });
  const pairs = Object.entries(tags).map(([key, value]) => ({ key, value: String(value) }));
  const attributes = pairs.filter(({ key, value }) => !(key === "error" && value === "true"));
  return {
    ...(attributes.length === 0 ? {} : { attributes }),
    ...(attributes.length < pairs.length ? { errorsOnly: true } : {}),
  };
}
