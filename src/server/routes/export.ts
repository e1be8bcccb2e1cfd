import { Readable } from "node:stream";
import type { FastifyInstance } from "fastify";
import { ExportQuery } from "../api/window-query.ts";
import type { ServerContext } from "../context.ts";
import { callerSignal } from "../http/caller-signal.ts";
import { HttpError } from "../http/http-error.ts";
import { rangeOf } from "../http/window-of.ts";
import type { Task } from "../live/analysis-messages.ts";

/** A window as a file that `longpole analyze` reads: what a report of it is computed from. */
export function addExportRoutes(app: FastifyInstance, context: ServerContext): void {
  app.get<{ Querystring: ExportQuery }>(
    "/api/v1/export",
    {
      schema: {
        summary: "Traces and metrics of a window as OTLP, or the profile of a service as pprof",
        tags: ["report"],
        querystring: ExportQuery,
        produces: ["application/x-ndjson", "application/octet-stream"],
      },
    },
    async ({ query }, reply) => {
      const { format = "otlp-json", service, ...window } = query;
      const range = rangeOf(window, context.nowUnixNs());
      if (format === "pprof" && service === undefined) {
        throw new HttpError(400, "a profile is of a service: give service", { field: "service" });
      }
      const task: Task =
        format === "pprof" ? { kind: "export-profile", range, service: service! } : { kind: "export", range };
      const chunks = context.analyst.stream(task, callerSignal(reply));
      // Before the first chunk an error is an answer; later it cuts the answer off.
      const first = await chunks.next();
      const type = format === "pprof" ? "application/octet-stream" : "application/x-ndjson; charset=utf-8";
      return reply.type(type).send(Readable.from(withFirst(first, chunks), { objectMode: false }));
    },
  );
}

async function* withFirst<T>(first: IteratorResult<T>, rest: AsyncGenerator<T>): AsyncGenerator<T> {
  if (first.done === true) return;
  yield first.value;
  yield* rest;
}
