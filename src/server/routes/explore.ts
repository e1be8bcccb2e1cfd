import type { FastifyInstance } from "fastify";
import { otlpTraceLines } from "../../formats/write-otlp-traces-json.ts";
import type { SpanTable } from "../../model/span-table.ts";
import type { RedRow } from "../../store/store.ts";
import { Edges, Operations, OperationsQuery, OtlpTraces, Red, RedQuery, Services, TraceId } from "../api/explore.ts";
import { WindowQuery } from "../api/window-query.ts";
import { durationMs } from "../config/quantities.ts";
import type { ServerContext } from "../context.ts";
import { callerSignal } from "../http/caller-signal.ts";
import { HttpError } from "../http/http-error.ts";
import type { QueryLimit } from "../http/query-limit.ts";
import { rangeOf } from "../http/window-of.ts";

const KINDS = ["unspecified", "internal", "server", "client", "producer", "consumer"];

/** What is there: services, operations, rates and latencies, calls between services, a trace. */
export function addExploreRoutes(app: FastifyInstance, context: ServerContext, queries: QueryLimit): void {
  const { store, nowUnixNs } = context;

  app.get<{ Querystring: WindowQuery }>(
    "/api/v1/services",
    {
      schema: {
        summary: "Services with spans in a window",
        tags: ["explore"],
        querystring: WindowQuery,
        response: { 200: Services },
      },
    },
    async ({ query }, reply) => ({
      services: await queries.run(callerSignal(reply), () => store.services(rangeOf(query, nowUnixNs()))),
    }),
  );

  app.get<{ Querystring: OperationsQuery }>(
    "/api/v1/operations",
    {
      schema: {
        summary: "Operations of a service",
        tags: ["explore"],
        querystring: OperationsQuery,
        response: { 200: Operations },
      },
    },
    async ({ query: { service, ...window } }, reply) => {
      const range = rangeOf(window, nowUnixNs());
      const operations = await queries.run(callerSignal(reply), () => store.operations(service, range));
      return { operations: operations.map(({ kind, ...rest }) => ({ ...rest, kind: kindName(kind) })) };
    },
  );

  app.get<{ Querystring: RedQuery }>(
    "/api/v1/red",
    {
      schema: {
        summary: "Rates, errors and durations of operations, from rollups by the minute: quantiles within 1 %",
        tags: ["explore"],
        querystring: RedQuery,
        response: { 200: Red },
      },
    },
    async ({ query: { service, operation, roots, step, ...window } }, reply) => {
      const range = rangeOf(window, nowUnixNs());
      if (operation !== undefined && service === undefined)
        throw new HttpError(400, "an operation is of a service: give service", { field: "service" });
      const rows = await queries.run(callerSignal(reply), (signal) =>
        store.red(
          {
            ...range,
            ...(step === undefined ? {} : { stepSeconds: durationMs(step)! / 1000 }),
            ...(service === undefined ? {} : { service }),
            ...(operation === undefined ? {} : { operation }),
            ...(roots === undefined ? {} : { rootsOnly: roots }),
          },
          { signal },
        ),
      );
      return { rows: rows.map(redRow) };
    },
  );

  app.get<{ Querystring: WindowQuery }>(
    "/api/v1/edges",
    {
      schema: {
        summary: "Calls between services",
        tags: ["explore"],
        querystring: WindowQuery,
        response: { 200: Edges },
      },
    },
    async ({ query }, reply) => {
      const range = rangeOf(query, nowUnixNs());
      const { edges, traceShare } = await queries.run(callerSignal(reply), (signal) => store.edges(range, { signal }));
      return {
        traceShare,
        edges: edges.map(({ sumNs, ...edge }) => ({ ...edge, meanMs: ms(edge.count === 0 ? 0 : sumNs / edge.count) })),
      };
    },
  );

  app.get<{ Params: TraceId }>(
    "/api/v1/trace/:id",
    {
      schema: {
        summary: "All spans of a trace, as OTLP/JSON",
        tags: ["explore"],
        params: TraceId,
        response: { 200: OtlpTraces },
      },
    },
    async ({ params: { id } }, reply) => {
      const spans = await queries.run(callerSignal(reply), (signal) => store.trace(traceIdOf(id), { signal }));
      if (spans.rowCount === 0) throw new HttpError(404, `no trace ${id} is kept here`);
      return reply.type("application/json; charset=utf-8").send(oneRequest(spans));
    },
  );
}

/** Ids of 64 bits, as Jaeger and Zipkin write them, have zeros before. */
export const traceIdOf = (id: string): string => id.toLowerCase().padStart(32, "0");

/** The lines of a table as one ExportTraceServiceRequest. */
function oneRequest(spans: SpanTable): string {
  const parts = [...otlpTraceLines(spans)].map((line) => line.slice('{"resourceSpans":['.length, -"]}\n".length));
  return `{"resourceSpans":[${parts.join()}]}`;
}

const kindName = (kind: number): string => KINDS[kind] ?? "unspecified";
const ms = (ns: number): number => Math.round(ns / 1e3) / 1e3;
const msOrNull = (ns: number): number | null => (Number.isNaN(ns) ? null : ms(ns));

function redRow(row: RedRow): Red["rows"][number] {
  const { startUnixNs, service, operation, kind, count, errors, sumNs, p50Ns, p95Ns, p99Ns } = row;
  return {
    startUnixNs: String(startUnixNs),
    service,
    operation,
    kind: kindName(kind),
    count,
    errors,
    meanMs: ms(count === 0 ? 0 : sumNs / count),
    p50Ms: msOrNull(p50Ns),
    p95Ms: msOrNull(p95Ns),
    p99Ms: msOrNull(p99Ns),
  };
}
