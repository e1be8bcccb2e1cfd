import type { FastifyInstance } from "fastify";
import type { ServerContext } from "../context.ts";
import { HttpError } from "../http/http-error.ts";
import { metricsPage } from "../metrics-page.ts";

/** Whether it runs, whether it can answer, and its own figures for Prometheus. */
export function addHealthRoutes(app: FastifyInstance, context: ServerContext): void {
  app.get(
    "/healthz",
    { schema: { summary: "Whether the server runs", tags: ["health"], produces: ["text/plain"] } },
    (_, reply) => reply.type("text/plain").send("ok\n"),
  );
  app.get(
    "/readyz",
    { schema: { summary: "Whether the store answers", tags: ["health"], produces: ["text/plain"] } },
    (_, reply) => {
      const state = context.storeState();
      if (state !== "ready") throw new HttpError(503, `the store is ${state}`, { headers: { "retry-after": "2" } });
      return reply.type("text/plain").send("ready\n");
    },
  );
  app.get(
    "/metrics",
    {
      schema: {
        summary: "The server's own figures, as Prometheus reads them",
        tags: ["health"],
        produces: ["text/plain"],
      },
    },
    (_, reply) => reply.type("text/plain; version=0.0.4; charset=utf-8").send(metricsPage(context)),
  );
}
