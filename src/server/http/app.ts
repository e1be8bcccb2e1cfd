import Fastify, { type FastifyInstance, type FastifyReply } from "fastify";
import type { Store } from "../../store/store.ts";
import type { ServerContext } from "../context.ts";
import { addChangeRoutes } from "../routes/changes.ts";
import { addExploreRoutes } from "../routes/explore.ts";
import { addEventRoutes } from "../routes/events.ts";
import { addExportRoutes } from "../routes/export.ts";
import { addFindingRoutes } from "../routes/findings.ts";
import { addHostRoutes } from "../routes/hosts.ts";
import { addHealthRoutes } from "../routes/health.ts";
import { addJaegerRoutes } from "../routes/jaeger.ts";
import { addProfileRoutes } from "../routes/profiles.ts";
import { addPrometheusRoutes } from "../routes/prometheus.ts";
import { addReportRoutes } from "../routes/report.ts";
import { addSearchRoutes } from "../routes/search.ts";
import { addStatusRoutes } from "../routes/status.ts";
import { addUiRoutes } from "../routes/ui.ts";
import { addGuards } from "./guards.ts";
import { HttpError, problemOf, sendProblem, storeStarts } from "./http-error.ts";
import { addOpenApi } from "./openapi.ts";
import { QueryLimit } from "./query-limit.ts";

/** Parameters and changes; profiles have a limit of their own. */
const BODY_LIMIT = 1 << 20;
/** A sender that is slower than this with headers and body holds a connection for nothing. */
const REQUEST_TIMEOUT_MS = 30_000;
const KEEP_ALIVE_MS = 65_000;

/** Routes that answer from what was received. */
const SETTLED_TAGS: ReadonlySet<string> = new Set(["report", "explore", "jaeger", "prometheus"]);

declare module "fastify" {
  interface FastifyContextConfig {
    /** The route has something to tell before what was acknowledged is stored, and waits for that itself. */
    settlesItself?: boolean;
  }
}

/** The HTTP API of a server, not listening yet. */
export function buildApp(context: ServerContext): FastifyInstance {
  const { settings, log } = context;
  const app = Fastify({
    logger: false,
    bodyLimit: BODY_LIMIT,
    requestTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    routerOptions: { maxParamLength: 2000, ignoreTrailingSlash: true },
    // A slip in a parameter is an error, not another answer; texts of a query become numbers where numbers are meant.
    ajv: { customOptions: { removeAdditional: false, coerceTypes: "array", allErrors: false } },
    ...(settings.tls === undefined ? {} : { https: { ...settings.tls, minVersion: "TLSv1.2" } }),
  }) as unknown as FastifyInstance;
  // Answers are what they are, whole: a serialiser that leaves out what its schema does not name would hide a difference.
  // That answers are as described is tested.
  app.setSerializerCompiler(() => (data) => JSON.stringify(data));
  app.setErrorHandler((error, request, reply) => {
    const { problem } = problemOf(error);
    if (problem.status >= 500) {
      const stack = problem.status === 500 && error instanceof Error ? { stack: error.stack } : {};
      log("error", "request failed", { method: request.method, url: request.url, error, ...stack });
    }
    return sendProblem(reply, error);
  });
  app.setNotFoundHandler((request) => {
    throw new HttpError(404, `nothing is at ${request.method} ${request.url.split("?", 1)[0]!.slice(0, 200)}`);
  });
  // JSON is the only body that is meant here, and one that a page of another site cannot send without being asked for.
  app.removeContentTypeParser("text/plain");
  // What was acknowledged before a question belongs to its answer.
  app.addHook("preHandler", async (request) => {
    const { schema, config } = request.routeOptions;
    const tags = schema?.tags ?? [];
    const state = context.storeState();
    if (state === "starting" && isLookUp(tags)) throw storeStarts();
    // A store that is away would only make the question wait.
    if (config.settlesItself === true || state !== "ready") return;
    if (tags.some((tag) => SETTLED_TAGS.has(tag))) await context.ingest.settle();
  });
  addGuards(app, { tokens: settings.tokens, hosts: settings.hosts });
  addOpenApi(app, context.version);
  const queries = new QueryLimit(settings.limits.queryTimeoutMs);
  addHealthRoutes(app, context);
  addStatusRoutes(app, context);
  addUiRoutes(app, context);
  addReportRoutes(app, context);
  addProfileRoutes(app, context);
  addEventRoutes(app, context);
  addExportRoutes(app, context);
  // A look-up may go without a part of the store, if it says so; a report may not: its findings and caches would outlive that.
  const lenient = { ...context, store: context.partialStore ?? context.store };
  if (context.partialStore !== undefined) tellMissingShards(app, context.partialStore);
  addExploreRoutes(app, lenient, queries);
  addSearchRoutes(app, lenient, queries);
  addFindingRoutes(app, context, queries);
  addHostRoutes(app, context, queries);
  addChangeRoutes(app, context, queries);
  addJaegerRoutes(app, lenient, queries);
  addPrometheusRoutes(app, lenient, queries);
  return app;
}

const LOOK_UP_TAGS: ReadonlySet<string> = new Set(["explore", "jaeger", "prometheus"]);
const isLookUp = (tags: readonly string[]): boolean => tags.some((tag) => LOOK_UP_TAGS.has(tag));

/** A header on the answers of look-ups made while a shard did not answer, before or behind them. */
function tellMissingShards(app: FastifyInstance, store: Store): void {
  const tell = async (reply: FastifyReply): Promise<void> => {
    const { all, answering } = await store.shards();
    if (answering < all) reply.header("longpole-partial", `${all - answering} of ${all} shards do not answer`);
  };
  app.addHook("preHandler", async (request, reply) => {
    if (isLookUp(request.routeOptions.schema?.tags ?? [])) await tell(reply);
  });
  app.addHook("onSend", async (request, reply) => {
    if (isLookUp(request.routeOptions.schema?.tags ?? []) && reply.statusCode < 400) await tell(reply);
  });
}
