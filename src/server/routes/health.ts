import type { FastifyInstance } from "fastify";
import type { ServerContext } from "../context.ts";
import { HttpError, sendProblem } from "../http/http-error.ts";
import { metricsPage } from "../metrics-page.ts";

/** Whether it runs, whether it can answer, and its own figures for Prometheus. */
export function addHealthRoutes(app: FastifyInstance, context: ServerContext): void {
  /** the state that the last probe was told */
  let told = "ready";
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
      // Probes come every few seconds: only a change is worth a line.
      if (state !== told) context.log(state === "ready" ? "info" : "warn", "readiness", { store: state, before: told });
      told = state;
      if (state !== "ready")
        return sendProblem(reply, new HttpError(503, `the store is ${state}`, { headers: { "retry-after": "2" } }));
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
